//! Which fields a manifest states, and which fields a write changed.
//!
//! Both walks follow the schema: a leaf is a path, an item of an associative list is a path beside its fields, an
//! atomic value is one path. Never changes a value.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fieldset::{Element, FieldSet};
use super::shape::{Shape, Slot, aligned, element, elements, item_slot, present};
use crate::api::object::Kind;
use crate::api::schema::Struct;

/// Paths that nobody owns because the server writes them.
const STRIPPED: [&[&str]; 13] = [
    &["apiVersion"],
    &["kind"],
    &["metadata"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
    // Every object of a kind that has these has them, if only empty.
    &["spec"],
    &["status"],
];

/// Returns the element for a key of an object, without allocating for a declared field.
pub(super) fn field_element(of: Option<&'static Struct>, name: &str) -> Element {
    Element::Field(match of.and_then(|of| of.field(name)) {
        Some(field) => Cow::Borrowed(field.name),
        None => Cow::Owned(name.to_owned()),
    })
}

/// Removes what nobody owns, and what this subresource does not write.
pub(super) fn strip(fields: &mut FieldSet, kind: &Kind, subresource: Option<&str>) {
    for path in STRIPPED {
        fields.forget(path);
    }
    if let Some(tree) = reset_field(kind, subresource) {
        fields.forget_tree(tree);
    }
}

/// Returns the top-level field that a write through this subresource leaves alone.
pub(super) fn reset_field(kind: &Kind, subresource: Option<&str>) -> Option<&'static str> {
    match subresource {
        Some("status") => Some("spec"),
        None if kind.has_status => Some("status"),
        _ => None,
    }
}

/// Lists the fields that a manifest states, and adds what makes it ambiguous to `problems`.
pub(super) fn stated(slot: Slot, value: &Value, problems: &mut Vec<String>) -> FieldSet {
    Stated { problems }.walk(slot, value)
}

struct Stated<'a> {
    problems: &'a mut Vec<String>,
}

impl Stated<'_> {
    fn walk(&mut self, slot: Slot, value: &Value) -> FieldSet {
        let shape = slot.shape([Some(value), None]);
        match (shape, value) {
            (Shape::Struct(of), Value::Object(map)) => self.object(map, Some(of), |name| slot.member(of, name)),
            (Shape::Map(item), Value::Object(map)) => self.object(map, None, |_| item),
            (Shape::Set | Shape::Keyed(_), Value::Array(list)) => self.list(shape, list),
            _ => FieldSet::default(),
        }
    }

    fn object(
        &mut self,
        map: &Map<String, Value>,
        of: Option<&'static Struct>,
        slot: impl Fn(&str) -> Slot,
    ) -> FieldSet {
        let mut fields = FieldSet::default();
        for (name, value) in map {
            let slot = slot(name);
            let element = field_element(of, name);
            let below = self.below(&element, slot, value);
            let declared = of.is_some_and(|of| of.field(name).is_some());
            let leaf = matches!(slot.shape([Some(value), None]), Shape::Leaf);
            let empty = value.as_object().is_some_and(Map::is_empty);
            fields.put(element, leaf || empty || !declared, below);
        }
        fields
    }

    fn list(&mut self, shape: Shape, list: &[Value]) -> FieldSet {
        let mut fields = FieldSet::default();
        for (element, item) in elements(shape, list) {
            if let (Shape::Keyed(keys), Element::Index(_)) = (shape, &element) {
                let missing = keys.element(item).err().unwrap_or_default();
                self.problems.push(format!(
                    "{element}: associative list with keys has an element that omits key field {missing:?} (and doesn't have default value)"
                ));
            } else if fields.node(&element).is_some() {
                self.problems.push(format!(": duplicate entries for key {element}"));
            }
            let below = self.below(&element, item_slot(shape), item);
            fields.put(element, true, below);
        }
        fields
    }

    /// Walks below an element. Problems get their path on the way back: there mostly are none.
    fn below(&mut self, element: &Element, slot: Slot, value: &Value) -> FieldSet {
        let known = self.problems.len();
        let fields = self.walk(slot, value);
        for problem in &mut self.problems[known..] {
            problem.insert_str(0, &element.to_string());
        }
        fields
    }
}

/// The fields in which two versions of an object differ.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// Fields that only the new version has.
    pub(super) added: FieldSet,
    /// Fields with another value.
    pub(super) modified: FieldSet,
    /// Fields that only the old version has.
    pub(super) removed: FieldSet,
}

impl Comparison {
    /// Returns the fields that the new version sets.
    pub(super) fn written(&self) -> FieldSet {
        self.modified.clone().union(&self.added)
    }

    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    fn put(&mut self, element: Element, flag: Flag, below: Self) {
        self.added.put(element.clone(), flag == Flag::Added, below.added);
        self.modified.put(element.clone(), flag == Flag::Modified, below.modified);
        self.removed.put(element, flag == Flag::Removed, below.removed);
    }
}

