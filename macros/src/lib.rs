//! Derive macros that turn one declaration into a typed object.
#![deny(missing_docs)]

mod controller;
mod object;
mod schema;
mod syntax;

use proc_macro::TokenStream;

/// Derives `Schema`.
#[proc_macro_derive(Schema, attributes(object))]
pub fn derive_schema(input: TokenStream) -> TokenStream {
    schema::derive(input.into()).into()
}

/// Derives `Object`.
#[proc_macro_derive(Object, attributes(object))]
pub fn derive_object(input: TokenStream) -> TokenStream {
    object::derive(input.into()).into()
}

/// Wires a decision to the framework.
#[proc_macro_attribute]
pub fn controller(arguments: TokenStream, item: TokenStream) -> TokenStream {
    controller::attribute(arguments.into(), item.into()).into()
}
