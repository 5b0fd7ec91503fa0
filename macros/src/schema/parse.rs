//! Reads a struct or enum and its `#[object(…)]` attributes into a [`Declaration`].

use proc_macro2::{Ident, Span};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Fields, LitStr};

use crate::syntax::json::{self, JsonType};
use crate::syntax::rust_type::Shape;
use crate::syntax::serde::{RenameRule, SerdeName};
use crate::syntax::suggest::suggestion;
use crate::syntax::{Errors, Item, Items, Number, doc};

/// The attributes of a struct.
pub const STRUCT_ATTRIBUTES: &[&str] = &["atomic"];

/// The attributes of a field.
pub const FIELD_ATTRIBUTES: &[&str] = &[
    "required",
    "default",
    "default_json",
    "min",
    "max",
    "max_len",
    "min_items",
    "one_of",
    "format",
    "immutable",
    "list_map",
    "list_set",
    "patch_key",
    "atomic",
    "not_enforced",
    "sensitive",
];

/// The names of formats, with the constants they stand for.
pub const FORMATS: &[(&str, &str)] = &[
    ("dns-label", "DnsLabel"),
    ("dns-subdomain", "DnsSubdomain"),
    ("qualified-name", "QualifiedName"),
    ("label-value", "LabelValue"),
    ("config-key", "ConfigKey"),
    ("env-name", "EnvName"),
    ("port-name", "PortName"),
    ("absolute-path", "AbsolutePath"),
];

/// A struct or enum as far as its schema is concerned.
pub struct Declaration {
    /// The Rust type.
    pub ident: Ident,
    /// Its generics; not supported, kept so that what is emitted after the error compiles.
    pub generics: syn::Generics,
    /// The doc comment.
    pub doc: String,
    /// Where `atomic` stands.
    pub atomic: Option<Span>,
    /// What it consists of.
    pub body: Body,
}

/// What a declaration consists of.
pub enum Body {
    /// Named fields.
    Struct(Vec<Field>),
    /// The JSON texts of an enum's variants.
    Enum(Vec<Name>),
    /// Something that has no schema; reported.
    Unsupported,
}

/// A JSON name, and where it comes from.
pub struct Name {
    /// The JSON name.
    pub json: String,
    /// The Rust name.
    pub ident: Ident,
    /// Where the JSON name is written.
    pub span: Span,
}

/// One field.
pub struct Field {
    /// Its names.
    pub name: Name,
    /// The doc comment.
    pub doc: String,
    /// The Rust type.
    pub ty: syn::Type,
    /// What can be seen of the type.
    pub shape: Shape,
    /// Where `required` stands.
    pub required: Option<Span>,
    /// The default.
    pub default: Option<Default>,
    /// The smallest number.
    pub min: Option<Number>,
    /// The largest number.
    pub max: Option<Number>,
    /// The smallest quantity or shortest duration.
    pub min_text: Option<LitStr>,
    /// The most bytes.
    pub max_len: Option<Number>,
    /// The fewest items.
    pub min_items: Option<Number>,
    /// The allowed values.
    pub one_of: Vec<LitStr>,
    /// The format: the constant's name, and where it stands.
    pub format: Option<(Ident, Span)>,
    /// The keys of a list map.
    pub list_map: Vec<LitStr>,
    /// Where `list_set` stands.
    pub list_set: Option<Span>,
    /// The key of a strategic merge.
    pub patch_key: Option<LitStr>,
    /// Where `atomic` stands.
    pub atomic: Option<Span>,
    /// Whether the value may not change.
    pub immutable: bool,
    /// Why the field has no effect.
    pub not_enforced: Option<LitStr>,
    /// Whether the value is secret.
    pub sensitive: bool,
}

/// A field's default.
pub struct Default {
    /// As JSON text.
    pub json: String,
    /// The type of that.
    pub json_type: JsonType,
    /// The text itself, if it is a string.
    pub text: Option<String>,
    /// Where it stands.
    pub span: Span,
}