/// What happened to one path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    Same,
    Added,
    Modified,
    Removed,
}

/// Compares two versions of an object; a first version is compared with an empty object of the kind.
pub(super) fn compare(kind: &Kind, old: Option<&Value>, new: &Value, subresource: Option<&str>) -> Comparison {
    let empty = Value::Object(
        ["metadata", "spec", "status"].iter().map(|name| ((*name).to_owned(), Value::Object(Map::new()))).collect(),
    );
    let (_, mut comparison) = compare_at(Slot::root(kind), Some(old.unwrap_or(&empty)), Some(new));
    for fields in [&mut comparison.added, &mut comparison.modified, &mut comparison.removed] {
        strip(fields, kind, subresource);
    }
    comparison
}

fn compare_at(slot: Slot, old: Option<&Value>, new: Option<&Value>) -> (Flag, Comparison) {
    let (old, new) = (present(old), present(new));
    if old == new {
        return (Flag::Same, Comparison::default());
    }
    let flag = match (old, new) {
        (None, _) => Flag::Added,
        (_, None) => Flag::Removed,
        _ => Flag::Same,
    };
    let shape = slot.shape([old, new]);
    let nothing_inside = is_empty(old) && is_empty(new);
    match shape {
        Shape::Leaf => {}
        _ if nothing_inside => return (flag, Comparison::default()),
        Shape::Struct(of) => return (flag, compare_objects(old, new, Some(of), |name| slot.member(of, name))),
        Shape::Map(item) => return (flag, compare_objects(old, new, None, |_| item)),
        Shape::Set | Shape::Keyed(_) => return (flag, compare_lists(shape, old, new)),
    }
    match (old, new) {
        (Some(old), Some(new)) if !slot.same(old, new) => (Flag::Modified, Comparison::default()),
        _ => (flag, Comparison::default()),
    }
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(_) => false,
    }
}

fn compare_objects(
    old: Option<&Value>,
    new: Option<&Value>,
    of: Option<&'static Struct>,
    slot: impl Fn(&str) -> Slot,
) -> Comparison {
    let mut comparison = Comparison::default();
    let (old, new) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
    let new_only = new.into_iter().flat_map(Map::keys).filter(|name| old.is_none_or(|old| !old.contains_key(*name)));
    for name in old.into_iter().flat_map(Map::keys).chain(new_only) {
        let (old, new) = (old.and_then(|map| map.get(name)), new.and_then(|map| map.get(name)));
        let (flag, below) = compare_at(slot(name), old, new);
        if flag != Flag::Same || !below.is_empty() {
            comparison.put(field_element(of, name), flag, below);
        }
    }
    comparison
}

fn compare_lists(shape: Shape, old: Option<&Value>, new: Option<&Value>) -> Comparison {
    let mut comparison = Comparison::default();
    if let (Some(Value::Array(old)), Some(Value::Array(new))) = (old, new)
        && aligned(shape, old, new)
    {
        for (place, (old, new)) in old.iter().zip(new).enumerate().filter(|(_, (old, new))| old != new) {
            let (flag, below) = compare_at(item_slot(shape), Some(old), Some(new));
            comparison.put(element(shape, place, new), flag, below);
        }
        return comparison;
    }
    let (mut old, new) = (group(shape, old), group(shape, new));
    for (element, new) in new {
        let old = old.remove(&element).unwrap_or_default();
        let (flag, below) = compare_items(item_slot(shape), &old, &new);
        comparison.put(element, flag, below);
    }
    for (element, old) in old {
        let (flag, below) = compare_items(item_slot(shape), &old, &[]);
        comparison.put(element, flag, below);
    }
    comparison
}

fn group(shape: Shape, list: Option<&Value>) -> BTreeMap<Element, Vec<&Value>> {
    let mut groups: BTreeMap<Element, Vec<&Value>> = BTreeMap::new();
    for (element, item) in elements(shape, list.and_then(Value::as_array).map_or(&[][..], Vec::as_slice)) {
        groups.entry(element).or_default().push(item);
    }
    groups
}

/// Compares the items of one identity. A list with duplicates is tolerated: such items are one leaf.
fn compare_items(slot: Slot, old: &[&Value], new: &[&Value]) -> (Flag, Comparison) {
    match (old, new) {
        ([] | [_], [] | [_]) => compare_at(slot, old.first().copied(), new.first().copied()),
        ([], _) => (Flag::Added, Comparison::default()),
        (_, []) => (Flag::Removed, Comparison::default()),
        _ if old == new => (Flag::Same, Comparison::default()),
        _ => (Flag::Modified, Comparison::default()),
    }
}
