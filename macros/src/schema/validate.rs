//! Finds what a declaration says against itself.

use std::collections::BTreeMap;

use proc_macro2::Span;
use syn::spanned::Spanned;

use super::parse::{Body, Declaration, Field, Name};
use crate::syntax::Errors;
use crate::syntax::rust_type::{Leaf, Outer};
use crate::syntax::suggest::{listed, suggestion};

/// Reports every contradiction in a declaration.
pub fn declaration(declaration: &Declaration, errors: &mut Errors) {
    match &declaration.body {
        Body::Struct(fields) => {
            unique(fields.iter().map(|field| &field.name), "field", errors);
            for field in fields {
                foreign(field, errors);
                default(field, errors);
                numbers(field, errors);
                texts(field, errors);
                merging(field, errors);
            }
        }
        Body::Enum(variants) => unique(variants.iter(), "variant", errors),
        Body::Unsupported => {}
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a Name>, what: &str, errors: &mut Errors) {
    let mut taken = BTreeMap::new();
    for name in names {
        if let Some(first) = taken.insert(&name.json, &name.ident) {
            errors.push(name.span, format!("the JSON name `{}` is already taken by the {what} `{first}`", name.json));
        }
    }
}

fn foreign(field: &Field, errors: &mut Errors) {
    if field.shape.leaf == Leaf::Foreign {
        let hint = "use `i32`, `i64` or `f64`, and `min = 0` for what is not negative";
        errors.push(field.ty.span(), format!("Kubernetes has no such number; {hint}"));
    }
}

fn default(field: &Field, errors: &mut Errors) {
    let Some(default) = &field.default else {
        return;
    };
    let mut wrong = |message: String| errors.push(default.span, message);
    if field.required.is_some() {
        wrong("a field with a default is never absent: remove `required` or `default`".to_owned());
    }
    let allowed = field.shape.json_types();
    if !allowed.is_empty() && !allowed.contains(&default.json_type) {
        let allowed: Vec<&str> = allowed.iter().map(|json_type| json_type.name()).collect();
        let hint = match field.shape.outer {
            Outer::One => "",
            Outer::List => ": `default_json = \"[…]\"`",
            Outer::Map => ": `default_json = \"{…}\"`",
        };
        wrong(format!(
            "the default is {}, but the field holds {}{hint}",
            default.json_type.name(),
            allowed.join(" or ")
        ));
        return;
    }
    if let Some(text) = &default.text {
        let values: Vec<String> = field.one_of.iter().map(syn::LitStr::value).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        if !values.is_empty() && !values.contains(&text.as_str()) {
            wrong(format!("the default `{text}` is not in `one_of`{}", suggestion(text, &values)));
        }
        if let Some(max) = field.max_len.filter(|max| i64::try_from(text.len()).is_ok_and(|len| len > max.value)) {
            wrong(format!("the default has {} bytes, but `max_len` is {}", text.len(), max.value));
        }
    }
    if let Ok(number) = default.json.parse::<i64>() {
        if let Some(min) = field.min.filter(|min| number < min.value) {
            wrong(format!("the default {number} is below `min`, {}", min.value));
        }
        if let Some(max) = field.max.filter(|max| number > max.value) {
            wrong(format!("the default {number} is above `max`, {}", max.value));
        }
    }
}

fn numbers(field: &Field, errors: &mut Errors) {
    let leaf = field.shape.leaf;
    if let (Some(min), Some(max)) = (field.min, field.max)
        && min.value > max.value
    {
        errors.push(min.span, format!("`min` ({}) is above `max` ({}): no value fits", min.value, max.value));
    }
    let numeric = matches!(leaf, Leaf::Integer | Leaf::Float | Leaf::IntOrString | Leaf::Foreign | Leaf::Unknown);
    for (name, limit) in [("min", field.min), ("max", field.max)] {
        let Some(limit) = limit.filter(|_| !numeric) else {
            continue;
        };
        let hint = match leaf {
            Leaf::String if name == "max" => "use `max_len` for the length of a string",
            Leaf::String => "use `required` for a string that may not be empty",
            Leaf::Measure => "write the limit of a duration or quantity as text, as in `min = \"10s\"`",
            _ => "remove it",
        };
        errors.push(limit.span, format!("`{name}` is for numbers, and the field holds none; {hint}"));
    }
    if let Some(text) = field.min_text.as_ref().filter(|_| !matches!(leaf, Leaf::Measure | Leaf::Unknown)) {
        let hint = if numeric { "write a number without quotes" } else { "give the field such a type" };
        errors.push(text.span(), format!("`min = \"…\"` is for durations and quantities; {hint}"));
    }
}

fn texts(field: &Field, errors: &mut Errors) {
    let textual = matches!(field.shape.leaf, Leaf::String | Leaf::IntOrString | Leaf::Unknown);
    let mut only_text = |name: &str, span: Span| {
        if !textual {
            errors.push(span, format!("`{name}` is for strings, and the field holds none"));
        }
    };
    if let Some(max) = field.max_len {
        only_text("max_len", max.span);
    }
    if let Some((_, span)) = field.format {
        only_text("format", span);
    }
    if let Some(first) = field.one_of.first() {
        only_text("one_of", first.span());
    }
    for (index, value) in field.one_of.iter().enumerate() {
        if field.one_of[..index].iter().any(|other| other.value() == value.value()) {
            errors.push(value.span(), format!("`{}` stands twice in `one_of`", value.value()));
        }
    }
    for (name, limit) in [("max_len", field.max_len), ("min_items", field.min_items)] {
        if let Some(limit) = limit.filter(|limit| limit.value < 1) {
            errors.push(limit.span, format!("`{name}` is at least 1; remove it for no limit"));
        }
    }
    if let Some(reason) = field.not_enforced.as_ref().filter(|reason| reason.value().trim().is_empty()) {
        errors.push(reason.span(), "the reason is shown to people who set the field: say why it has no effect");
    }
}

fn merging(field: &Field, errors: &mut Errors) {
    let (outer, leaf) = (field.shape.outer, field.shape.leaf);
    let unknown = outer == Outer::One && leaf == Leaf::Unknown;
    let known_list = outer == Outer::List || (unknown && is_alias(field));
    let first_key = field.list_map.first().map(syn::LitStr::span);
    for (name, span) in
        [("list_map", first_key), ("list_set", field.list_set), ("min_items", field.min_items.map(|limit| limit.span))]
    {
        if let Some(span) = span.filter(|_| !known_list) {
            errors.push(span, format!("`{name}` is for lists; the field is no `Vec`"));
        }
    }
    let scalar = !matches!(leaf, Leaf::Unknown);
    if let Some(span) = first_key.filter(|_| outer == Outer::List && scalar) {
        errors.push(span, "`list_map` tells objects apart by their fields, and the items have none; use `list_set`");
    }
    let given: Vec<(&str, Span)> = [("list_map", first_key), ("list_set", field.list_set), ("atomic", field.atomic)]
        .into_iter()
        .filter_map(|(name, span)| span.map(|span| (name, span)))
        .collect();
    if let [.., (_, last)] = given[..]
        && given.len() > 1
    {
        let names: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
        errors.push(last, format!("a list merges in one way; keep one of {}", listed(&names)));
    }
    if let Some(key) = field.patch_key.as_ref().filter(|_| field.list_map.is_empty()) {
        errors.push(key.span(), "`patch_key` names one of several keys; give `list_map(…)`, too");
    }
    for (index, key) in field.list_map.iter().enumerate() {
        if field.list_map[..index].iter().any(|other| other.value() == key.value()) {
            errors.push(key.span(), format!("`{}` stands twice in `list_map`", key.value()));
        }
    }
    if let Some(span) = field.atomic.filter(|_| outer == Outer::One && scalar) {
        errors.push(span, "`atomic` is for objects and lists; a scalar is always replaced as a whole");
    }
}

/// Whether a type that is no known wrapper could be an alias of a list; a single struct is far more likely.
fn is_alias(field: &Field) -> bool {
    matches!(&field.ty, syn::Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident.to_string().ends_with("List")))
}
