//! `#[controller]`: wires a pure decision to the framework that carries it out.
//!
//! Always emits the function as it was written. Start reading at [`parse::Declaration`].

pub mod expand;
pub mod parse;
pub mod validate;

use proc_macro2::TokenStream;
use quote::quote;

use crate::syntax::Errors;

/// Expands the attribute.
pub fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function: syn::ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let hint =
                syn::Error::new(error.span(), format!("`#[controller]` stands on a function: {}", validate::SHAPE));
            let error = hint.into_compile_error();
            return quote!(#item #error);
        }
    };
    let mut errors = Errors::default();
    let declaration = parse::Declaration::read(arguments, &function, &mut errors);
    let signature = validate::declaration(&declaration, &function, &mut errors);
    let controller = expand::controller(&declaration, &function, signature.as_ref());
    let errors = errors.into_tokens();
    quote!(#function #controller #errors)
}
