//! Puts a manifest into a live object, and takes out what its manager no longer states.
//!
//! Never looks at who else owns a field: callers pass the set of fields that must stay.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fieldset::{Element, FieldSet};
use super::shape::{Shape, Slot, aligned, elements, item_slot};
use crate::api::object::Kind;
use crate::api::schema::Type;

/// Writes what `config` states into `live`. A value that means the same as the live one is left as it is written.
///
/// Items of associative lists keep their live place, except that those in `config` keep the order they have there.
pub(super) fn merge_into(slot: Slot, live: &mut Value, config: &Value) {
    let shape = slot.shape([Some(live), Some(config)]);
    match (shape, live, config) {
        (Shape::Struct(of), Value::Object(live), Value::Object(config)) => {
            for (name, value) in config {
                match live.get_mut(name) {
                    Some(live) if !live.is_null() => merge_into(slot.member(of, name), live, value),
                    _ => _ = live.insert(name.clone(), value.clone()),
                }
            }
        }
        (Shape::Map(item), Value::Object(live), Value::Object(config)) => {
            for (name, value) in config {
                match live.get_mut(name) {
                    Some(live) if !live.is_null() => merge_into(item, live, value),
                    _ => _ = live.insert(name.clone(), value.clone()),
                }
            }
        }
        (Shape::Set | Shape::Keyed(_), Value::Array(live), Value::Array(config)) => {
            if aligned(shape, live, config) {
                for (live, config) in live.iter_mut().zip(config) {
                    merge_into(item_slot(shape), live, config);
                }
            } else {
                *live = merge_lists(shape, std::mem::take(live), config);
            }
        }
        (_, live, config) => {
            if !slot.same(live, config) {
                *live = config.clone();
            }
        }
    }
}

/// A live item: one that only the live list has, or the place of its counterpart in the manifest.
enum Place {
    Own(Value),
    Shared(usize),
}

fn merge_lists(shape: Shape, live: Vec<Value>, config: &[Value]) -> Vec<Value> {
    let wanted: BTreeMap<Element, usize> =
        elements(shape, config).into_iter().enumerate().map(|(place, (element, _))| (element, place)).collect();
    let identities: Vec<Element> = elements(shape, &live).into_iter().map(|(element, _)| element).collect();

    let mut places = Vec::with_capacity(live.len());
    let mut shared: BTreeMap<usize, Option<Value>> = BTreeMap::new();
    for (element, item) in identities.into_iter().zip(live) {
        match wanted.get(&element) {
            None => places.push(Place::Own(item)),
            Some(&place) => {
                // Live duplicates of a stated item have no one meaning: the manifest replaces them all.
                shared.entry(place).and_modify(|item| *item = None).or_insert(Some(item));
                places.push(Place::Shared(place));
            }
        }
    }

    let mut merged = Vec::with_capacity(places.len() + config.len());
    let mut done = 0;
    for place in places {
        match place {
            Place::Own(item) => merged.push(item),
            Place::Shared(place) if shared.keys().next() == Some(&place) => {
                emit(shape, &mut merged, &mut shared, config, done..place + 1);
                done = place + 1;
            }
            Place::Shared(_) => {}
        }
    }
    emit(shape, &mut merged, &mut shared, config, done..config.len());
    merged
}

fn emit(
    shape: Shape,
    merged: &mut Vec<Value>,
    shared: &mut BTreeMap<usize, Option<Value>>,
    config: &[Value],
    places: std::ops::Range<usize>,
) {
    for place in places {
        merged.push(match shared.remove(&place).flatten() {
            Some(mut item) => {
                merge_into(item_slot(shape), &mut item, &config[place]);
                item
            }
            None => config[place].clone(),
        });
    }
}

