//! `#[derive(Object)]`: a kind, from one struct.
//!
//! Never refuses to emit the kind's type: after a mistake it emits what it understood. Start reading at
//! [`parse::Declaration`].

pub mod expand;
pub mod parse;
pub mod validate;

use proc_macro2::TokenStream;

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
    let mut out = expand::declaration(&declaration);
    out.extend(errors.into_tokens());
    out
}
