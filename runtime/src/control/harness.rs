//! Drives controllers in the calling thread, one decision after the other: for tests, plans and simulation.
//!
//! The same decisions, transactions and queue as [`run`](super::run); only the time is an argument, and nothing happens
//! between two calls.

use crate::api::{Kinds, Timestamp};
use crate::store::objects::Entropy;
use crate::store::{CommitError, Store, WatchFilter, Watcher};

use super::dispatch::{Dispatcher, Outcome, Waiting, Workshop, outcome};
use super::{Action, Registered};

/// What keeps a decision from being carried out, for simulations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another writer was faster.
    Conflict,
    /// The store takes no write, as on a full disk.
    Refused,
}

/// Controllers over a store, without tasks.
pub struct Harness {
    store: Store,
    watcher: Watcher,
    dispatcher: Dispatcher,
    workshop: Workshop,
}

impl Harness {
    /// Sets controllers on a store; all its objects are decided about in the first steps.
    pub fn new(store: Store, kinds: Kinds, controllers: Vec<Registered>, entropy: Entropy) -> Self {
        let snapshot = store.snapshot();
        let watcher =
            store.watch(Some(snapshot.revision()), WatchFilter::all()).expect("invariant: the newest revision is held");
        let mut dispatcher = Dispatcher::new(controllers);
        dispatcher.route_all(&snapshot);
        Self { store, watcher, dispatcher, workshop: Workshop::new(kinds, entropy) }
    }

    /// Returns the store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Decides about one key and carries the decision out; `false` where no key is due.
    ///
    /// # Errors
    /// The store took no write; the key comes back after a delay.
    pub fn step(&mut self, now: Timestamp) -> Result<bool, CommitError> {
        self.step_failing(now, |_| 0, None)
    }

    /// As [`Harness::step`], with the ready key that `pick` chooses of so many, and with `fault` in place of the write:
    /// for simulations of every order of events.
    ///
    /// # Errors
    /// As [`Harness::step`]; [`Fault::Refused`] is one.
    pub fn step_failing(
        &mut self,
        now: Timestamp,
        pick: impl FnOnce(usize) -> usize,
        fault: Option<Fault>,
    ) -> Result<bool, CommitError> {
        self.follow();
        self.dispatcher.shuffle(pick);
        let Some(item) = self.dispatcher.take(now) else { return Ok(false) };
        let controller = self.dispatcher.controllers[item.0];
        let snapshot = self.store.snapshot();
        let result = match self.workshop.decide(&controller, &snapshot, &item.1, now) {
            None => Outcome::Nothing,
            Some(round) if round.txn.ops.is_empty() => outcome(round, Ok(())),
            Some(_) if fault == Some(Fault::Conflict) => Outcome::Overtaken,
            Some(_) if fault == Some(Fault::Refused) => Outcome::Failed(CommitError::Full { path: "simulated".into() }),
            Some(mut round) => {
                let committed = self.store.commit(std::mem::take(&mut round.txn));
                outcome(round, committed.map(drop))
            }
        };
        let failed = if let Outcome::Failed(error) = &result { Some(error.clone()) } else { None };
        self.dispatcher.finish(&item, result, now);
        failed.map_or(Ok(true), Err)
    }

    /// Steps until no key is due, at most `steps_max` times, and returns how many steps there were.
    ///
    /// # Errors
    /// As [`Harness::step`].
    pub fn settle(&mut self, now: Timestamp, steps_max: usize) -> Result<usize, CommitError> {
        for steps in 0..steps_max {
            if !self.step(now)? {
                return Ok(steps);
            }
        }
        Ok(steps_max)
    }

    /// Returns when the next key comes back by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.dispatcher.next_due()
    }

    /// Returns why keys wait.
    pub fn waiting(&self) -> Vec<Waiting> {
        self.dispatcher.notes().list(|_| true)
    }

    /// Returns what the controllers would do about every object now, without doing it; waits are left out.
    pub fn pending(&self, now: Timestamp) -> Vec<(&'static str, Action)> {
        let snapshot = self.store.snapshot();
        let mut pending = Vec::new();
        for controller in self.dispatcher.controllers.iter() {
            for stored in snapshot.iter() {
                let change = super::Change { key: stored.key(), old: None, new: Some(stored) };
                for key in (controller.route)(&snapshot, &change).into_iter().filter(|key| key == stored.key()) {
                    let actions = (controller.decide)(&snapshot, &key, now).unwrap_or_default();
                    let acting = actions.into_iter().filter(|action| !matches!(action, Action::Wait { .. }));
                    pending.extend(acting.map(|action| (controller.name, action)));
                }
            }
        }
        pending
    }

    /// Returns the kinds that objects are made of.
    pub fn kinds(&self) -> &Kinds {
        self.workshop.kinds()
    }

    fn follow(&mut self) {
        loop {
            match self.watcher.try_next() {
                Ok(Some(event)) => self.dispatcher.route_event(&self.store.snapshot(), &event),
                Ok(None) => return,
                Err(_) => {
                    let snapshot = self.store.snapshot();
                    self.dispatcher.route_all(&snapshot);
                    let Ok(watcher) = self.store.watch(Some(snapshot.revision()), WatchFilter::all()) else { return };
                    self.watcher = watcher;
                }
            }
        }
    }
}
