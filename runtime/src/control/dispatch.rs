//! The part of the framework that needs no task and no thread: which key is next, and what follows from a decision.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::api::{Key, Kinds, Timestamp};
use crate::store::events::Recorder;
use crate::store::objects::Entropy;
use crate::store::{CommitError, Event, EventKind, Snapshot};

use super::act::{Round, Scene, transact};
use super::prepare::Preparer;
use super::queue::{Item, Queue};
use super::{Blocker, Change, Registered};

/// The longest delay after a decision that was overtaken: the next one sees the newest state at once.
const OVERTAKEN_MAX: Duration = Duration::from_millis(100);
/// The longest delay after a creation that was refused: its reason may go away without a change that is seen.
const REFUSED_MAX: Duration = Duration::from_secs(1000);

/// Why a controller does nothing (more) about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The controller.
    pub controller: &'static str,
    /// The object.
    pub key: Key,
    /// The reason.
    pub on: Blocker,
    /// When it looks again at the latest.
    pub until: Option<Timestamp>,
}

/// What a decision came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// There is no such object (any more).
    Nothing,
    /// The transaction is done, or there was none.
    Done { waits: Vec<(Blocker, Option<Timestamp>)>, refused: Option<String> },
    /// Something else had changed before.
    Overtaken,
    /// The store took no write.
    Failed(CommitError),
}

/// Reads decisions and makes transactions of them; shared by all that work at the same time.
#[derive(Debug)]
pub(super) struct Workshop {
    preparer: Preparer,
    recorder: Mutex<Recorder>,
}

impl Workshop {
    pub(super) fn new(kinds: Kinds, entropy: Entropy) -> Self {
        Self { preparer: Preparer::new(kinds, entropy), recorder: Mutex::default() }
    }

    /// Decides about a key. `None` where there is nothing to decide.
    pub(super) fn decide(
        &self,
        controller: &Registered,
        snapshot: &Snapshot,
        key: &Key,
        now: Timestamp,
    ) -> Option<Round> {
        let actions = (controller.decide)(snapshot, key, now)?;
        let scene = Scene { controller: controller.name, snapshot, key, now, preparer: &self.preparer };
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        let mut round = transact(&scene, &actions, &mut recorder);
        if let (Some(error), Some(react)) = (&round.refused, controller.refused) {
            let reaction = transact(&scene, &react(snapshot, key, error, now), &mut recorder);
            // The reaction's view of an object replaces the decision's.
            let keys: Vec<Key> = reaction.txn.ops.iter().map(|op| op.key.clone()).collect();
            round.txn.ops.retain(|op| !keys.contains(&op.key));
            round.txn.ops.extend(reaction.txn.ops);
        }
        Some(round)
    }

    pub(super) fn kinds(&self) -> &Kinds {
        &self.preparer.kinds
    }
}

/// The keys of all controllers and why they wait.
#[derive(Debug)]
pub(super) struct Dispatcher {
    pub(super) controllers: Arc<[Registered]>,
    queue: Queue,
    waiting: Arc<Mutex<Waits>>,
}

/// The waits of each key.
type Waits = BTreeMap<Item, Vec<(Blocker, Option<Timestamp>)>>;

impl Dispatcher {
    pub(super) fn new(controllers: Vec<Registered>) -> Self {
        Self { controllers: controllers.into(), queue: Queue::default(), waiting: Arc::default() }
    }

    /// Brings up the keys that every object of a snapshot concerns: after a start, or when events were missed.
    pub(super) fn route_all(&mut self, snapshot: &Snapshot) {
        for stored in snapshot.iter() {
            self.route(snapshot, &Change { key: stored.key(), old: None, new: Some(stored) });
        }
    }

