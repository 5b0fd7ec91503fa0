//! Finds what a kind's declaration says against itself or against Kubernetes' naming rules.

use proc_macro2::Span;

use super::parse::{Declaration, Source, Text};
use crate::schema;
use crate::syntax::Errors;
use crate::syntax::suggest::suggestion;

/// The types a column can have.
const COLUMN_TYPES: &[&str] = &["string", "integer", "number", "boolean", "date"];

/// Reports every mistake in a declaration.
pub fn declaration(declaration: &Declaration, errors: &mut Errors) {
    schema::validate::declaration(&declaration.body, errors);
    if !matches!(declaration.body.body, schema::parse::Body::Struct(_)) {
        errors.push(declaration.body.ident.span(), "a kind is declared by a struct with named fields");
    }
    form(declaration, errors);
    names(declaration, errors);
    columns(declaration, errors);
    if let Some(scale) = &declaration.scale {
        for pointer in [&scale.spec, &scale.status, &scale.selector] {
            self::pointer(declaration, pointer, errors);
        }
    }
}

/// Checks what differs between a `…Spec` and a `whole` struct.
fn form(declaration: &Declaration, errors: &mut Errors) {
    let has = |name: &str| declaration.body.fields().iter().any(|field| field.name.ident == name);
    let ident = &declaration.body.ident;
    match declaration.whole {
        Some(span) => {
            if !has("metadata") {
                errors.push(span, format!("a `whole` kind has a field `metadata: ObjectMeta`; `{ident}` has none"));
            }
            if let Some(status) = &declaration.status {
                errors
                    .absorb(syn::Error::new_spanned(status, "a `whole` kind declares its status as a field `status`"));
            }
            if declaration.kind_given && declaration.kind != *ident {
                errors.push(
                    declaration.kind.span(),
                    format!("a `whole` kind is called as its struct, `{ident}`; remove `kind` or rename the struct"),
                );
            }
        }
        None if declaration.kind == *ident => {
            errors.push(
                declaration.kind.span(),
                format!("the kind's type would collide with this struct; call the struct `{ident}Spec`, or add `whole` if it has a field `metadata`"),
            );
        }
        None if has("metadata") => {
            errors.push(
                ident.span(),
                "a specification has no `metadata`; add `whole` if the struct is the entire object",
            );
        }
        None => {}
    }
}

fn names(declaration: &Declaration, errors: &mut Errors) {
    let kind = declaration.kind.to_string();
    if !kind.starts_with(|c: char| c.is_ascii_uppercase()) || !kind.chars().all(|c| c.is_ascii_alphanumeric()) {
        errors.push(
            declaration.kind.span(),
            format!("the kind `{kind}` is not in upper camel case, as in `GitRepository`"),
        );
    }
    let words = [&declaration.plural, &declaration.singular].into_iter();
    for text in words.chain(&declaration.short).chain(&declaration.categories) {
        if !is_label(&text.value) {
            let rule = "lower-case letters, digits and `-`, as it stands in URLs";
            errors.push(text.span, format!("`{}` is no API name: {rule}", text.value));
        }
    }
    let group = &declaration.group;
    if !group.value.is_empty() && !group.value.split('.').all(is_label) {
        errors.push(
            group.span,
            format!("`{}` is no API group: a DNS name such as `example.org`, or empty for the core group", group.value),
        );
    }
    if !is_version(&declaration.version.value) {
        let text =
            format!("`{}` is no API version; it looks like `v1`, `v1beta2` or `v1alpha1`", declaration.version.value);
        errors.push(declaration.version.span, text);
    }
}

fn columns(declaration: &Declaration, errors: &mut Errors) {
    for (index, column) in declaration.columns.iter().enumerate() {
        if declaration.columns[..index].iter().any(|other| other.name.value == column.name.value) {
            errors.push(column.name.span, format!("there are two columns `{}`", column.name.value));
        }
        if !COLUMN_TYPES.contains(&column.ty.value.as_str()) {
            let hint = suggestion(&column.ty.value, COLUMN_TYPES);
            errors.push(column.ty.span, format!("unknown column type `{}`{hint}", column.ty.value));
        }
        if let Source::Pointer(text) = &column.source {
            pointer(declaration, text, errors);
        }
    }
}

/// Checks that a JSON pointer leads to a field, as far as fields can be seen from here.
fn pointer(declaration: &Declaration, pointer: &Text, errors: &mut Errors) {
    let Some(path) = pointer.value.strip_prefix('/') else {
        let fixed = format!("/{}", pointer.value.trim_start_matches(['.', '$']).replace('.', "/"));
        errors.push(pointer.span, format!("`{}` is no JSON pointer; did you mean `{fixed}`?", pointer.value));
        return;
    };
    let fields: Vec<&str> = declaration.body.fields().iter().map(|field| field.name.json.as_str()).collect();
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    if declaration.whole.is_some() {
        known(first, &fields, "", pointer.span, errors);
        return;
    }
    match first {
        "metadata" | "status" if first == "metadata" || declaration.status.is_some() => {}
        "status" => errors.push(pointer.span, "the kind has no status; add `status = …`"),
        "spec" if rest.is_empty() => {}
        "spec" => known(rest.split('/').next().unwrap_or_default(), &fields, "/spec", pointer.span, errors),
        other => known(other, &["metadata", "spec", "status"], "", pointer.span, errors),
    }
}

fn known(name: &str, names: &[&str], parent: &str, span: Span, errors: &mut Errors) {
    if !names.contains(&name) {
        errors.push(span, format!("`{parent}/{name}` leads to no field{}", suggestion(name, names)));
    }
}

fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 63 && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Whether the text is `v1`, `v1beta2`, `v1alpha1` and the like.
fn is_version(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    let Some(rest) = text.strip_prefix('v') else {
        return false;
    };
    match rest.split_once("alpha").or_else(|| rest.split_once("beta")) {
        Some((major, minor)) => number(major) && number(minor),
        None => number(rest),
    }
}
