//! Reads a kind's struct and its `#[object(…)]` attributes into a [`Declaration`].

use proc_macro2::{Ident, Span, TokenStream};
use syn::{DeriveInput, LitStr, Path, Type, Visibility};

use crate::schema;
use crate::syntax::suggest::suggestion;
use crate::syntax::{Errors, Items, Wanted};

/// The attributes of a kind.
pub const KIND_ATTRIBUTES: &[&str] = &[
    "whole",
    "group",
    "version",
    "kind",
    "plural",
    "singular",
    "short",
    "categories",
    "scope",
    "status",
    "scale",
    "column",
    "default",
    "validate",
    "validate_update",
    "atomic",
];

/// The attributes of a `column(…)`.
const COLUMN_ATTRIBUTES: &[&str] = &["name", "type", "path", "render", "wide"];

/// The attributes of `scale(…)`.
const SCALE_ATTRIBUTES: &[&str] = &["spec", "status", "selector"];

/// A kind as declared.
pub struct Declaration {
    /// The struct that carries the attributes.
    pub body: schema::parse::Declaration,
    /// Its visibility, which the kind's type gets, too.
    pub vis: Visibility,
    /// Where `whole` stands.
    pub whole: Option<Span>,
    /// The API group; empty for the core group.
    pub group: Text,
    /// The API version.
    pub version: Text,
    /// The kind, which is also the name of the type.
    pub kind: Ident,
    /// Whether the kind is written in the attribute.
    pub kind_given: bool,
    /// The plural.
    pub plural: Text,
    /// The singular.
    pub singular: Text,
    /// The short names.
    pub short: Vec<Text>,
    /// The categories.
    pub categories: Vec<Text>,
    /// The constant's name.
    pub scope: Ident,
    /// The type of `status`.
    pub status: Option<Type>,
    /// The `scale` subresource.
    pub scale: Option<Scale>,
    /// The printer columns.
    pub columns: Vec<Column>,
    /// The function that sets further defaults.
    pub default: Option<Path>,
    /// The function that checks an object.
    pub validate: Option<Path>,
    /// The function that checks a change.
    pub validate_update: Option<Path>,
}

/// A text and where it stands, or where it was derived from.
pub struct Text {
    /// The text.
    pub value: String,
    /// Where it stands.
    pub span: Span,
}

/// The pointers of the `scale` subresource.
pub struct Scale {
    /// To the wanted count.
    pub spec: Text,
    /// To the observed count.
    pub status: Text,
    /// To the label selector.
    pub selector: Text,
}

/// One printer column.
pub struct Column {
    /// The heading.
    pub name: Text,
    /// The OpenAPI type.
    pub ty: Text,
    /// Where the cell comes from.
    pub source: Source,
    /// Whether it shows only with `-o wide`.
    pub wide: bool,
}

/// Where a cell comes from.
pub enum Source {
    /// A JSON pointer.
    Pointer(Text),
    /// A function.
    Render(Path),
}

impl From<LitStr> for Text {
    fn from(text: LitStr) -> Self {
        Self { value: text.value(), span: text.span() }
    }
}

impl Text {
    fn new(value: impl Into<String>, span: Span) -> Self {
        Self { value: value.into(), span }
    }
}

impl Declaration {
    /// Reads a whole declaration.
    pub fn read(input: &DeriveInput, errors: &mut Errors) -> Self {
        let explain = |name: &str| match name {
            "namespaced" => Some("write `scope = Namespaced`".to_owned()),
            "shortname" | "short_name" | "shortnames" | "short_names" => Some("write `short(\"…\")`".to_owned()),
            "printcolumn" | "columns" => {
                Some("write `column(name = \"…\", path = \"/…\")`, once for each column".to_owned())
            }
            name => schema::parse::of_a_field(name),
        };
        let mut items =
            Items::of_attributes(&input.attrs, "object", errors).check(KIND_ATTRIBUTES, &["column"], explain, errors);
        let atomic = items.flag("atomic", errors);
        let body = schema::parse::Declaration::read_body(input, atomic, errors);
        let whole = items.flag("whole", errors);
        let (kind, kind_given) = read_kind(&mut items, &input.ident, whole.is_some(), errors);
        let here = kind.span();
        let singular = items.string("singular", "singular = \"gitrepository\"", errors).map(Text::from);
        let singular = singular.unwrap_or_else(|| Text::new(kind.to_string().to_ascii_lowercase(), here));
        let plural = items.string("plural", "plural = \"gitrepositories\"", errors).map(Text::from);
        Self {
            whole,
            group: read_text(&mut items, "group", "group = \"apps\"", here, errors),
            version: read_version(&mut items, input.ident.span(), errors),
            plural: plural.unwrap_or_else(|| Text::new(plural_of(&singular.value), here)),
            singular,
            short: read_texts(&mut items, "short", "short(\"po\")", errors),
            categories: read_texts(&mut items, "categories", "categories(\"all\")", errors),
            scope: read_scope(&mut items, errors),
            status: items.parsed("status", "a type", "status = GitRepositoryStatus", errors),
            scale: read_scale(&mut items, errors),
            columns: items.take_all("column").iter().filter_map(|item| read_column(item, errors)).collect(),
            default: items.parsed("default", "a function", "default = set_defaults", errors),
            validate: items.parsed("validate", "a function", "validate = check", errors),
            validate_update: items.parsed("validate_update", "a function", "validate_update = check_change", errors),
            kind,
            kind_given,
            body,
            vis: input.vis.clone(),
        }
    }
}

