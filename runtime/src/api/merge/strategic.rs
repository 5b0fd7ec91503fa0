//! Strategic merge patch: Kubernetes' patch that knows which lists have keys.
//!
//! Directives stand in the patch beside the data: `$patch` (`replace`, `delete`, `merge`), `$retainKeys`,
//! `$setElementOrder/LIST` and `$deleteFromPrimitiveList/LIST`. None of them ever reaches the result. Values that no
//! declaration covers merge as plain JSON. Never looks at ownership.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fieldset::Scalar;
use super::shape::{Keys, Shape, Slot};
use crate::api::object::Kind;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_PRIMITIVES: &str = "$deleteFromPrimitiveList/";
const SET_ORDER: &str = "$setElementOrder/";

/// Why a strategic merge patch cannot be applied; the answer is 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch is no JSON object.
    #[error("cannot apply the strategic merge patch: an object is needed, got `{0}`")]
    NotAnObject(String),
    /// An item of a list lacks the field that tells items apart.
    #[error("cannot patch `{path}`: map: {item} does not contain declared merge key: {key}")]
    MissingMergeKey {
        /// The list.
        path: String,
        /// The field that is missing.
        key: &'static str,
        /// The item's field names.
        item: String,
    },
    /// `$patch` has an unknown value, or one that does not fit its place.
    #[error(
        "cannot patch `{path}`: Unknown patch type found: `{found}`: give `replace`, `delete` or (in an object) `merge`"
    )]
    UnknownDirective {
        /// Where the directive stands.
        path: String,
        /// Its value.
        found: String,
    },
    /// A directive has a value of the wrong type.
    #[error("cannot patch `{path}`: `{directive}` needs a list")]
    DirectiveNeedsList {
        /// Where the directive stands.
        path: String,
        /// Its name.
        directive: String,
    },
    /// `$retainKeys` does not list a field that the patch sets.
    #[error("cannot patch `{path}`: the patch sets `{field}`, which `$retainKeys` does not list")]
    RetainKeys {
        /// Where the directive stands.
        path: String,
        /// The field.
        field: String,
    },
    /// The items of the patch stand in another order than `$setElementOrder` gives, or are missing there.
    #[error("cannot patch `{path}`: the items in the patch do not follow the order in `$setElementOrder`")]
    ElementOrder {
        /// The list.
        path: String,
    },
}

/// Returns `live` with a strategic merge patch applied, not yet defaulted.
///
/// # Errors
/// See [`PatchError`].
pub fn strategic(live: &Value, patch: &Value, kind: &'static Kind) -> Result<Value, PatchError> {
    let Value::Object(patch) = patch else { return Err(PatchError::NotAnObject(patch.to_string())) };
    let mut patched = live.as_object().cloned().unwrap_or_default();
    merge_object(Slot::root(kind), &mut patched, patch, "")?;
    Ok(Value::Object(patched))
}

fn merge_object(
    slot: Slot,
    live: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    path: &str,
) -> Result<(), PatchError> {
    match patch.get(PATCH).map(|directive| directive.as_str().unwrap_or_default()) {
        None | Some("merge") => {}
        Some("replace") => {
            *live = patch.clone();
            live.remove(PATCH);
            return Ok(());
        }
        Some("delete") => {
            live.clear();
            return Ok(());
        }
        Some(_) => return Err(PatchError::UnknownDirective { path: path.to_owned(), found: patch[PATCH].to_string() }),
    }
    retain_keys(live, patch, path)?;
    for (name, directive) in patch {
        if let Some(name) = name.strip_prefix(DELETE_PRIMITIVES) {
            delete_primitives(live, name, list(directive, DELETE_PRIMITIVES, path)?);
        }
    }
    for (name, value) in patch.iter().filter(|(name, _)| !is_directive(name)) {
        let path = join(path, name);
        match (live.get_mut(name), value) {
            (_, Value::Null) => _ = live.remove(name),
            (None | Some(Value::Null), value) => {
                let value = plain(value);
                live.insert(name.clone(), value);
            }
            (Some(live), value) => merge_value(member(slot, name), live, value, &path)?,
        }
    }
    for (name, order) in patch {
        if let Some(name) = name.strip_prefix(SET_ORDER) {
            let path = join(path, name);
            let order = list(order, SET_ORDER, &path)?;
            let stated = patch.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            set_order(member(slot, name), live.get_mut(name), stated, order, &path)?;
        }
    }
    Ok(())
}

