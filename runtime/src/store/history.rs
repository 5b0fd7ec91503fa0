//! The changes that are still held, and how long they are.
//!
//! Responsible for: events without a gap, in order of revision, in memory shared by all watchers; what may be
//! forgotten. Never reads a clock: ages come from the times that compaction is called with.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use imbl::OrdMap;

use super::Stored;
use crate::api::{Key, Timestamp};

/// One change.
#[derive(Clone, Debug)]
pub struct Event {
    /// The revision that the change made.
    pub revision: u64,
    /// The revision of the object's state before; zero where there was none.
    pub previous: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to an object.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// It was created or changed.
    Put {
        /// The state before; `None` where the object is new.
        old: Option<Arc<Stored>>,
        /// The state after.
        new: Arc<Stored>,
    },
    /// It was deleted.
    Delete {
        /// The last state, with the revision of the deletion as its `metadata.resourceVersion`.
        old: Arc<Stored>,
    },
}

impl Event {
    /// Returns the name of the changed object.
    pub fn key(&self) -> &Key {
        self.object().key()
    }
    /// Whether the object went.
    pub fn is_delete(&self) -> bool {
        matches!(self.kind, EventKind::Delete { .. })
    }
    /// Returns the state before a change; `None` where the object is new or went.
    pub fn old(&self) -> Option<&Arc<Stored>> {
        match &self.kind {
            EventKind::Put { old, .. } => old.as_ref(),
            EventKind::Delete { .. } => None,
        }
    }
    /// Returns the state after the change, or the last one of a deleted object.
    pub fn object(&self) -> &Arc<Stored> {
        match &self.kind {
            EventKind::Put { new, .. } => new,
            EventKind::Delete { old } => old,
        }
    }
}

/// A revision that is no longer held: HTTP 410 with reason `Expired`. List again and watch from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too old resource version: {requested} ({oldest})")]
pub struct Expired {
    /// The revision that a watch was to continue after.
    pub requested: u64,
    /// The oldest revision that a watch can continue after.
    pub oldest: u64,
}

/// A state of an object that history still holds.
#[derive(Clone, Debug)]
pub struct Held {
    /// The revision that made it.
    pub revision: u64,
    /// Whether that revision deleted the object; `object` is its last state then.
    pub deleted: bool,
    /// The state.
    pub object: Arc<Stored>,
}

/// How long changes are held. One goes when it is past the age and the count, or past the bound alone.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// A younger change stays. Clients list and then watch; upstream keeps 5 minutes.
    pub age_min: Duration,
    /// So many changes stay whatever their age.
    pub revisions_min: u64,
    /// More changes never stay: the bound on memory and disk under a storm of writes.
    pub revisions_max: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age_min: Duration::from_secs(600), revisions_min: 1_000, revisions_max: 100_000 }
    }
}

/// The held events, by revision. All revisions from `compacted + 1` to the last are there.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    compacted: u64,
    events: OrdMap<u64, Arc<Event>>,
}

impl History {
    /// Returns the oldest revision that a watch can continue after.
    pub(super) fn compacted(&self) -> u64 {
        self.compacted
    }
    /// Returns the event of a revision.
    pub(super) fn get(&self, revision: u64) -> Option<&Arc<Event>> {
        self.events.get(&revision)
    }
    /// Adds the next event.
    pub(super) fn push(&mut self, event: Arc<Event>) {
        debug_assert!(self.events.get_max().is_none_or(|(last, _)| last + 1 == event.revision));
        self.events.insert(event.revision, event);
    }
    /// Forgets everything up to `revision`, before any event was added.
    pub(super) fn start_after(revision: u64) -> Self {
        Self { compacted: revision, events: OrdMap::new() }
    }
    /// Returns the events up to and including `revision`, in order.
    pub(super) fn up_to(&self, revision: u64) -> impl Iterator<Item = &Arc<Event>> {
        self.events.range(..=revision).map(|(_, event)| event)
    }
    /// Forgets the events up to and including `revision`.
    pub(super) fn compact(&mut self, revision: u64) {
        let (_, _, kept) = self.events.split_lookup(&revision);
        self.events = kept;
        self.compacted = self.compacted.max(revision);
    }
    /// Returns the held states of an object, oldest first.
    pub(super) fn of(&self, key: &Key, current: Option<&Arc<Stored>>) -> Vec<Held> {
        let mut states: Vec<Held> = Vec::new();
        let live =
            |object: &Arc<Stored>| Held { revision: object.revision(), deleted: false, object: Arc::clone(object) };
        for event in self.events.values().filter(|event| event.key() == key) {
            match &event.kind {
                EventKind::Put { old, new } => {
                    states.extend(old.as_ref().filter(|_| states.is_empty()).map(live));
                    states.push(live(new));
                }
                EventKind::Delete { old } => {
                    states.push(Held { revision: event.revision, deleted: true, object: Arc::clone(old) });
                }
            }
        }
        if states.is_empty() {
            states.extend(current.map(live));
        }
        states
    }
}

/// What compaction remembers between its calls: which revision was current at which time.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(VecDeque<(Timestamp, u64)>);

impl Marks {
    /// Notes that `revision` is current at `now`, and returns the revision up to which events may go.
    ///
    /// A time before an earlier one (a clock set back) forgets the later marks: nothing goes too early.
    pub(super) fn advance(&mut self, now: Timestamp, revision: u64, retention: &Retention) -> u64 {
        while self.0.back().is_some_and(|(time, _)| *time > now) {
            self.0.pop_back();
        }
        self.0.push_back((now, revision));
        let mut aged = 0;
        while let Some((_, revision)) = self.0.front().filter(|(time, _)| now.since(*time) >= retention.age_min) {
            aged = *revision;
            self.0.pop_front();
        }
        if aged > 0 {
            // Kept for the next call, whose age it still proves.
            self.0.push_front((now - retention.age_min, aged));
        }
        let beyond_min = revision.saturating_sub(retention.revisions_min);
        let beyond_max = revision.saturating_sub(retention.revisions_max);
        aged.min(beyond_min).max(beyond_max)
    }
}
