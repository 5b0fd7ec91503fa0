//! What can be seen of a Rust type without knowing its declaration.

use syn::{GenericArgument, PathArguments, Type};

use super::json::JsonType;

/// A type with its wrappers taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// What holds the values.
    pub outer: Outer,
    /// What the values are, inside `Option`, `Box`, `Vec` and `BTreeMap`.
    pub leaf: Leaf,
}

/// What holds the values of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outer {
    /// Nothing: the field is one value.
    One,
    /// A `Vec`.
    List,
    /// A `BTreeMap`.
    Map,
}

/// A type that is no wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// `String`.
    String,
    /// `i32` or `i64`.
    Integer,
    /// `f64`.
    Float,
    /// `bool`.
    Boolean,
    /// A value that is compared by what its text means: `Quantity`, `Interval`, `Duration`.
    Measure,
    /// `Time` and `MicroTime`.
    Time,
    /// `IntOrString`.
    IntOrString,
    /// A number that Kubernetes does not have: unsigned, short or single precision.
    Foreign,
    /// Anything else: a declared struct or enum, an alias, any JSON.
    Unknown,
}

impl Shape {
    /// Looks through the wrappers of a type.
    pub fn of(ty: &Type) -> Self {
        let mut shape = Self { outer: Outer::One, leaf: Leaf::Unknown };
        let mut ty = ty;
        while let Some((name, args)) = last_segment(ty) {
            let (outer, index) = match name.as_str() {
                "Option" | "Box" => (Outer::One, 0),
                "Vec" => (Outer::List, 0),
                "BTreeMap" => (Outer::Map, 1),
                name => {
                    shape.leaf = Leaf::of(name);
                    break;
                }
            };
            if shape.outer == Outer::One {
                shape.outer = outer;
            }
            match args.into_iter().nth(index) {
                Some(inner) => ty = inner,
                None => break,
            }
        }
        shape
    }

    /// Returns the JSON types that a value of this shape can have; empty when nothing is known.
    pub fn json_types(self) -> &'static [JsonType] {
        match (self.outer, self.leaf) {
            (Outer::List, _) => &[JsonType::Array],
            (Outer::Map, _) => &[JsonType::Object],
            (Outer::One, Leaf::String | Leaf::Time | Leaf::Measure) => &[JsonType::String],
            (Outer::One, Leaf::Integer) => &[JsonType::Integer],
            (Outer::One, Leaf::Float) => &[JsonType::Number, JsonType::Integer],
            (Outer::One, Leaf::Boolean) => &[JsonType::Boolean],
            (Outer::One, Leaf::IntOrString) => &[JsonType::Integer, JsonType::String],
            (Outer::One, Leaf::Foreign | Leaf::Unknown) => &[],
        }
    }
}

impl Leaf {
    fn of(name: &str) -> Self {
        match name {
            "String" => Self::String,
            "i32" | "i64" => Self::Integer,
            "f64" => Self::Float,
            "bool" => Self::Boolean,
            "Quantity" | "Interval" | "Duration" => Self::Measure,
            "Time" | "MicroTime" => Self::Time,
            "IntOrString" => Self::IntOrString,
            "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i128" | "isize" | "f32" => Self::Foreign,
            _ => Self::Unknown,
        }
    }
}

/// Returns the last segment of a path type and its type arguments.
fn last_segment(ty: &Type) -> Option<(String, Vec<&Type>)> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last()?;
    let args = match &segment.arguments {
        PathArguments::AngleBracketed(args) => args
            .args
            .iter()
            .filter_map(|arg| match arg {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    Some((segment.ident.to_string(), args))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_are_seen_through() {
        let check = |ty: Type, outer: Outer, leaf: Leaf| assert_eq!(Shape::of(&ty), Shape { outer, leaf });
        check(syn::parse_quote!(String), Outer::One, Leaf::String);
        check(syn::parse_quote!(Option<Box<i32>>), Outer::One, Leaf::Integer);
        check(syn::parse_quote!(Option<Vec<std::string::String>>), Outer::List, Leaf::String);
        check(syn::parse_quote!(BTreeMap<String, Vec<bool>>), Outer::Map, Leaf::Boolean);
        check(syn::parse_quote!(Vec<PodSpec>), Outer::List, Leaf::Unknown);
        check(syn::parse_quote!((i32, i32)), Outer::One, Leaf::Unknown);
    }
}