fn is_directive(name: &str) -> bool {
    name == PATCH || name == RETAIN_KEYS || name.starts_with(DELETE_PRIMITIVES) || name.starts_with(SET_ORDER)
}

/// Returns the slot of a field. Atomic objects merge field by field here: being owned as a whole is of server-side
/// apply only.
fn member(slot: Slot, name: &str) -> Slot {
    match object_shape(slot) {
        Shape::Struct(of) => slot.member(of, name),
        Shape::Map(item) => item,
        _ => Slot::ANY,
    }
}

fn object_shape(slot: Slot) -> Shape {
    match slot.ty {
        crate::api::schema::Type::Struct(of) => Shape::Struct(of()),
        crate::api::schema::Type::Map(item) => Shape::Map(slot.item(item)),
        _ => Shape::Map(Slot::ANY),
    }
}

fn merge_value(slot: Slot, live: &mut Value, patch: &Value, path: &str) -> Result<(), PatchError> {
    match (live, patch) {
        (Value::Object(live), Value::Object(patch)) => merge_object(slot, live, patch, path),
        (live @ Value::Array(_), Value::Array(patch)) => merge_list(slot, live, patch, path),
        (live, patch) => {
            *live = plain(patch);
            Ok(())
        }
    }
}

fn list<'a>(value: &'a Value, directive: &str, path: &str) -> Result<&'a [Value], PatchError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| PatchError::DirectiveNeedsList {
        path: path.to_owned(),
        directive: directive.trim_end_matches('/').to_owned(),
    })
}

fn retain_keys(live: &mut Map<String, Value>, patch: &Map<String, Value>, path: &str) -> Result<(), PatchError> {
    let Some(directive) = patch.get(RETAIN_KEYS) else { return Ok(()) };
    let kept: Vec<&str> = list(directive, RETAIN_KEYS, path)?.iter().filter_map(Value::as_str).collect();
    let unlisted =
        patch.iter().find(|(name, value)| !is_directive(name) && !value.is_null() && !kept.contains(&name.as_str()));
    if let Some((field, _)) = unlisted {
        return Err(PatchError::RetainKeys { path: path.to_owned(), field: field.clone() });
    }
    live.retain(|name, _| kept.contains(&name.as_str()));
    Ok(())
}

fn delete_primitives(live: &mut Map<String, Value>, name: &str, gone: &[Value]) {
    if let Some(Value::Array(list)) = live.get_mut(name) {
        let gone: Vec<Scalar> = gone.iter().map(Scalar::of).collect();
        list.retain(|item| !gone.contains(&Scalar::of(item)));
        if list.is_empty() {
            live.remove(name);
        }
    }
}

/// How the items of a list are told apart in a patch.
#[derive(Clone, Copy)]
enum Identity {
    Value,
    Key(&'static str),
}

impl Identity {
    /// Returns how to tell items apart, or `None` where the list is replaced as a whole.
    fn of(slot: Slot) -> Option<(Self, Slot)> {
        match slot.shape([None, None]) {
            Shape::Set => Some((Self::Value, Slot::ANY)),
            Shape::Keyed(Keys { patch_key, item, .. }) if !patch_key.is_empty() => Some((Self::Key(patch_key), item)),
            _ => None,
        }
    }

    fn get(self, item: &Value) -> Option<Scalar> {
        match self {
            Self::Value => Some(Scalar::of(item)),
            Self::Key(key) => item.get(key).filter(|value| !value.is_null()).map(Scalar::of),
        }
    }

