//! Sets of owned fields, and their wire form `fieldsV1`.
//!
//! A set is a trie of path elements. A node says whether the path that ends there is itself a member and holds
//! the members below it. Everything is ordered, so that equal sets always have the same wire form.
//!
//! Never looks at a schema: what is owned as a whole is decided by the walks that build a set.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

/// A scalar that identifies a list item. Whole numbers have one form, however they were written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scalar {
    /// A string.
    Text(Box<str>),
    /// Anything else, as JSON text.
    Json(Box<str>),
}

impl Scalar {
    /// Returns the identity of a value.
    pub fn of(value: &Value) -> Self {
        if let Value::String(text) = value {
            return Self::Text(text.as_str().into());
        }
        match value.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "the range is checked: a float below 2^53 is exact")]
            Some(number) if value.is_f64() && number.fract() == 0.0 && number.abs() < 9e15 => {
                Self::Json((number as i64).to_string().into())
            }
            _ => Self::Json(value.to_string().into()),
        }
    }
    /// Returns the identity of a value that is given as JSON text.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(|value| Self::of(&value))
    }
    /// Returns the value without quotes, as a person reads it.
    pub fn plain(&self) -> &str {
        match self {
            Self::Text(text) | Self::Json(text) => text,
        }
    }
}

/// Writes the value as JSON.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", Value::from(&**text)),
            Self::Json(text) => f.write_str(text),
        }
    }
}

