//! `#[derive(Schema)]`: what a struct or enum says about its JSON.
//!
//! Never refuses to emit an implementation: after a mistake it emits one that says less, so that the mistake
//! is the only thing the compiler reports. Start reading at [`parse::Declaration`].

pub mod expand;
pub mod parse;
pub mod validate;

use proc_macro2::TokenStream;
use quote::quote;

use crate::syntax::Errors;

/// Expands the derive.
pub fn derive(input: TokenStream) -> TokenStream {
    let input: syn::DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let declaration = parse::Declaration::read(&input, &mut errors);
    validate::declaration(&declaration, &mut errors);
    let (errors, schema) = (errors.into_tokens(), expand::declaration(&declaration));
    quote! {
        const _: () = {
            use ::bowline_runtime::api::schema as __schema;
            #schema
        };
        #errors
    }
}