    fn require(self, item: &Value, path: &str) -> Result<Scalar, PatchError> {
        self.get(item).ok_or_else(|| {
            let names: Vec<_> = item.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
            let key = if let Self::Key(key) = self { key } else { "" };
            PatchError::MissingMergeKey { path: path.to_owned(), key, item: format!("[{}]", names.join(" ")) }
        })
    }
}

fn merge_list(slot: Slot, live: &mut Value, patch: &[Value], path: &str) -> Result<(), PatchError> {
    let Value::Array(items) = live else { return Ok(()) };
    let Some((identity, item_slot)) = Identity::of(slot) else {
        *items = patch.iter().filter(|item| directive(item).is_none()).map(plain).collect();
        return Ok(());
    };
    let original = items.clone();
    let mut replaces = false;
    let mut stated: Vec<Value> = Vec::new();
    for item in patch {
        match directive(item) {
            None => stated.push(item.clone()),
            Some("replace") => replaces = true,
            Some("delete") => {
                let gone = identity.require(item, path)?;
                items.retain(|item| identity.get(item).as_ref() != Some(&gone));
            }
            Some(found) => {
                return Err(PatchError::UnknownDirective { path: path.to_owned(), found: found.to_owned() });
            }
        }
    }
    if replaces {
        *items = stated.iter().map(plain).collect();
        return Ok(());
    }
    for item in &stated {
        let wanted = identity.require(item, path)?;
        let place = items.iter().position(|item| identity.get(item).as_ref() == Some(&wanted));
        match place.map(|place| &mut items[place]) {
            Some(found) => merge_value(item_slot, found, item, &format!("{path}[{wanted}]"))?,
            None => items.push(plain(item)),
        }
    }
    *items = in_order(identity, std::mem::take(items), &stated, &original);
    Ok(())
}

fn directive(item: &Value) -> Option<&str> {
    item.get(PATCH).map(|directive| directive.as_str().unwrap_or_default())
}

fn set_order(
    slot: Slot,
    live: Option<&mut Value>,
    stated: &[Value],
    order: &[Value],
    path: &str,
) -> Result<(), PatchError> {
    let (Some(Value::Array(items)), Some((identity, _))) = (live, Identity::of(slot)) else { return Ok(()) };
    let places = places(identity, order);
    let mut last = None;
    for item in stated.iter().filter(|item| directive(item).is_none()) {
        let place = places.get(&identity.require(item, path)?).copied();
        if place.is_none() || place < last {
            return Err(PatchError::ElementOrder { path: path.to_owned() });
        }
        last = place;
    }
    let server = items.clone();
    *items = in_order(identity, std::mem::take(items), order, &server);
    Ok(())
}

fn places(identity: Identity, list: &[Value]) -> BTreeMap<Scalar, usize> {
    let mut places = BTreeMap::new();
    for (place, item) in list.iter().enumerate() {
        if let Some(key) = identity.get(item) {
            places.entry(key).or_insert(place);
        }
    }
    places
}

/// Orders merged items: those in `order` as they stand there, the server's own as they stood in `server`; an own one
/// goes first where `server` had it before the next ordered one.
fn in_order(identity: Identity, items: Vec<Value>, order: &[Value], server: &[Value]) -> Vec<Value> {
    let (order, server) = (places(identity, order), places(identity, server));
    let place = |places: &BTreeMap<Scalar, usize>, item: &Value| {
        identity.get(item).and_then(|key| places.get(&key).copied()).unwrap_or(usize::MAX)
    };
    let (mut ordered, mut own): (Vec<Value>, Vec<Value>) =
        items.into_iter().partition(|item| place(&order, item) != usize::MAX);
    ordered.sort_by_key(|item| place(&order, item));
    own.sort_by_key(|item| place(&server, item));
    let (mut ordered, mut own) = (ordered.into_iter().peekable(), own.into_iter().peekable());
    let mut merged = Vec::new();
    loop {
        let own_first = match (own.peek(), ordered.peek()) {
            (None, None) => return merged,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(a), Some(b)) => {
                let (a, b) = (place(&server, a), place(&server, b));
                b != usize::MAX && a.cmp(&b) == Ordering::Less
            }
        };
        merged.extend(if own_first { own.next() } else { ordered.next() });
    }
}

/// Returns a value that is new to the object: without directives, nulls and items to delete.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(name, value)| !is_directive(name) && !value.is_null())
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().filter(|item| directive(item).is_none()).map(plain).collect()),
        other => other.clone(),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
