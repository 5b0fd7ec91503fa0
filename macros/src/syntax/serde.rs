//! The part of serde's attributes that decides the JSON names.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::{Attribute, LitStr};

use super::{Errors, Items};

/// How serde turns a Rust name into a JSON name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameRule {
    /// As it stands.
    None,
    /// `likethis`.
    Lower,
    /// `LIKETHIS`.
    Upper,
    /// `LikeThis`.
    Pascal,
    /// `likeThis`.
    Camel,
    /// `like_this`.
    Snake,
    /// `LIKE_THIS`.
    ScreamingSnake,
    /// `like-this`.
    Kebab,
    /// `LIKE-THIS`.
    ScreamingKebab,
}

impl RenameRule {
    /// Reads `#[serde(rename_all = "…")]` and reports what no declared object may have.
    pub fn of_container(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut items = silent(attrs);
        for (name, hint) in [
            ("transparent", "implement `Schema` for a wrapper by hand: `const TYPE: Type = <Inner as Schema>::TYPE;`"),
            ("untagged", "implement `Schema` by hand and say there what the values look like"),
            ("tag", "Kubernetes has no tagged unions: use a struct with one optional field for each case"),
        ] {
            if let Some(item) = items.take(name) {
                errors.push(item.name.span(), format!("`{name}` hides the JSON from the schema; {hint}"));
            }
        }
        let Some(item) = items.take("rename_all") else {
            return Self::None;
        };
        let Some(rule) = single_name(&item, errors) else {
            return Self::None;
        };
        match rule.value().as_str() {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::ScreamingKebab,
            _ => Self::None, // serde reports an unknown rule
        }
    }

    /// Returns the JSON name of a field.
    pub fn field(self, ident: &Ident) -> String {
        let snake = ident.unraw().to_string();
        match self {
            Self::None | Self::Snake | Self::Lower => snake,
            Self::Upper | Self::ScreamingSnake => snake.to_ascii_uppercase(),
            Self::Kebab => snake.replace('_', "-"),
            Self::ScreamingKebab => snake.to_ascii_uppercase().replace('_', "-"),
            Self::Pascal => pascal(&snake),
            Self::Camel => lower_first(&pascal(&snake)),
        }
    }

    /// Returns the JSON text of an enum's variant.
    pub fn variant(self, ident: &Ident) -> String {
        let name = ident.unraw().to_string();
        match self {
            Self::None | Self::Pascal => name,
            Self::Lower => name.to_ascii_lowercase(),
            Self::Upper => name.to_ascii_uppercase(),
            Self::Camel => lower_first(&name),
            Self::Snake => snake(&name),
            Self::ScreamingSnake => snake(&name).to_ascii_uppercase(),
            Self::Kebab => snake(&name).replace('_', "-"),
            Self::ScreamingKebab => snake(&name).to_ascii_uppercase().replace('_', "-"),
        }
    }
}

/// What serde is told about one field or variant.
#[derive(Default)]
pub struct SerdeName {
    /// The name given by `rename`.
    pub rename: Option<LitStr>,
    /// Whether the field is no part of the JSON.
    pub skip: bool,
}

impl SerdeName {
    /// Reads `#[serde(rename = "…", skip)]` and reports what no declared field may have.
    pub fn of(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut items = silent(attrs);
        for (name, hint) in [
            ("flatten", "give the fields a struct of their own and a name, as Kubernetes does"),
            ("alias", "one field has one JSON name"),
        ] {
            if let Some(item) = items.take(name) {
                errors.push(item.name.span(), format!("`{name}` hides JSON fields from the schema; {hint}"));
            }
        }
        Self {
            rename: items.take("rename").and_then(|item| single_name(&item, errors)),
            skip: items.take("skip").is_some(),
        }
    }
}

fn single_name(item: &super::Item, errors: &mut Errors) -> Option<LitStr> {
    let example = format!("{} = \"…\"", item.name);
    item.parsed("one name for both directions", &example, errors)
}

/// Reads serde's attributes; serde itself reports what is wrong with them.
fn silent(attrs: &[Attribute]) -> Items {
    Items::of_attributes(attrs, "serde", &mut Errors::default())
}

fn pascal(snake: &str) -> String {
    snake.split('_').map(upper_first).collect()
}
fn upper_first(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}
fn lower_first(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}
fn snake(pascal: &str) -> String {
    let mut out = String::new();
    for (index, c) in pascal.chars().enumerate() {
        if index > 0 && c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn names_follow_serde() {
        let ident: Ident = parse_quote!(pod_cidr_list);
        for (rule, expected) in [
            (RenameRule::None, "pod_cidr_list"),
            (RenameRule::Camel, "podCidrList"),
            (RenameRule::Pascal, "PodCidrList"),
            (RenameRule::Kebab, "pod-cidr-list"),
            (RenameRule::ScreamingSnake, "POD_CIDR_LIST"),
        ] {
            assert_eq!(rule.field(&ident), expected, "{rule:?}");
        }
        assert_eq!(RenameRule::Camel.field(&parse_quote!(r#type)), "type");
        let variant: Ident = parse_quote!(IfNotPresent);
        for (rule, expected) in [
            (RenameRule::None, "IfNotPresent"),
            (RenameRule::Camel, "ifNotPresent"),
            (RenameRule::Snake, "if_not_present"),
            (RenameRule::Lower, "ifnotpresent"),
            (RenameRule::ScreamingKebab, "IF-NOT-PRESENT"),
        ] {
            assert_eq!(rule.variant(&variant), expected, "{rule:?}");
        }
    }
}
