//! What a change means to a person: the fields that differ between two versions of an object.
//!
//! Feeds the plan. Follows the schema: list items are matched by key, quantities and times by value, secrets are
//! masked. What the server writes about an object (its revision, identity, ownership and `status`) is no change.
//! Never decides anything.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::merge::fieldset::Element;
use super::merge::shape::{Shape, Slot, elements, item_slot, present};
use super::object::Kind;
use super::schema::Type;

/// What stands in the place of a secret value.
pub const MASK: &str = "(sensitive)";

/// Metadata that says nothing about what a person wants.
const IGNORED_METADATA: [&str; 6] =
    ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// The annotation in which `kubectl apply` keeps a copy of the whole manifest, secrets included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// One field that differs.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Change {
    /// The field, for example `spec.template.spec.containers[name=web].image` or `data[key]`.
    pub path: String,
    /// The value before; `None` where there was none.
    pub old: Option<Value>,
    /// The value after; `None` where there is none.
    pub new: Option<Value>,
    /// Whether the values are secret; they are then masked on both sides.
    pub sensitive: bool,
}

/// Lists the fields that differ: fields by name, list items in their old order, then the new ones. Two versions that
/// mean the same give an empty list.
///
/// An added or removed part is one change with all that is in it, secrets masked. A keyed list whose common items
/// changed their order gives one change with the keys in either order.
pub fn diff(old: &Value, new: &Value, kind: &'static Kind) -> Vec<Change> {
    let mut walk = Walk { path: String::new(), changes: Vec::new() };
    walk.value(Slot::root(kind), Some(&significant(old)), Some(&significant(new)));
    walk.changes
}

/// Writes one line for each change: `+` for an added field, `-` for a removed one, `~` for a changed one.
pub fn render_changes(changes: &[Change]) -> String {
    let mut text = String::new();
    for Change { path, old, new, .. } in changes {
        let line = match (old, new) {
            (None, Some(new)) => writeln!(text, "+ {path}: {new}"),
            (Some(old), None) => writeln!(text, "- {path}: {old}"),
            (Some(old), Some(new)) => writeln!(text, "~ {path}: {old} -> {new}"),
            (None, None) => Ok(()),
        };
        line.expect("invariant: writing to a string succeeds");
    }
    text
}

fn significant(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            for name in IGNORED_METADATA {
                metadata.remove(name);
            }
        }
    }
    object
}

struct Walk {
    path: String,
    changes: Vec<Change>,
}

impl Walk {
    fn value(&mut self, slot: Slot, old: Option<&Value>, new: Option<&Value>) {
        let (old, new) = (meant(slot, old), meant(slot, new));
        if old == new {
            return;
        }
        let (Some(was), Some(is)) = (old, new) else { return self.report(slot, old, new) };
        // A change inside an object that is owned as a whole still shows field by field.
        let shape = Slot { atomic: false, ..slot }.shape([Some(was), Some(is)]);
        match (shape, was, is) {
            (Shape::Struct(of), Value::Object(was), Value::Object(is)) => {
                self.objects(was, is, |name| {
                    (slot.member(of, name), !of.fields.iter().any(|field| field.name == name))
                });
            }
            (Shape::Map(item), Value::Object(was), Value::Object(is)) => self.objects(was, is, |_| (item, true)),
            (Shape::Set | Shape::Keyed(_), Value::Array(was), Value::Array(is)) => self.lists(slot, shape, was, is),
            (Shape::Leaf, Value::Object(was), Value::Object(is)) => {
                let Type::Struct(of) = slot.ty else { return self.report(slot, old, new) };
                self.objects(was, is, |name| (slot.member(of(), name), false));
            }
            (Shape::Leaf, Value::Array(was), Value::Array(is)) => self.atomic_lists(slot, was, is),
            _ => self.report(slot, old, new),
        }
    }

