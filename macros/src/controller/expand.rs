//! Turns a controller's declaration into a unit struct and its `Controller` implementation.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ItemFn;

use super::parse::{Declaration, Watch};
use super::validate::Decision;

/// Returns the controller's type; after a mistake one that does less, and nothing when the kind is not known.
pub fn controller(declaration: &Declaration, function: &ItemFn, decision: Option<&Decision<'_>>) -> TokenStream {
    let Some(kind) = &declaration.kind else { return TokenStream::new() };
    let last = &kind.segments.last().expect("invariant: a path has a segment").ident;
    let (vis, decide) = (&function.vis, &function.sig.ident);
    let ident = Ident::new(&format!("{last}Controller"), last.span());
    let doc = format!("Carries out [`{decide}`] for every [`{last}`].");
    let name = declaration.name.as_ref().map(syn::LitStr::value).unwrap_or_default();
    let methods = methods(declaration, function, decision);
    quote! {
        #[doc = #doc]
        #[derive(Clone, Copy, Debug, Default)]
        #vis struct #ident;

        const _: () = {
            use ::bowline_runtime::{api::object as __object, control as __control};
            #[automatically_derived]
            impl __control::Controller for #ident {
                const NAME: &'static str = #name;
                type Object = #kind;
                #methods
            }
        };
    }
}

fn methods(declaration: &Declaration, function: &ItemFn, decision: Option<&Decision<'_>>) -> TokenStream {
    let decide = &function.sig.ident;
    let owns = declaration.owns.iter().map(|kind| quote!(<#kind as __object::Object>::kind));
    let watches = declaration
        .watches
        .iter()
        .map(|Watch { kind, map }| quote!(__control::Watch { kind: <#kind as __object::Object>::kind, map: #map }));
    let (observed, now, actions, decided) = match decision {
        Some(Decision { observed, now, actions }) => {
            (quote!(#observed), quote!(#now), quote!(#actions), quote!(#decide(observed, desired, now)))
        }
        None => (
            quote!(()),
            quote!(::bowline_runtime::api::value::Timestamp),
            quote!(::std::vec::Vec<__control::Action>),
            quote!(::std::vec::Vec::new()),
        ),
    };
    let observe = match (&declaration.observe, decision) {
        (Some(observe), Some(_)) => quote!(#observe(snapshot, key)),
        _ => quote!(::core::option::Option::None),
    };
    quote! {
        type Observed = #observed;
        fn owns() -> &'static [fn() -> &'static __object::Kind] {
            const OWNS: &[fn() -> &'static __object::Kind] = &[#(#owns),*];
            OWNS
        }
        fn watches() -> &'static [__control::Watch] {
            const WATCHES: &[__control::Watch] = &[#(#watches),*];
            WATCHES
        }
        fn observe(
            snapshot: &::bowline_runtime::store::Snapshot,
            key: &__object::Key,
        ) -> ::core::option::Option<(Self::Observed, ::std::sync::Arc<Self::Object>)> {
            #observe
        }
        fn decide(observed: &Self::Observed, desired: &Self::Object, now: #now) -> #actions {
            #decided
        }
    }
}