/// Returns the kind, and whether it was given: the struct's name without `Spec` if not.
fn read_kind(items: &mut Items, ident: &Ident, whole: bool, errors: &mut Errors) -> (Ident, bool) {
    let name = ident.to_string();
    if let Some(text) = items.string("kind", "kind = \"GitRepository\"", errors) {
        match syn::parse_str::<Ident>(&text.value()) {
            Ok(kind) => return (Ident::new(&kind.to_string(), text.span()), true),
            Err(_) => errors.push(text.span(), format!("the kind `{}` is no name of a type", text.value())),
        }
    }
    let kind = match name.strip_suffix("Spec") {
        _ if whole => name.clone(),
        Some(kind) if !kind.is_empty() => kind.to_owned(),
        _ => {
            let hint = "call the struct `…Spec` (the kind's type is made from it), or add `whole` if it has a field `metadata`";
            errors.push(ident.span(), format!("`{name}` cannot be the specification and the kind at once; {hint}"));
            format!("{name}Object")
        }
    };
    (Ident::new(&kind, ident.span()), false)
}

fn read_text(items: &mut Items, name: &str, example: &str, here: Span, errors: &mut Errors) -> Text {
    items.string(name, example, errors).map_or_else(|| Text::new("", here), Text::from)
}

fn read_texts(items: &mut Items, name: &str, example: &str, errors: &mut Errors) -> Vec<Text> {
    items.strings(name, example, errors).unwrap_or_default().into_iter().map(Text::from).collect()
}

fn read_version(items: &mut Items, here: Span, errors: &mut Errors) -> Text {
    let wanted = Wanted { name: "version", what: "a string", example: "version = \"v1\"" };
    let missing = "the kind has no version; add `#[object(version = \"v1alpha1\")]`";
    items.wanted::<LitStr>(wanted, here, missing, errors).map_or_else(|| Text::new("v1", here), Text::from)
}

fn read_scope(items: &mut Items, errors: &mut Errors) -> Ident {
    let fallback = Ident::new("Namespaced", Span::call_site());
    let example = "scope = Namespaced` or `scope = Cluster";
    let Some(scope) = items.parsed::<Ident>("scope", "`Namespaced` or `Cluster`", example, errors) else {
        return fallback;
    };
    let known = ["Namespaced", "Cluster"];
    if known.iter().any(|name| scope == name) {
        return Ident::new(&scope.to_string(), Span::call_site());
    }
    errors.push(scope.span(), format!("unknown scope `{scope}`{}", suggestion(&scope.to_string(), &known)));
    fallback
}

fn read_scale(items: &mut Items, errors: &mut Errors) -> Option<Scale> {
    let example =
        "scale(spec = \"/spec/replicas\", status = \"/status/replicas\", selector = \"/status/labelSelector\")";
    let item = items.take("scale")?;
    let mut inner = list(item.listed(example, errors)?, SCALE_ATTRIBUTES, errors);
    let mut pointer = |name: &str| {
        let missing = format!("`scale` wants all three pointers, and `{name}` is missing: `{example}`");
        let wanted = Wanted { name, what: "a JSON pointer", example };
        inner.wanted::<LitStr>(wanted, item.name.span(), &missing, errors).map(Text::from)
    };
    let (spec, status, selector) = (pointer("spec"), pointer("status"), pointer("selector"));
    Some(Scale { spec: spec?, status: status?, selector: selector? })
}

fn read_column(item: &crate::syntax::Item, errors: &mut Errors) -> Option<Column> {
    let here = item.name.span();
    let mut inner =
        list(item.listed("column(name = \"Ready\", path = \"/status/ready\")", errors)?, COLUMN_ATTRIBUTES, errors);
    let wanted = Wanted { name: "name", what: "a string", example: "name = \"Ready\"" };
    let name = inner.wanted::<LitStr>(wanted, here, "the column has no heading; add `name = \"…\"`", errors);
    let ty = inner.string("type", "type = \"integer\"", errors).map_or_else(|| Text::new("string", here), Text::from);
    let wide = inner.flag("wide", errors).is_some();
    if !inner.has("path") && !inner.has("render") {
        errors.push(here, "the column shows nothing; add `path = \"/…\"` or `render = function`");
    }
    let path = inner.string("path", "path = \"/status/ready\"", errors);
    let render = inner.parsed("render", "a function", "render = ready_cell", errors);
    if path.is_some() && render.is_some() {
        errors.push(here, "a cell comes from one place; keep either `path` or `render`");
    }
    let source = path.map(|path| Source::Pointer(path.into())).or(render.map(Source::Render))?;
    Some(Column { name: name?.into(), ty, source, wide })
}

fn list(tokens: TokenStream, known: &[&str], errors: &mut Errors) -> Items {
    Items::of_tokens(tokens, errors).check(known, &[], |_| None, errors)
}

/// Returns the English plural, as API names form it.
pub fn plural_of(singular: &str) -> String {
    let vowel_before_y = singular.len() > 1 && ["ay", "ey", "iy", "oy", "uy"].iter().any(|end| singular.ends_with(end));
    match singular.strip_suffix('y') {
        Some(stem) if !vowel_before_y => format!("{stem}ies"),
        _ if ["s", "x", "z", "ch", "sh"].iter().any(|end| singular.ends_with(end)) => {
            format!("{singular}es")
        }
        _ => format!("{singular}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_english() {
        for (singular, plural) in [
            ("pod", "pods"),
            ("gitrepository", "gitrepositories"),
            ("gateway", "gateways"),
            ("ingress", "ingresses"),
            ("mailbox", "mailboxes"),
            ("patch", "patches"),
        ] {
            assert_eq!(plural_of(singular), plural);
        }
    }
}
