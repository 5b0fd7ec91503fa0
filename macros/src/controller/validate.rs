//! Checks that the function is a decision: pure, of three arguments, with actions as its result.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{FnArg, ItemFn, Path, ReturnType, Signature, Type};

use super::parse::Declaration;
use crate::syntax::Errors;

/// What the function looks like.
pub const SHAPE: &str = "a decision is a pure function of (observed, desired, now): \
     `fn decide(observed: &Observed, desired: &Kind, now: Timestamp) -> Vec<Action>`";

/// The types in the function's signature.
pub struct Decision<'a> {
    /// What was observed, without its reference.
    pub observed: &'a Type,
    /// The present time.
    pub now: &'a Type,
    /// The actions.
    pub actions: &'a Type,
}

/// Reports every mistake; returns the types when the function can be called.
pub fn declaration<'a>(declaration: &Declaration, function: &'a ItemFn, errors: &mut Errors) -> Option<Decision<'a>> {
    if let Some(name) = &declaration.name
        && !is_name(&name.value())
    {
        let hint = "lower-case letters, digits and `-`, as it stands in events and metrics";
        errors.push(name.span(), format!("`{}` is no controller name: {hint}", name.value()));
    }
    let owned: Vec<String> = declaration.owns.iter().map(|kind| kind.to_token_stream().to_string()).collect();
    for (index, kind) in
        declaration.owns.iter().enumerate().filter(|(index, _)| owned[..*index].contains(&owned[*index]))
    {
        errors.push(kind.span(), format!("`{}` stands twice in `owns`", owned[index]));
    }
    let pure = purity(&function.sig, errors);
    arguments(declaration.kind.as_ref(), &function.sig, errors).filter(|_| pure)
}

/// Refuses what would make the result depend on more than the arguments.
fn purity(signature: &Signature, errors: &mut Errors) -> bool {
    if let Some(token) = &signature.asyncness {
        let hint = "read in `observe`, and to wait, return `Action::Wait`";
        errors.push(token.span(), format!("a decision never waits, so it cannot be async; {hint}; {SHAPE}"));
    }
    if !signature.generics.params.is_empty() {
        let hint = "the framework calls it with one kind and one observation";
        errors.push(signature.generics.span(), format!("a decision has no parameters in `<…>`: {hint}"));
    }
    signature.asyncness.is_none() && signature.generics.params.is_empty()
}

fn arguments<'a>(kind: Option<&Path>, signature: &'a Signature, errors: &mut Errors) -> Option<Decision<'a>> {
    let types: Vec<&Type> = signature
        .inputs
        .iter()
        .filter_map(|input| match input {
            FnArg::Receiver(_) => None, // the compiler says so
            FnArg::Typed(typed) => Some(&*typed.ty),
        })
        .collect();
    let [observed, desired, now] = types[..] else {
        let count = signature.inputs.len();
        let span = if count == 0 { signature.ident.span() } else { signature.inputs.span() };
        errors.push(span, format!("the function takes {count} arguments instead of three; {SHAPE}"));
        result(signature, errors);
        return None;
    };
    let observed = shared("observed", observed, errors);
    let desired = shared("desired", desired, errors);
    let desired = desired.filter(|desired| kind.is_none_or(|kind| same_kind(desired, kind, errors)));
    let now = match now {
        Type::Reference(reference) => {
            errors.push(reference.span(), "`now` is a point in time, taken by value: `now: Timestamp`");
            None
        }
        now => Some(now),
    };
    let actions = result(signature, errors);
    desired?;
    Some(Decision { observed: observed?, now: now?, actions: actions? })
}

/// Returns the type behind a shared reference; reports anything else.
fn shared<'a>(name: &str, ty: &'a Type, errors: &mut Errors) -> Option<&'a Type> {
    match ty {
        Type::Reference(reference) if reference.mutability.is_none() => Some(&reference.elem),
        Type::Reference(reference) => {
            let hint = "a change is an `Action` in the result";
            errors.push(reference.span(), format!("a decision changes nothing: take `{name}` by `&`; {hint}"));
            None
        }
        ty => {
            errors.push(ty.span(), format!("take `{name}` by reference; {SHAPE}"));
            None
        }
    }
}

fn same_kind(desired: &Type, kind: &Path, errors: &mut Errors) -> bool {
    let last = |path: &Path| path.segments.last().map(|segment| segment.ident.clone());
    let declared: Option<Ident> = last(kind);
    match desired {
        Type::Path(path) if last(&path.path) == declared => true,
        desired => {
            let (desired_text, kind) = (desired.to_token_stream(), kind.to_token_stream());
            let text = format!("the function decides on `{desired_text}`, but the controller's kind is `{kind}`");
            errors.push(desired.span(), text);
            false
        }
    }
}

fn result<'a>(signature: &'a Signature, errors: &mut Errors) -> Option<&'a Type> {
    match &signature.output {
        ReturnType::Type(_, ty) => Some(ty),
        ReturnType::Default => {
            let span: Span = signature.paren_token.span.close();
            errors.push(span, format!("a decision returns what is to be done: `-> Vec<Action>`; {SHAPE}"));
            None
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !text.ends_with('-')
}
