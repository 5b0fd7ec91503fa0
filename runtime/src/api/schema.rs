//! What a declaration says about a type, as constants that the derive macros emit.
//!
//! Everything generic (defaulting, validation, server-side apply, `explain`, OpenAPI, plan masks) walks these
//! values over plain JSON; nothing here knows a concrete kind.

/// A type that can stand in a declared object.
///
/// Implemented by `#[derive(Schema)]` for structs and unit enums, and here for the building blocks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no schema",
    label = "cannot stand in a declared object",
    note = "derive `Schema` for a struct or an enum of words; implement it by hand for a wrapper"
)]
pub trait Schema {
    /// What values of this type look like in JSON.
    const TYPE: Type;
}

/// The shape of one JSON value.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// A JSON string.
    String,
    /// A string out of a fixed set.
    Enum(&'static [&'static str]),
    /// A 32-bit signed integer.
    Int32,
    /// A 64-bit signed integer.
    Int64,
    /// A floating-point number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An integer, or a string such as a percentage or a port name.
    IntOrString,
    /// A resource quantity (`500m`, `1Gi`), compared by value.
    Quantity,
    /// An RFC 3339 time with whole seconds.
    Time,
    /// An RFC 3339 time with microseconds.
    MicroTime,
    /// A Go-style duration string (`5m`, `1h30m`).
    Duration,
    /// Base64 text that stands for bytes.
    Bytes,
    /// Any JSON value; unknown fields are kept.
    Any,
    /// An object with declared fields. A function, because types may be recursive.
    Struct(fn() -> &'static Struct),
    /// A list.
    List(&'static Type),
    /// An object with free keys.
    Map(&'static Type),
}

/// The declaration of an object with named fields.
#[derive(Debug)]
pub struct Struct {
    /// The Rust type's name, as `explain` and OpenAPI show it.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// The fields in declaration order.
    pub fields: &'static [Field],
    /// Whether server-side apply owns the object as a whole (`structType=atomic`).
    pub atomic: bool,
}

impl Struct {
    /// Returns the field with this JSON name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// The declaration of one field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The JSON name.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// The type of the value.
    pub ty: Type,
    /// Whether a value must be given (an absent or `null` one is `Required value`; an empty string, too).
    pub required: bool,
    /// The default as JSON text, set where the field is absent or `null` and its parent exists.
    pub default: Option<&'static str>,
    /// Limits on the value.
    pub rules: Rules,
    /// How a list merges; [`ListKind::Atomic`] for anything that is no list.
    pub list: ListKind,
    /// Whether a map or struct is owned as a whole by server-side apply (`mapType=atomic`).
    pub atomic: bool,
    /// Whether the value may not change once set.
    pub immutable: bool,
    /// Why the field is stored but has no effect; using it gives this as a warning.
    pub not_enforced: Option<&'static str>,
    /// Whether the value is secret: masked in plans, diffs, logs and errors.
    pub sensitive: bool,
}

impl Field {
    /// A field with nothing but a name, a description and a type; the macros set the rest by struct update.
    pub const fn new(name: &'static str, doc: &'static str, ty: Type) -> Self {
        Self {
            name,
            doc,
            ty,
            required: false,
            default: None,
            rules: Rules::NONE,
            list: ListKind::Atomic,
            atomic: false,
            immutable: false,
            not_enforced: None,
            sensitive: false,
        }
    }
}

/// Limits on a field's value; those that do not apply to its type are left at their default.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The smallest number, or the shortest duration written as text in [`Rules::min_text`].
    pub min: Option<i64>,
    /// The largest number.
    pub max: Option<i64>,
    /// The shortest duration or smallest quantity, as text.
    pub min_text: Option<&'static str>,
    /// The most bytes a string may have.
    pub max_len: Option<usize>,
    /// The fewest items a list may have.
    pub min_items: Option<usize>,
    /// The only values a string may take; empty means any.
    pub one_of: &'static [&'static str],
    /// The named format a string must have.
    pub format: Format,
}

impl Rules {
    /// No limit at all.
    pub const NONE: Self =
        Self { min: None, max: None, min_text: None, max_len: None, min_items: None, one_of: &[], format: Format::Any };
}

/// A named string format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Any text.
    Any,
    /// An RFC 1123 label, at most 63 characters.
    DnsLabel,
    /// An RFC 1123 subdomain, at most 253 characters.
    DnsSubdomain,
    /// A label or annotation key: optional DNS prefix, a slash, a name.
    QualifiedName,
    /// A label value, at most 63 characters.
    LabelValue,
    /// A key of a ConfigMap or Secret.
    ConfigKey,
    /// An environment variable's name (any printable ASCII but `=`).
    EnvName,
    /// A port's name: IANA service name, at most 15 characters.
    PortName,
    /// An absolute path.
    AbsolutePath,
}

/// How a list behaves under server-side apply and strategic merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// Replaced as a whole.
    Atomic,
    /// A set of scalars.
    Set,
    /// Items told apart by these fields; the strategic merge key stands first unless `patch_key` differs.
    Map {
        /// The fields that identify an item under server-side apply.
        keys: &'static [&'static str],
        /// The field that identifies an item in a strategic merge patch.
        patch_key: &'static str,
    },
}

macro_rules! scalar {
    ($($rust:ty => $ty:ident),* $(,)?) => { $(impl Schema for $rust { const TYPE: Type = Type::$ty; })* };
}
scalar!(String => String, i32 => Int32, i64 => Int64, f64 => Number, bool => Boolean, serde_json::Value => Any);

impl<T: Schema> Schema for Option<T> {
    const TYPE: Type = T::TYPE;
}
impl<T: Schema> Schema for Box<T> {
    const TYPE: Type = T::TYPE;
}
impl<T: Schema> Schema for Vec<T> {
    const TYPE: Type = Type::List(&T::TYPE);
}
impl<T: Schema> Schema for std::collections::BTreeMap<String, T> {
    const TYPE: Type = Type::Map(&T::TYPE);
}
