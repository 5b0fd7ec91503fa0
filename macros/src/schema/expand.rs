//! Turns a declaration into constants.
//!
//! Field values that are at rest are left to `Field::new`, so that two hundred declarations stay cheap.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::parse::{Body, Declaration, Field, Name};
use crate::syntax::Number;
use crate::syntax::rust_type::{Leaf, Outer};

/// Returns `impl Schema` for the declared type, to stand where `__schema` names the runtime's `schema` module.
///
/// A struct's declaration is a static of the name `STRUCT` beside it.
pub fn declaration(declaration: &Declaration) -> TokenStream {
    let ident = &declaration.ident;
    let (impl_generics, ty_generics, where_clause) = declaration.generics.split_for_impl();
    let (structure, ty) = match &declaration.body {
        Body::Struct(fields) if declaration.generics.params.is_empty() => {
            let fields: Vec<TokenStream> = fields.iter().map(field).collect();
            let name = ident.to_string();
            (structure(&name, &declaration.doc, &fields, declaration.atomic.is_some()), quote!(Struct(|| &STRUCT)))
        }
        Body::Enum(variants) => {
            let texts = variants.iter().map(|Name { json, .. }| json);
            (TokenStream::new(), quote!(Enum(&[#(#texts),*])))
        }
        Body::Struct(_) | Body::Unsupported => (TokenStream::new(), quote!(Any)),
    };
    quote! {
        #structure
        #[automatically_derived]
        impl #impl_generics __schema::Schema for #ident #ty_generics #where_clause {
            const TYPE: __schema::Type = __schema::Type::#ty;
        }
    }
}

/// Returns the static `STRUCT`.
pub fn structure(name: &str, doc: &str, fields: &[TokenStream], atomic: bool) -> TokenStream {
    quote! {
        static STRUCT: __schema::Struct =
            __schema::Struct { name: #name, doc: #doc, fields: &[#(#fields),*], atomic: #atomic };
    }
}

/// Returns the constant for a field.
pub fn field(field: &Field) -> TokenStream {
    let ty = match field.shape.leaf {
        // The type is reported already, and must not be reported again for having no schema.
        Leaf::Foreign => quote!(__schema::Type::Any),
        _ => type_of(&field.ty),
    };
    let (name, doc) = (&field.name.json, &field.doc);
    let new = quote!(__schema::Field::new(#name, #doc, #ty));
    let settings = settings(field);
    if settings.is_empty() { new } else { quote!(__schema::Field { #settings ..#new }) }
}

/// Returns the schema's type of a Rust type; a missing implementation is reported at that type.
pub fn type_of(ty: &impl ToTokens) -> TokenStream {
    let span = Span::call_site().located_at(ty.span());
    quote_spanned!(span=> <#ty as __schema::Schema>::TYPE)
}

fn settings(field: &Field) -> TokenStream {
    let mut out = TokenStream::new();
    for (set, setting) in [
        (field.required.is_some(), quote!(required)),
        (field.atomic.is_some() && !is_list(field), quote!(atomic)),
        (field.immutable, quote!(immutable)),
        (field.sensitive, quote!(sensitive)),
    ] {
        if set {
            out.extend(quote!(#setting: true,));
        }
    }
    if let Some(default) = &field.default {
        let json = &default.json;
        out.extend(quote!(default: Some(#json),));
    }
    if let Some(reason) = &field.not_enforced {
        let reason = reason.value();
        out.extend(quote!(not_enforced: Some(#reason),));
    }
    if let Some(list) = list(field) {
        out.extend(quote!(list: #list,));
    }
    let rules = rules(field);
    if !rules.is_empty() {
        out.extend(quote!(rules: __schema::Rules { #rules ..__schema::Rules::NONE },));
    }
    out
}

fn is_list(field: &Field) -> bool {
    field.shape.outer == Outer::List
}

fn list(field: &Field) -> Option<TokenStream> {
    if field.list_set.is_some() {
        return Some(quote!(__schema::ListKind::Set));
    }
    let first = field.list_map.first()?.value();
    let keys = field.list_map.iter().map(syn::LitStr::value);
    let patch_key = field.patch_key.as_ref().map_or(first, syn::LitStr::value);
    Some(quote!(__schema::ListKind::Map { keys: &[#(#keys),*], patch_key: #patch_key }))
}

fn rules(field: &Field) -> TokenStream {
    let mut out = TokenStream::new();
    for (name, limit) in [(quote!(min), field.min), (quote!(max), field.max)] {
        if let Some(Number { value, .. }) = limit {
            out.extend(quote!(#name: Some(#value),));
        }
    }
    if let Some(text) = &field.min_text {
        let text = text.value();
        out.extend(quote!(min_text: Some(#text),));
    }
    for (name, limit) in [(quote!(max_len), field.max_len), (quote!(min_items), field.min_items)] {
        if let Some(count) = limit.and_then(|limit| usize::try_from(limit.value).ok()) {
            out.extend(quote!(#name: Some(#count),));
        }
    }
    if !field.one_of.is_empty() {
        let values = field.one_of.iter().map(syn::LitStr::value);
        out.extend(quote!(one_of: &[#(#values),*],));
    }
    if let Some((format, _)) = &field.format {
        out.extend(quote!(format: __schema::Format::#format,));
    }
    out
}
