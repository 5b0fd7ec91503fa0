//! Turns a kind's declaration into its type, its constants and its `Object` implementation.

use proc_macro2::TokenStream;
use quote::quote;

use super::parse::{Column, Declaration, Source, Text};
use crate::schema;

/// Describes `metadata` in Rust and in the schema.
const METADATA: &str = "Name, namespace, labels and all else that every object has.";
/// Describes `spec`.
const SPEC: &str = "What is wanted.";
/// Describes `status`.
const STATUS: &str = "What was last seen; written by controllers only.";

/// Returns everything the derive emits.
pub fn declaration(declaration: &Declaration) -> TokenStream {
    let schema = schema::expand::declaration(&declaration.body);
    if declaration.whole.is_some() {
        return whole(declaration, &schema);
    }
    let object = object(declaration);
    let ident = &declaration.kind;
    let structure = root(declaration);
    let implementation = implementation(declaration, declaration.status.is_some());
    quote! {
        #object
        const _: () = {
            use ::bowline_runtime::api::schema as __schema;
            #schema
        };
        const _: () = {
            use ::bowline_runtime::api::{object as __object, schema as __schema};
            #structure
            #[automatically_derived]
            impl __schema::Schema for #ident {
                const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
            }
            #implementation
        };
    }
}

/// Returns what is emitted beside a struct that is the whole object.
fn whole(declaration: &Declaration, schema: &TokenStream) -> TokenStream {
    let fields = declaration.body.fields();
    let has = |name: &str| fields.iter().any(|field| field.name.ident == name);
    // Without metadata there is no object; the mistake is reported, and an implementation would only echo it.
    let implementation = has("metadata").then(|| implementation(declaration, has("status")));
    quote! {
        const _: () = {
            use ::bowline_runtime::api::{object as __object, schema as __schema};
            #schema
            #implementation
        };
    }
}

/// Returns the kind's type, made from its specification.
fn object(declaration: &Declaration) -> TokenStream {
    let Declaration { vis, kind, body, status, .. } = declaration;
    let (doc, spec) = (&body.doc, &body.ident);
    let status = status.as_ref().map(|status| {
        quote! {
            #[doc = #STATUS]
            #[serde(skip_serializing_if = "::core::option::Option::is_none")]
            pub status: ::core::option::Option<#status>,
        }
    });
    quote! {
        #[doc = #doc]
        #[derive(Clone, Debug, Default, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        #vis struct #kind {
            #[doc = #METADATA]
            pub metadata: ::bowline_runtime::api::meta::ObjectMeta,
            #[doc = #SPEC]
            pub spec: #spec,
            #status
        }
    }
}

/// Returns the static with the fields of a kind that is made from its specification.
fn root(declaration: &Declaration) -> TokenStream {
    let Declaration { kind, body, status, .. } = declaration;
    let meta = schema::expand::type_of(&quote!(::bowline_runtime::api::meta::ObjectMeta));
    let spec = schema::expand::type_of(&body.ident);
    let mut fields = vec![
        quote!(__schema::Field::new("metadata", #METADATA, #meta)),
        quote!(__schema::Field { required: true, ..__schema::Field::new("spec", #SPEC, #spec) }),
    ];
    if let Some(status) = status {
        let status = schema::expand::type_of(status);
        fields.push(quote!(__schema::Field::new("status", #STATUS, #status)));
    }
    schema::expand::structure(&kind.to_string(), &body.doc, &fields, false)
}

fn implementation(declaration: &Declaration, has_status: bool) -> TokenStream {
    let ident = if declaration.whole.is_some() { &declaration.body.ident } else { &declaration.kind };
    let vis = &declaration.vis;
    let kind = kind(declaration, has_status);
    quote! {
        static KIND: __object::Kind = #kind;
        #[automatically_derived]
        impl __object::Object for #ident {
            fn kind() -> &'static __object::Kind {
                &KIND
            }
            fn meta(&self) -> &::bowline_runtime::api::meta::ObjectMeta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut ::bowline_runtime::api::meta::ObjectMeta {
                &mut self.metadata
            }
        }
        impl #ident {
            /// Returns the kind's declaration.
            #vis fn kind() -> &'static __object::Kind {
                &KIND
            }
        }
    }
}

/// Returns the registry entry.
fn kind(declaration: &Declaration, has_status: bool) -> TokenStream {
    let Declaration { group, version, kind, plural, singular, short, categories, scope, .. } = declaration;
    let kind = kind.to_string();
    let columns = declaration.columns.iter().map(column);
    let function = |path: &Option<syn::Path>| path.as_ref().map_or_else(|| quote!(None), |path| quote!(Some(#path)));
    let (default, validate) = (function(&declaration.default), function(&declaration.validate));
    let validate_update = function(&declaration.validate_update);
    let scale = declaration.scale.as_ref().map_or_else(
        || quote!(None),
        |scale| {
            let (spec, status, selector) = (&scale.spec, &scale.status, &scale.selector);
            quote!(Some(__object::Scale { spec: #spec, status: #status, selector: #selector }))
        },
    );
    quote! {
        __object::Kind {
            group: #group,
            version: #version,
            kind: #kind,
            plural: #plural,
            singular: #singular,
            short_names: &[#(#short),*],
            categories: &[#(#categories),*],
            scope: __object::Scope::#scope,
            root: || &STRUCT,
            columns: &[#(#columns),*],
            has_status: #has_status,
            scale: #scale,
            default: #default,
            validate: #validate,
            validate_update: #validate_update,
        }
    }
}

fn column(column: &Column) -> TokenStream {
    let Column { name, ty, source, wide } = column;
    let source = match source {
        Source::Pointer(path) => quote!(Pointer(#path)),
        Source::Render(function) => quote!(Render(#function)),
    };
    quote!(__object::Column { name: #name, kind: #ty, wide: #wide, source: __object::ColumnSource::#source })
}

impl quote::ToTokens for Text {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.value.to_tokens(tokens);
    }
}