    /// Brings up the keys that an event concerns.
    pub(super) fn route_event(&mut self, snapshot: &Snapshot, event: &Event) {
        let (old, new) = match &event.kind {
            EventKind::Put { old, new } => (old.as_deref(), Some(&**new)),
            EventKind::Delete { old } => (Some(&**old), None),
        };
        self.route(snapshot, &Change { key: event.key(), old, new });
    }

    fn route(&mut self, snapshot: &Snapshot, change: &Change<'_>) {
        for (place, controller) in self.controllers.iter().enumerate() {
            for key in (controller.route)(snapshot, change) {
                self.queue.add((place, key));
            }
        }
    }

    /// Puts another key in front.
    pub(super) fn shuffle(&mut self, pick: impl FnOnce(usize) -> usize) {
        self.queue.shuffle(pick);
    }

    /// Hands out the next key to decide about.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Item> {
        let Self { controllers, queue, .. } = self;
        let busy: Vec<bool> = controllers
            .iter()
            .enumerate()
            .map(|(place, controller)| queue.working(place) >= controller.parallel)
            .collect();
        queue.take(now, |place| !busy[place])
    }

    /// Notes what a decision came to and when its key comes back.
    pub(super) fn finish(&mut self, item: &Item, outcome: Outcome, now: Timestamp) {
        match outcome {
            Outcome::Nothing => {
                self.queue.succeeded(item);
                self.queue.cancel(item);
                self.note(item, vec![]);
            }
            Outcome::Done { waits, refused } => {
                match waits.iter().filter_map(|(_, until)| *until).min() {
                    Some(until) => self.queue.add_at(item.clone(), until),
                    None => self.queue.cancel(item),
                }
                self.note(item, waits);
                if refused.is_some() {
                    self.queue.failed(item, now, REFUSED_MAX);
                } else {
                    self.queue.succeeded(item);
                }
            }
            Outcome::Overtaken => drop(self.queue.failed(item, now, OVERTAKEN_MAX)),
            Outcome::Failed(error) => {
                let again = self.queue.failed(item, now, REFUSED_MAX);
                tracing::warn!(controller = self.controllers[item.0].name, object = %item.1, %error, %again, "cannot carry out a decision");
            }
        }
        self.queue.done(item);
    }

    fn note(&self, item: &Item, waits: Vec<(Blocker, Option<Timestamp>)>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waits.is_empty() {
            waiting.remove(item);
        } else {
            waiting.insert(item.clone(), waits);
        }
    }

    /// Returns when the next key comes back by itself.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.queue.next_due()
    }

    /// Returns the notes on why keys wait, for those who ask while the dispatcher works.
    pub(super) fn notes(&self) -> Notes {
        Notes { controllers: Arc::clone(&self.controllers), waiting: Arc::clone(&self.waiting) }
    }
}

/// Why keys wait. Clones share the notes.
#[derive(Clone, Debug)]
pub(super) struct Notes {
    controllers: Arc<[Registered]>,
    waiting: Arc<Mutex<Waits>>,
}

impl Notes {
    /// Returns why keys wait for which `wanted` holds, by controller and key.
    pub(super) fn list(&self, wanted: impl Fn(&Key) -> bool) -> Vec<Waiting> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen = waiting.iter().filter(|((_, key), _)| wanted(key));
        let all = chosen.flat_map(|((place, key), waits)| waits.iter().map(move |wait| (*place, key, wait)));
        all.map(|(place, key, (on, until))| Waiting {
            controller: self.controllers[place].name,
            key: key.clone(),
            on: on.clone(),
            until: *until,
        })
        .collect()
    }
}

/// Returns what came of a committed, refused or failed round.
pub(super) fn outcome(round: Round, committed: Result<(), CommitError>) -> Outcome {
    match committed {
        Err(CommitError::Conflict { .. }) => Outcome::Overtaken,
        Err(error) => Outcome::Failed(error),
        Ok(()) if round.stale => Outcome::Overtaken,
        Ok(()) => Outcome::Done { waits: round.waits, refused: round.refused },
    }
}
