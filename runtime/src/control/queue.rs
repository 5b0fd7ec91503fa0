//! Which keys are to be decided about, and when.
//!
//! Holds each key once however often it is asked for, never hands out a key that is being worked on, and keeps those
//! that are to come back later. Pure: the time is an argument, and the order of handing out is the order of asking.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::api::{Key, Timestamp};

/// A key in the hands of one controller, named by its place in the list of controllers.
pub(super) type Item = (usize, Key);

/// The first delay after a failure, and the longest one: client-go's for rate limited queues.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1000));

/// The work of all controllers.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ready: VecDeque<Item>,
    queued: BTreeSet<Item>,
    working: BTreeSet<Item>,
    /// Asked for again while being worked on.
    again: BTreeSet<Item>,
    later: BTreeSet<(Timestamp, Item)>,
    due: BTreeMap<Item, Timestamp>,
    failures: BTreeMap<Item, u32>,
}

impl Queue {
    /// Asks for a key now.
    pub(super) fn add(&mut self, item: Item) {
        if self.working.contains(&item) {
            self.again.insert(item);
        } else if self.queued.insert(item.clone()) {
            self.ready.push_back(item);
        }
    }

    /// Asks for a key at a time; the time set before is replaced.
    pub(super) fn add_at(&mut self, item: Item, time: Timestamp) {
        self.cancel(&item);
        self.due.insert(item.clone(), time);
        self.later.insert((time, item));
    }

    /// Forgets the time that a key was to come back at.
    pub(super) fn cancel(&mut self, item: &Item) {
        if let Some(time) = self.due.remove(item) {
            self.later.remove(&(time, item.clone()));
        }
    }

    /// Hands out the next key for which `free` holds; it is worked on until [`Queue::done`].
    pub(super) fn take(&mut self, now: Timestamp, free: impl Fn(usize) -> bool) -> Option<Item> {
        while let Some((_, item)) = self.later.first().filter(|(time, _)| *time <= now).cloned() {
            self.cancel(&item);
            self.add(item);
        }
        let place = self.ready.iter().position(|(controller, _)| free(*controller))?;
        let item = self.ready.remove(place)?;
        self.queued.remove(&item);
        self.working.insert(item.clone());
        Some(item)
    }

    /// Puts another key in front: which one, `pick` says, given how many are ready.
    pub(super) fn shuffle(&mut self, pick: impl FnOnce(usize) -> usize) {
        if !self.ready.is_empty() {
            let first = pick(self.ready.len()) % self.ready.len();
            self.ready.rotate_left(first);
        }
    }

    /// Ends the work on a key, which comes again if it was asked for meanwhile.
    pub(super) fn done(&mut self, item: &Item) {
        self.working.remove(item);
        if self.again.remove(item) {
            self.add(item.clone());
        }
    }

    /// Forgets the failures of a key.
    pub(super) fn succeeded(&mut self, item: &Item) {
        self.failures.remove(item);
    }

    /// Brings a key back after a delay that doubles with each failure in a row, and returns when.
    pub(super) fn failed(&mut self, item: &Item, now: Timestamp, longest: Duration) -> Timestamp {
        let failures = self.failures.entry(item.clone()).or_default();
        let delay =
            BACKOFF.0.saturating_mul(1_u32.checked_shl(*failures).unwrap_or(u32::MAX)).min(BACKOFF.1).min(longest);
        *failures = (*failures + 1).min(31);
        let time = now + delay;
        self.add_at(item.clone(), time);
        time
    }

    /// Returns when the next key comes back.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.later.first().map(|(time, _)| *time)
    }

    /// Returns how many keys a controller is working on.
    pub(super) fn working(&self, controller: usize) -> usize {
        self.working.iter().filter(|(owner, _)| *owner == controller).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str) -> Item {
        (0, Key { resource: "pods".into(), namespace: "a".into(), name: name.into() })
    }
    fn take(queue: &mut Queue, secs: i64) -> Option<String> {
        queue.take(Timestamp::from_secs(secs), |_| true).map(|(_, key)| key.name.to_string())
    }

    #[test]
    fn a_key_that_is_asked_for_twice_is_handed_out_once() {
        let mut queue = Queue::default();
        queue.add(item("a"));
        queue.add(item("b"));
        queue.add(item("a"));
        assert_eq!(take(&mut queue, 0).as_deref(), Some("a"));
        assert_eq!(take(&mut queue, 0).as_deref(), Some("b"));
        assert_eq!(take(&mut queue, 0), None);
    }

    #[test]
    fn a_key_being_worked_on_comes_again_only_after_it_is_done() {
        let mut queue = Queue::default();
        queue.add(item("a"));
        assert_eq!(take(&mut queue, 0).as_deref(), Some("a"));
        queue.add(item("a"));
        assert_eq!(take(&mut queue, 0), None);
        queue.done(&item("a"));
        assert_eq!(take(&mut queue, 0).as_deref(), Some("a"));
    }

    #[test]
    fn a_later_key_comes_at_its_time_and_a_new_time_replaces_the_old() {
        let mut queue = Queue::default();
        queue.add_at(item("a"), Timestamp::from_secs(5));
        queue.add_at(item("a"), Timestamp::from_secs(9));
        assert_eq!(queue.next_due(), Some(Timestamp::from_secs(9)));
        assert_eq!(take(&mut queue, 8), None);
        assert_eq!(take(&mut queue, 9).as_deref(), Some("a"));
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn the_delay_doubles_with_each_failure_up_to_the_longest() {
        let mut queue = Queue::default();
        let delays: Vec<i64> =
            (0..22).map(|_| queue.failed(&item("a"), Timestamp::EPOCH, BACKOFF.1).micros() / 1000).collect();
        assert_eq!(delays[..4], [5, 10, 20, 40]);
        assert_eq!(delays[17..], [655_360, 1_000_000, 1_000_000, 1_000_000, 1_000_000]);
        queue.succeeded(&item("a"));
        assert_eq!(queue.failed(&item("a"), Timestamp::EPOCH, BACKOFF.1).micros(), 5000);
    }

    #[test]
    fn a_controller_that_is_at_its_limit_does_not_hold_up_others() {
        let mut queue = Queue::default();
        queue.add(item("a"));
        queue.add((1, item("b").1));
        let taken = queue.take(Timestamp::EPOCH, |controller| controller == 1);
        assert_eq!(taken.map(|(controller, _)| controller), Some(1));
    }
}