    fn objects(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, slot: impl Fn(&str) -> (Slot, bool)) {
        let mut names: Vec<&String> = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))).collect();
        names.sort();
        for name in names {
            let (slot, free) = slot(name);
            let step = match (free, self.path.is_empty()) {
                (_, true) => name.clone(),
                (true, false) => format!("[{name}]"),
                (false, false) => format!(".{name}"),
            };
            let slot = Slot { sensitive: slot.sensitive || name == LAST_APPLIED, ..slot };
            self.at(&step, |walk| walk.value(slot, old.get(name), new.get(name)));
        }
    }

    fn lists(&mut self, slot: Slot, shape: Shape, old: &[Value], new: &[Value]) {
        let (old, new) = (elements(shape, old), elements(shape, new));
        for (element, was) in &old {
            let is = new.iter().find(|(other, _)| other == element).map(|(_, is)| *is);
            self.at(&step(element), |walk| walk.value(items(slot, shape), Some(was), is));
        }
        for (element, is) in &new {
            if !old.iter().any(|(other, _)| other == element) {
                self.at(&step(element), |walk| walk.value(items(slot, shape), None, Some(is)));
            }
        }
        let common = |list: &[(Element, &Value)], other: &[(Element, &Value)]| -> Vec<String> {
            let shared = list.iter().filter(|(element, _)| other.iter().any(|(other, _)| other == element));
            shared.map(|(element, _)| label(element)).collect()
        };
        let (was, is) = (common(&old, &new), common(&new, &old));
        if matches!(shape, Shape::Keyed(_)) && was != is {
            self.changes.push(Change {
                path: self.path.clone(),
                old: Some(Value::from(was)),
                new: Some(Value::from(is)),
                sensitive: false,
            });
        }
    }

    /// Lists of objects of one length are compared place by place; any other atomic list changes as a whole.
    fn atomic_lists(&mut self, slot: Slot, old: &[Value], new: &[Value]) {
        let Type::List(item) = slot.ty else { return self.report_lists(slot, old, new) };
        let objects = old.iter().chain(new).all(Value::is_object);
        if !objects || old.len() != new.len() {
            if !slot.same(&Value::from(old), &Value::from(new)) {
                self.report_lists(slot, old, new);
            }
            return;
        }
        for (place, (was, is)) in old.iter().zip(new).enumerate() {
            self.at(&format!("[{place}]"), |walk| walk.value(slot.item(item), Some(was), Some(is)));
        }
    }

    fn report_lists(&mut self, slot: Slot, old: &[Value], new: &[Value]) {
        self.report(slot, Some(&Value::from(old)), Some(&Value::from(new)));
    }

    fn report(&mut self, slot: Slot, old: Option<&Value>, new: Option<&Value>) {
        if let (Some(old), Some(new)) = (old, new)
            && slot.same(old, new)
        {
            return;
        }
        let (old, new) = (old.map(|value| masked(slot, value)), new.map(|value| masked(slot, value)));
        let sensitive = slot.sensitive;
        self.changes.push(Change { path: self.path.clone(), old, new, sensitive });
    }

    fn at(&mut self, step: &str, walk: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(step);
        walk(self);
        self.path.truncate(length);
    }
}

fn items(slot: Slot, shape: Shape) -> Slot {
    let item = item_slot(shape);
    Slot { sensitive: item.sensitive || slot.sensitive, ..item }
}

/// Returns the value unless it says nothing: a null, an empty list, an empty map with free keys.
fn meant(slot: Slot, value: Option<&Value>) -> Option<&Value> {
    present(value).filter(|value| match (slot.ty, value) {
        (_, Value::Array(list)) => !list.is_empty(),
        (Type::Map(_), Value::Object(map)) => !map.is_empty(),
        _ => true,
    })
}

/// Replaces every secret in a value.
fn masked(slot: Slot, value: &Value) -> Value {
    let hidden = || Value::String(MASK.to_owned());
    match (slot.ty, value) {
        (Type::Struct(of), Value::Object(map)) => {
            map.iter().map(|(name, value)| (name.clone(), masked(slot.member(of(), name), value))).collect()
        }
        (Type::Map(item), Value::Object(map)) => map
            .iter()
            .map(|(name, value)| {
                let item = slot.item(item);
                let sensitive = item.sensitive || name == LAST_APPLIED;
                (name.clone(), masked(Slot { sensitive, ..item }, value))
            })
            .collect(),
        (Type::List(item), Value::Array(list)) => list.iter().map(|value| masked(slot.item(item), value)).collect(),
        _ if slot.sensitive => hidden(),
        (_, value) => value.clone(),
    }
}

/// Returns the path step of a list item, for example `[name=web]`.
fn step(element: &Element) -> String {
    format!("[{}]", label(element))
}

fn label(element: &Element) -> String {
    match element {
        Element::Field(name) => name.to_string(),
        Element::Key(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={}", value.plain())).collect();
            pairs.join(",")
        }
        Element::Value(value) => value.plain().to_owned(),
        Element::Index(place) => place.to_string(),
    }
}