/// Prunes a whole object (see [`prune`]); its `metadata`, `spec` and `status` themselves stay, if need be empty.
pub(super) fn prune_object(kind: &Kind, object: &mut Value, last: &FieldSet, keep: &FieldSet) {
    let (root, of) = (Slot::root(kind), (kind.root)());
    let Value::Object(map) = object else { return };
    let nothing = FieldSet::default();
    for (element, node) in last.nodes() {
        let Element::Field(name) = element else { continue };
        let kept = keep.node(element);
        let below = (&node.below, kept.map(|kept| &kept.below));
        if of.field(name).is_some_and(|field| is_struct(field.ty)) {
            if let Some(value) = map.get_mut(&**name) {
                prune(root.member(of, name), value, below.0, below.1.unwrap_or(&nothing));
            }
        } else {
            let gone = node.owned && !kept.is_some_and(|kept| kept.owned || !kept.below.is_empty());
            prune_member(map, name, gone, root.member(of, name), below);
        }
    }
}

/// Removes from `value` the members of `last` that are not in `keep`, and containers that this empties.
///
/// A struct all of whose stated fields are gone goes as a whole, with what defaulting added to it. A map or list
/// goes only when it is empty: entries that nobody claims stay.
fn prune(slot: Slot, value: &mut Value, last: &FieldSet, keep: &FieldSet) {
    let shape = slot.shape([Some(value), None]);
    match (shape, value) {
        (Shape::Struct(of), Value::Object(map)) => {
            for (element, node) in last.nodes() {
                let Element::Field(name) = element else { continue };
                let kept = keep.node(element);
                let field = of.field(name);
                let whole = field.is_some_and(|field| is_struct(field.ty));
                let owned = node.owned || whole;
                let held = kept.is_some_and(|kept| kept.owned || (field.is_some() && !kept.below.is_empty()));
                prune_member(
                    map,
                    name,
                    owned && !held,
                    slot.member(of, name),
                    (&node.below, kept.map(|kept| &kept.below)),
                );
            }
        }
        (Shape::Map(item), Value::Object(map)) => {
            for (element, node) in last.nodes() {
                let Element::Field(name) = element else { continue };
                let kept = keep.node(element);
                let gone = node.owned && !kept.is_some_and(|kept| kept.owned);
                prune_member(map, name, gone, item, (&node.below, kept.map(|kept| &kept.below)));
            }
        }
        (Shape::Set | Shape::Keyed(_), Value::Array(list)) => prune_list(shape, list, last, keep),
        _ => {}
    }
}

fn is_struct(ty: Type) -> bool {
    matches!(ty, Type::Struct(_))
}

fn prune_member(
    map: &mut serde_json::Map<String, Value>,
    name: &str,
    gone: bool,
    slot: Slot,
    (last, keep): (&FieldSet, Option<&FieldSet>),
) {
    if gone {
        map.remove(name);
    } else if let Some(value) = map.get_mut(name) {
        let before = size(value);
        prune(slot, value, last, keep.unwrap_or(&FieldSet::default()));
        if before > 0 && size(value) == 0 {
            map.remove(name);
        }
    }
}

fn prune_list(shape: Shape, list: &mut Vec<Value>, last: &FieldSet, keep: &FieldSet) {
    let identities: Vec<Element> = elements(shape, list).into_iter().map(|(element, _)| element).collect();
    let nothing = FieldSet::default();
    let mut identities = identities.into_iter();
    list.retain_mut(|item| {
        let element = identities.next().expect("invariant: one identity for each item");
        let Some(node) = last.node(&element) else { return true };
        let kept = keep.node(&element);
        if node.owned && !kept.is_some_and(|kept| kept.owned) {
            return false;
        }
        prune(item_slot(shape), item, &node.below, kept.map_or(&nothing, |kept| &kept.below));
        true
    });
}

/// Returns the number of members of a container; scalars count as one.
fn size(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.len(),
        Value::Array(list) => list.len(),
        _ => 1,
    }
}

/// Returns the value without null fields at any depth: in a manifest a null states nothing.
pub(super) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}