impl Declaration {
    /// Reads a whole declaration, with the attributes that `#[derive(Schema)]` knows.
    pub fn read(input: &DeriveInput, errors: &mut Errors) -> Self {
        let explain = |name: &str| {
            crate::object::parse::KIND_ATTRIBUTES
                .contains(&name)
                .then(|| "it declares a kind; derive `Object` instead of `Schema`".to_owned())
                .or_else(|| of_a_field(name))
        };
        let mut items =
            Items::of_attributes(&input.attrs, "object", errors).check(STRUCT_ATTRIBUTES, &[], explain, errors);
        let atomic = items.flag("atomic", errors);
        Self::read_body(input, atomic, errors)
    }

    /// Reads everything but the struct's own `#[object(…)]` attributes.
    pub fn read_body(input: &DeriveInput, atomic: Option<Span>, errors: &mut Errors) -> Self {
        let rule = RenameRule::of_container(&input.attrs, errors);
        if !input.generics.params.is_empty() {
            errors.push(input.generics.span(), "a declared type has no parameters; write one struct for each case");
        }
        let body = match &input.data {
            Data::Struct(data) => match &data.fields {
                Fields::Named(fields) => {
                    Body::Struct(fields.named.iter().filter_map(|field| Field::read(field, rule, errors)).collect())
                }
                Fields::Unit => Body::Struct(Vec::new()),
                Fields::Unnamed(fields) => {
                    let hint = "a declared struct has named fields; implement `Schema` for a wrapper by hand: \
                                `const TYPE: Type = <Inner as Schema>::TYPE;`";
                    errors.push(fields.span(), hint);
                    Body::Unsupported
                }
            },
            Data::Enum(data) => {
                if let Some(span) = atomic {
                    errors.push(span, "`atomic` is for structs: an enum is one value");
                }
                Body::Enum(data.variants.iter().filter_map(|variant| read_variant(variant, rule, errors)).collect())
            }
            Data::Union(data) => {
                errors.push(data.union_token.span, "a union has no JSON; use a struct with optional fields");
                Body::Unsupported
            }
        };
        Self {
            ident: input.ident.clone(),
            generics: input.generics.clone(),
            doc: doc::text(&input.attrs),
            atomic,
            body,
        }
    }

    /// Returns the fields; none for an enum.
    pub fn fields(&self) -> &[Field] {
        match &self.body {
            Body::Struct(fields) => fields,
            _ => &[],
        }
    }
}

/// Explains an attribute of a field that stands on a struct.
pub fn of_a_field(name: &str) -> Option<String> {
    FIELD_ATTRIBUTES.contains(&name).then(|| "it belongs on a field".to_owned())
}

impl Name {
    fn read(attrs: &[Attribute], ident: &Ident, ruled: String, errors: &mut Errors) -> Option<Self> {
        let serde = SerdeName::of(attrs, errors);
        if serde.skip {
            return None;
        }
        let span = serde.rename.as_ref().map_or(ident.span(), LitStr::span);
        Some(Self { json: serde.rename.map_or(ruled, |name| name.value()), ident: ident.clone(), span })
    }
}

fn read_variant(variant: &syn::Variant, rule: RenameRule, errors: &mut Errors) -> Option<Name> {
    if !matches!(variant.fields, Fields::Unit) {
        errors.push(
            variant.fields.span(),
            format!("`{}` carries a value; a declared enum is one word out of several: use a struct with one optional field for each case", variant.ident),
        );
    }
    for attr in variant.attrs.iter().filter(|attr| attr.path().is_ident("object")) {
        errors.absorb(syn::Error::new_spanned(
            attr,
            "a variant takes no `#[object(…)]`; rename it with `#[serde(rename = \"…\")]`",
        ));
    }
    Name::read(&variant.attrs, &variant.ident, rule.variant(&variant.ident), errors)
}