/// One step of a path into an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// A field of a struct or a key of a map: `f:`.
    Field(Cow<'static, str>),
    /// An item of an associative list by its key fields, ordered by name: `k:`.
    Key(Vec<(Cow<'static, str>, Scalar)>),
    /// An item of a set by its value: `v:`.
    Value(Scalar),
    /// An item of a list by its place: `i:`.
    Index(u64),
}

impl Element {
    /// Returns the element for a field or map key.
    pub fn field(name: &str) -> Self {
        Self::Field(Cow::Owned(name.to_owned()))
    }

    /// Returns the wire form, for example `k:{"name":"web"}`.
    pub fn wire(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(pairs) => {
                let pairs: Vec<_> =
                    pairs.iter().map(|(name, value)| format!("{}:{value}", Value::from(&**name))).collect();
                format!("k:{{{}}}", pairs.join(","))
            }
            Self::Value(value) => format!("v:{value}"),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    /// Parses the wire form; `None` for a prefix that this version does not know, which readers skip.
    fn parse(text: &str) -> Result<Option<Self>, ParseFieldSetError> {
        let broken = |reason: &'static str| ParseFieldSetError::Element { element: text.to_owned(), reason };
        let (prefix, rest) = text.split_once(':').ok_or_else(|| broken("it has no `:`"))?;
        Ok(Some(match prefix {
            "f" => Self::field(rest),
            "v" => Self::Value(Scalar::from_json(rest).ok_or_else(|| broken("its value is no JSON"))?),
            "i" => Self::Index(rest.parse().map_err(|_| broken("its index is no whole number"))?),
            "k" => {
                let map: Map<String, Value> =
                    serde_json::from_str(rest).map_err(|_| broken("its key is no JSON object"))?;
                if map.is_empty() {
                    return Err(broken("its key has no fields"));
                }
                let mut pairs: Vec<_> =
                    map.into_iter().map(|(name, value)| (Cow::Owned(name), Scalar::of(&value))).collect();
                pairs.sort();
                Self::Key(pairs)
            }
            _ => return Ok(None),
        }))
    }
}

/// Writes the element as it stands in a path: `.name`, `[name="web",protocol="TCP"]`, `[="x"]`, `[0]`.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(pairs) => {
                f.write_str("[")?;
                for (place, (name, value)) in pairs.iter().enumerate() {
                    write!(f, "{}{name}={value}", if place == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// A text or value that is no `fieldsV1`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseFieldSetError {
    /// A node is not a JSON object.
    #[error("cannot read fields below `{path}`: an object is needed, got `{got}`")]
    NotAnObject {
        /// Where the node is.
        path: String,
        /// What stands there, as JSON.
        got: String,
    },
    /// A key of a node is no path element.
    #[error("cannot read path element `{element}`: {reason}")]
    Element {
        /// The key.
        element: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A set of paths into an object.
///
/// The nodes are ordered by element. Walks meet them mostly in that order, so that a list costs less than a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    nodes: Vec<(Element, Node)>,
}

/// What a set says about one path. A node that is neither owned nor has anything below does not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// Whether the path itself is a member.
    pub(super) owned: bool,
    /// The members below the path.
    pub(super) below: FieldSet,
}

impl FieldSet {
    /// Parses `fieldsV1`. Path elements of an unknown class are skipped.
    ///
    /// # Errors
    /// When a node is no object, or a key of a known class is malformed.
    pub fn parse(value: &Value) -> Result<Self, ParseFieldSetError> {
        Self::parse_below(value, "").map(|node| node.below)
    }

    fn parse_below(value: &Value, path: &str) -> Result<Node, ParseFieldSetError> {
        let Value::Object(map) = value else {
            return Err(ParseFieldSetError::NotAnObject { path: path.to_owned(), got: value.to_string() });
        };
        let mut node = Node { owned: map.is_empty(), below: Self::default() };
        for (key, value) in map {
            if key == "." {
                node.owned = true;
            } else if let Some(element) = Element::parse(key)? {
                let child = Self::parse_below(value, key)?;
                node.below.put(element, child.owned, child.below);
            }
        }
        Ok(node)
    }

    /// Returns the set as `fieldsV1`.
    pub fn to_value(&self) -> Value {
        let entries = self.nodes.iter().map(|(element, node)| {
            let mut below = node.below.to_value();
            if let Value::Object(map) = &mut below
                && node.owned
                && !map.is_empty()
            {
                map.insert(".".to_owned(), Value::Object(Map::new()));
            }
            (element.wire(), below)
        });
        Value::Object(entries.collect())
    }

    /// Whether the set has no member.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn place(&self, element: &Element) -> Result<usize, usize> {
        match self.nodes.last() {
            Some((last, _)) if last < element => Err(self.nodes.len()),
            _ => self.nodes.binary_search_by(|(other, _)| other.cmp(element)),
        }
    }

    /// Adds a path; the empty path is never a member.
    pub fn insert(&mut self, path: &[Element]) {
        if let Some((first, rest)) = path.split_first() {
            let place = self.place(first).unwrap_or_else(|place| {
                self.nodes.insert(place, (first.clone(), Node::default()));
                place
            });
            let node = &mut self.nodes[place].1;
            if rest.is_empty() {
                node.owned = true;
            } else {
                node.below.insert(rest);
            }
        }
    }

    /// Whether the path itself is a member.
    pub fn contains(&self, path: &[Element]) -> bool {
        match path {
            [] => false,
            [last] => self.node(last).is_some_and(|node| node.owned),
            [first, rest @ ..] => self.node(first).is_some_and(|node| node.below.contains(rest)),
        }
    }

    /// Returns the members of either set.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        self.extend(other);
        self
    }

    /// Adds the members of the other set.
    pub fn extend(&mut self, other: &Self) {
        for (element, node) in &other.nodes {
            match self.place(element) {
                Ok(place) => {
                    self.nodes[place].1.owned |= node.owned;
                    self.nodes[place].1.below.extend(&node.below);
                }
                Err(place) => self.nodes.insert(place, (element.clone(), node.clone())),
            }
        }
    }

    /// Returns the members of this set that the other lacks. Members below a removed one stay.
    #[must_use]
    pub fn difference(mut self, other: &Self) -> Self {
        self.remove(other);
        self
    }

    /// Removes the members of the other set; returns whether there were any.
    pub fn remove(&mut self, other: &Self) -> bool {
        let mut changed = false;
        if !other.is_empty() {
            self.nodes.retain_mut(|(element, mine)| {
                if let Some(node) = other.node(element) {
                    changed |= mine.owned && node.owned;
                    mine.owned &= !node.owned;
                    changed |= mine.below.remove(&node.below);
                }
                mine.owned || !mine.below.is_empty()
            });
        }
        changed
    }

    /// Returns the members of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::default();
        for (element, node) in &self.nodes {
            if let Some(theirs) = other.node(element) {
                both.put(element.clone(), node.owned && theirs.owned, node.below.intersection(&theirs.below));
            }
        }
        both
    }

    /// Returns the members as paths (`.spec.replicas`), in order.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &str, paths: &mut Vec<String>) {
        for (element, node) in &self.nodes {
            let path = format!("{prefix}{element}");
            node.below.collect_paths(&path, paths);
            if node.owned {
                paths.push(path.clone());
            }
        }
    }

    /// Adds what is known of one element, unless it is nothing.
    pub(super) fn put(&mut self, element: Element, owned: bool, below: Self) {
        if owned || !below.is_empty() {
            match self.place(&element) {
                Ok(place) => {
                    self.nodes[place].1.owned |= owned;
                    self.nodes[place].1.below.extend(&below);
                }
                Err(place) => self.nodes.insert(place, (element, Node { owned, below })),
            }
        }
    }

    /// Returns what is known of one element.
    pub(super) fn node(&self, element: &Element) -> Option<&Node> {
        self.place(element).ok().map(|place| &self.nodes[place].1)
    }

    /// Returns the elements at the top, with what is known of them.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&Element, &Node)> {
        self.nodes.iter().map(|(element, node)| (element, node))
    }

    /// Removes a field at the top with everything below it.
    pub(super) fn forget_tree(&mut self, name: &'static str) {
        if let Ok(place) = self.place(&Element::Field(Cow::Borrowed(name))) {
            self.nodes.remove(place);
        }
    }

    /// Removes the field itself but not the members below it.
    pub(super) fn forget(&mut self, path: &[&'static str]) {
        let Some((first, rest)) = path.split_first() else { return };
        let Ok(place) = self.place(&Element::Field(Cow::Borrowed(first))) else { return };
        let node = &mut self.nodes[place].1;
        if rest.is_empty() {
            node.owned = false;
        } else {
            node.below.forget(rest);
        }
        if !node.owned && node.below.is_empty() {
            self.nodes.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(value: &Value) -> FieldSet {
        FieldSet::parse(value).expect("parses")
    }

    #[track_caller]
    fn check_paths(case: &str, value: &Value, expected: &[&str]) {
        assert_eq!(set(value).paths(), expected, "{case}");
    }

    #[test]
    fn the_wire_form_names_paths_as_kubernetes_prints_them() {
        check_paths("field", &json!({"f:spec": {"f:replicas": {}}}), &[".spec.replicas"]);
        check_paths(
            "item by key",
            &json!({"f:c": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}}}}),
            &[".c[name=\"web\"].image", ".c[name=\"web\"]"],
        );
        check_paths(
            "several keys are ordered by name",
            &json!({"f:p": {"k:{\"protocol\":\"TCP\",\"containerPort\":80}": {}}}),
            &[".p[containerPort=80,protocol=\"TCP\"]"],
        );
        check_paths("set", &json!({"f:finalizers": {"v:\"x/y\"": {}}}), &[".finalizers[=\"x/y\"]"]);
        check_paths("index", &json!({"f:l": {"i:3": {}}}), &[".l[3]"]);
        check_paths("field with a dot and a colon", &json!({"f:a.b/c:d": {}}), &[".a.b/c:d"]);
        check_paths("an unknown class is skipped", &json!({"z:new": {}, "f:a": {}}), &[".a"]);
        check_paths("empty", &json!({}), &[]);
    }

    #[test]
    fn every_set_survives_the_wire() {
        for value in [
            json!({}),
            json!({"f:a": {}}),
            json!({"f:a": {".": {}, "f:b": {}}}),
            json!({"f:a": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:x": {}}, "v:\"s\"": {}, "v:7": {}, "i:0": {}}}),
        ] {
            assert_eq!(set(&value).to_value(), value);
        }
    }

    #[test]
    fn malformed_sets_are_refused_with_the_element() {
        for (value, expected) in [
            (json!([]), "cannot read fields below ``: an object is needed, got `[]`"),
            (json!({"f:a": 1}), "cannot read fields below `f:a`: an object is needed, got `1`"),
            (json!({"a": {}}), "cannot read path element `a`: it has no `:`"),
            (json!({"k:{}": {}}), "cannot read path element `k:{}`: its key has no fields"),
            (json!({"k:[1]": {}}), "cannot read path element `k:[1]`: its key is no JSON object"),
            (json!({"v:x": {}}), "cannot read path element `v:x`: its value is no JSON"),
            (json!({"i:-1": {}}), "cannot read path element `i:-1`: its index is no whole number"),
        ] {
            assert_eq!(FieldSet::parse(&value).expect_err("refused").to_string(), expected);
        }
    }

    #[test]
    fn set_algebra_works_on_members_not_on_subtrees() {
        let a = json!({"f:x": {".": {}, "f:y": {}, "f:z": {}}, "f:w": {}});
        let b = json!({"f:x": {".": {}, "f:y": {}}, "f:v": {}});
        let (a, b) = (set(&a), set(&b));
        assert_eq!(a.clone().union(&b).paths(), [".v", ".w", ".x.y", ".x.z", ".x"]);
        assert_eq!(a.clone().difference(&b).paths(), [".w", ".x.z"]);
        assert_eq!(a.intersection(&b).paths(), [".x.y", ".x"]);
        assert!(a.clone().difference(&a).is_empty());
        assert_eq!(
            set(&json!({"f:x": {".": {}, "f:y": {}}})).difference(&set(&json!({"f:x": {}}))).paths(),
            [".x.y"],
            "what is below a removed member stays"
        );
    }

    #[test]
    fn a_path_is_contained_only_as_a_member() {
        let fields = set(&json!({"f:a": {"f:b": {}}}));
        let (a, b) = (Element::field("a"), Element::field("b"));
        assert!(fields.contains(&[a.clone(), b.clone()]));
        assert!(!fields.contains(std::slice::from_ref(&a)));
        let mut built = FieldSet::default();
        built.insert(&[a, b]);
        assert_eq!(built, fields);
    }

    #[test]
    fn whole_numbers_identify_the_same_item_however_written() {
        assert_eq!(Scalar::of(&json!(80.0)), Scalar::of(&json!(80)));
        assert_ne!(Scalar::of(&json!("80")), Scalar::of(&json!(80)));
        assert_eq!((Scalar::of(&json!("a")).plain(), Scalar::of(&json!("a")).to_string().as_str()), ("a", "\"a\""));
    }
}
