//! A collector, so that every mistake of a declaration is reported in one compilation.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};

/// The mistakes found so far, in the order in which they were found.
#[derive(Default)]
pub struct Errors(Option<syn::Error>);

impl Errors {
    /// Adds a mistake at `span`.
    pub fn push(&mut self, span: Span, message: impl Display) {
        self.absorb(syn::Error::new(span, message));
    }

    /// Adds what a parser of `syn` reported.
    pub fn absorb(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Returns one `compile_error!` for each mistake; nothing when there is none.
    pub fn into_tokens(self) -> TokenStream {
        self.0.map(|errors| errors.into_compile_error()).unwrap_or_default()
    }
}