impl Field {
    fn read(field: &syn::Field, rule: RenameRule, errors: &mut Errors) -> Option<Self> {
        let ident = field.ident.as_ref().expect("invariant: a named field has a name");
        let name = Name::read(&field.attrs, ident, rule.field(ident), errors)?;
        let explain = |name: &str| match name {
            "pattern" => Some("use `format`, or the kind's `validate` function".to_owned()),
            "min_len" => Some("use `required`: an empty string is no value".to_owned()),
            name => {
                crate::object::parse::KIND_ATTRIBUTES.contains(&name).then(|| "it belongs on the struct".to_owned())
            }
        };
        let mut items =
            Items::of_attributes(&field.attrs, "object", errors).check(FIELD_ATTRIBUTES, &[], explain, errors);
        let (min, min_text) = read_min(&mut items, errors);
        Some(Self {
            name,
            doc: doc::text(&field.attrs),
            ty: field.ty.clone(),
            shape: Shape::of(&field.ty),
            required: items.flag("required", errors),
            default: Default::read(&mut items, errors),
            min,
            max: items.number("max", "max = 65535", errors),
            min_text,
            max_len: items.number("max_len", "max_len = 63", errors),
            min_items: items.number("min_items", "min_items = 1", errors),
            one_of: items.strings("one_of", "one_of = [\"Always\", \"Never\"]", errors).unwrap_or_default(),
            format: read_format(&mut items, errors),
            list_map: items.strings("list_map", "list_map = \"name\"", errors).unwrap_or_default(),
            list_set: items.flag("list_set", errors),
            patch_key: items.string("patch_key", "patch_key = \"containerPort\"", errors),
            atomic: items.flag("atomic", errors),
            immutable: items.flag("immutable", errors).is_some(),
            not_enforced: items.string("not_enforced", "not_enforced = \"bowline has no such scheduler\"", errors),
            sensitive: items.flag("sensitive", errors).is_some(),
        })
    }
}

/// Reads `min = 1` or `min = "10s"`.
fn read_min(items: &mut Items, errors: &mut Errors) -> (Option<Number>, Option<LitStr>) {
    let example = "min = 1` or `min = \"10s\"";
    match items.take("min") {
        Some(item) if item.is_string() => (None, item.parsed("a number or a string", example, errors)),
        Some(item) => (item.number(example, errors), None),
        None => (None, None),
    }
}

fn read_format(items: &mut Items, errors: &mut Errors) -> Option<(Ident, Span)> {
    let text = items.string("format", "format = \"dns-label\"", errors)?;
    let wanted = text.value();
    match FORMATS.iter().find(|(name, _)| *name == wanted) {
        Some((_, constant)) => Some((Ident::new(constant, Span::call_site()), text.span())),
        None => {
            let names: Vec<&str> = FORMATS.iter().map(|(name, _)| *name).collect();
            errors.push(text.span(), format!("unknown format `{wanted}`{}", suggestion(&wanted, &names)));
            None
        }
    }
}

impl Default {
    fn read(items: &mut Items, errors: &mut Errors) -> Option<Self> {
        let (literal, json) = (items.take("default"), items.take("default_json"));
        if let (Some(_), Some(json)) = (&literal, &json) {
            errors.push(json.name.span(), "`default` and `default_json` are two ways to say one thing; keep one");
        }
        match (literal, json) {
            (Some(item), _) => Self::of_literal(&item, errors),
            (None, Some(item)) => Self::of_json(&item, errors),
            (None, None) => None,
        }
    }

    fn of_literal(item: &Item, errors: &mut Errors) -> Option<Self> {
        let example = "default = \"Always\"`, `default = 1` or `default = true";
        let literal: syn::Lit =
            item.parsed("a string, number or boolean (anything else: `default_json`)", example, errors)?;
        let span = literal.span();
        let (json, json_type, text) = match &literal {
            syn::Lit::Str(text) => (json::quoted(&text.value()), JsonType::String, Some(text.value())),
            syn::Lit::Int(number) => (number.base10_digits().to_owned(), JsonType::Integer, None),
            syn::Lit::Float(number) => (number.base10_digits().to_owned(), JsonType::Number, None),
            syn::Lit::Bool(value) => (value.value.to_string(), JsonType::Boolean, None),
            _ => {
                errors.push(span, format!("`default` wants a string, number or boolean: `{example}`"));
                return None;
            }
        };
        Some(Self { json, json_type, text, span })
    }

    fn of_json(item: &Item, errors: &mut Errors) -> Option<Self> {
        let text: LitStr = item.parsed("JSON in a string", "default_json = \"{}\"", errors)?;
        match json::check(&text.value()) {
            Ok(json_type) => Some(Self { json: text.value(), json_type, text: None, span: text.span() }),
            Err(reason) => {
                errors.push(text.span(), format!("`default_json` is not JSON: {reason}"));
                None
            }
        }
    }
}
