//! Reads the arguments of `#[controller(…)]` into a [`Declaration`].

use proc_macro2::{Span, TokenStream};
use syn::parse::{Parse, Parser};
use syn::punctuated::Punctuated;
use syn::{ItemFn, LitStr, Path, Token, Type};

use crate::syntax::{Errors, Item, Items, Wanted};

/// The arguments.
const ARGUMENTS: &[&str] = &["name", "kind", "owns", "watches", "observe"];

/// A controller as declared.
pub struct Declaration {
    /// The name, for events, leases and metrics.
    pub name: Option<LitStr>,
    /// The kind whose objects it decides on.
    pub kind: Option<Path>,
    /// The kinds it creates, whose changes concern their owner.
    pub owns: Vec<Type>,
    /// Other kinds whose changes concern it.
    pub watches: Vec<Watch>,
    /// The function that looks at the snapshot.
    pub observe: Option<Path>,
}

/// A kind, and the function that tells which objects one of its changes concerns.
pub struct Watch {
    /// The kind.
    pub kind: Type,
    /// The function.
    pub map: Path,
}

impl Declaration {
    /// Reads the arguments.
    pub fn read(arguments: TokenStream, function: &ItemFn, errors: &mut Errors) -> Self {
        let mut items = Items::of_tokens(arguments, errors).check(ARGUMENTS, &[], |_| None, errors);
        let here = function.sig.ident.span();
        Self {
            name: wanted(&mut items, "name", "a string", "name = \"replicaset\"", here, errors),
            kind: wanted(&mut items, "kind", "a kind's type", "kind = ReplicaSet", here, errors),
            owns: read_list(
                items.take("owns"),
                "kinds",
                "owns(Pod)",
                Punctuated::<Type, Token![,]>::parse_terminated,
                errors,
            ),
            watches: read_list(
                items.take("watches"),
                "`Kind => function`",
                "watches(Node => pods_on_node)",
                watches,
                errors,
            ),
            observe: wanted(&mut items, "observe", "a function", "observe = observe::observe", here, errors),
        }
    }
}

/// Reads an argument that must be given.
fn wanted<T: Parse>(
    items: &mut Items,
    name: &str,
    what: &str,
    example: &str,
    here: Span,
    errors: &mut Errors,
) -> Option<T> {
    let missing = format!("the controller has no `{name}`; add `{example}`");
    items.wanted(Wanted { name, what, example }, here, &missing, errors)
}

fn read_list<T, P>(
    item: Option<Item>,
    what: &str,
    example: &str,
    parser: impl Parser<Output = Punctuated<T, P>>,
    errors: &mut Errors,
) -> Vec<T> {
    let Some(tokens) = item.as_ref().and_then(|item| item.listed(example, errors)) else { return Vec::new() };
    match parser.parse2(tokens) {
        Ok(list) => list.into_iter().collect(),
        Err(error) => {
            errors.push(error.span(), format!("expected {what}: `{example}`"));
            Vec::new()
        }
    }
}

fn watches(input: syn::parse::ParseStream<'_>) -> syn::Result<Punctuated<Watch, Token![,]>> {
    Punctuated::parse_terminated_with(input, |input| {
        let kind = input.parse()?;
        input.parse::<Token![=>]>()?;
        Ok(Watch { kind, map: input.parse()? })
    })
}
