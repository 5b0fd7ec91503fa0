//! A controller as the framework holds it: functions, without its types.

use crate::api::{Key, Kind, Object, Timestamp};
use crate::store::{Snapshot, Stored};

use super::{Action, Controller};

/// A change of one object; at least one of `old` and `new` is there.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The object's name.
    pub key: &'a Key,
    /// The object before.
    pub old: Option<&'a Stored>,
    /// The object after.
    pub new: Option<&'a Stored>,
}

/// Reacts to a creation that was refused: what the object's status is to say.
pub type Refused = fn(&Snapshot, &Key, &str, Timestamp) -> Vec<Action>;

/// A controller for [`run`](super::run) and [`Harness`](super::Harness).
#[derive(Clone, Copy, Debug)]
pub struct Registered {
    /// The controller's name.
    pub name: &'static str,
    /// Names the keys to decide about after a change.
    pub route: fn(&Snapshot, &Change<'_>) -> Vec<Key>,
    /// Decides about a key; `None` where there is nothing to decide.
    pub decide: fn(&Snapshot, &Key, Timestamp) -> Option<Vec<Action>>,
    /// What to do when the creation of an object is refused.
    pub refused: Option<Refused>,
    /// How many keys are decided about at the same time.
    pub parallel: usize,
}

/// How many keys a controller decides about at the same time: enough to share an fsync among them.
const PARALLEL: usize = 16;

impl Registered {
    /// Returns a typed controller.
    pub fn of<C: Controller>() -> Self {
        Self { name: C::NAME, route: route::<C>, decide: decide::<C>, refused: None, parallel: PARALLEL }
    }

    /// Returns the controller with a limit on how many keys are decided about at the same time.
    #[must_use]
    pub fn parallel(mut self, limit: usize) -> Self {
        self.parallel = limit;
        self
    }

    /// Returns the controller with a reaction to refused creations.
    #[must_use]
    pub fn on_refused(mut self, refused: Refused) -> Self {
        self.refused = Some(refused);
        self
    }
}

/// Whether `resource` (`plural.group`) names this kind.
pub(super) fn is(kind: &Kind, resource: &str) -> bool {
    match resource.strip_prefix(kind.plural) {
        Some("") => kind.group.is_empty(),
        Some(rest) => rest.strip_prefix('.') == Some(kind.group),
        None => false,
    }
}

fn decide<C: Controller>(snapshot: &Snapshot, key: &Key, now: Timestamp) -> Option<Vec<Action>> {
    let (observed, desired) = C::observe(snapshot, key)?;
    Some(C::decide(&observed, &desired, now))
}

fn route<C: Controller>(snapshot: &Snapshot, change: &Change<'_>) -> Vec<Key> {
    let kind = C::Object::kind();
    let mut keys = Vec::new();
    if is(kind, &change.key.resource) {
        keys.push(change.key.clone());
    }
    if C::owns().iter().any(|owned| is(owned(), &change.key.resource)) {
        let states = [change.old, change.new];
        keys.extend(states.into_iter().flatten().filter_map(|stored| controller_of(stored, kind)));
    }
    for watch in C::watches() {
        if is((watch.kind)(), &change.key.resource) {
            keys.extend((watch.map)(snapshot, change.key));
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

/// Returns the key of the controlling owner, if it is of this kind.
fn controller_of(stored: &Stored, kind: &'static Kind) -> Option<Key> {
    stored.controller_uid()?;
    let value = stored.value();
    let owners = value.get("metadata")?.get("ownerReferences")?.as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true && owner["kind"] == kind.kind)?;
    (owner["apiVersion"].as_str()? == kind.api_version())
        .then(|| kind.key(&stored.key().namespace, owner["name"].as_str().unwrap_or("")))
}
