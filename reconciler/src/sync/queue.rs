//! Which Application is looked at next: no Application twice at a time, none forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bowline_runtime::api::{Key, Timestamp};

use super::{PASSES_MAX, pass};

/// The first wait after a pass that failed, doubled for each further one up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(2);
/// The longest wait after passes that fail.
const RETRY_MAX: Duration = Duration::from_secs(300);

/// Which Applications wait, run, or are due later.
#[derive(Default)]
pub(super) struct Queue {
    ready: BTreeSet<Key>,
    running: BTreeSet<Key>,
    /// Asked for again while they run.
    again: BTreeSet<Key>,
    due: BTreeMap<Key, Timestamp>,
    /// The same by time.
    by_time: BTreeSet<(Timestamp, Key)>,
    failures: BTreeMap<Key, u32>,
}

impl Queue {
    pub(super) fn add(&mut self, key: Key) {
        if self.running.contains(&key) {
            self.again.insert(key);
        } else {
            self.ready.insert(key);
        }
    }

    pub(super) fn take(&mut self) -> Option<Key> {
        if self.running.len() >= PASSES_MAX {
            return None;
        }
        let key = self.ready.pop_first()?;
        self.forget_due(&key);
        self.running.insert(key.clone());
        Some(key)
    }

    pub(super) fn done(&mut self, key: Key, outcome: Result<Option<Timestamp>, pass::PassError>, now: Timestamp) {
        self.running.remove(&key);
        let until = match outcome {
            Ok(until) => {
                self.failures.remove(&key);
                until
            }
            Err(error) => {
                let failures = self.failures.entry(key.clone()).or_default();
                *failures = failures.saturating_add(1);
                tracing::warn!(application = %key, %error, "the pass failed and is tried again");
                Some(now + RETRY_MIN.saturating_mul(1 << (*failures - 1).min(16)).min(RETRY_MAX))
            }
        };
        if let Some(until) = until {
            self.forget_due(&key);
            self.due.insert(key.clone(), until);
            self.by_time.insert((until, key.clone()));
        }
        if self.again.remove(&key) {
            self.ready.insert(key);
        }
    }

    /// Asks for those whose time has come.
    pub(super) fn wake(&mut self, now: Timestamp) {
        while let Some((at, key)) = self.by_time.first().cloned().filter(|(at, _)| *at <= now) {
            self.by_time.remove(&(at, key.clone()));
            self.due.remove(&key);
            self.add(key);
        }
    }

    /// Returns when [`Queue::wake`] has something to do.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    fn forget_due(&mut self, key: &Key) {
        if let Some(at) = self.due.remove(key) {
            self.by_time.remove(&(at, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use bowline_runtime::api::kinds::Application;
    use bowline_runtime::store::{CommitError, Found, Precondition};

    use super::*;

    fn failure() -> pass::PassError {
        pass::PassError::Store(CommitError::Conflict {
            key: key("x"),
            expected: Precondition::Absent,
            found: Found::Absent,
        })
    }

    fn key(name: &str) -> Key {
        Application::kind().key("a", name)
    }

    #[test]
    fn an_application_runs_once_at_a_time_and_again_when_asked_meanwhile() {
        let mut queue = Queue::default();
        queue.add(key("x"));
        assert_eq!(queue.take(), Some(key("x")));
        queue.add(key("x"));
        assert_eq!(queue.take(), None, "it is running");
        queue.done(key("x"), Ok(None), Timestamp::EPOCH);
        assert_eq!(queue.take(), Some(key("x")));
    }

    #[test]
    fn failures_back_off_and_a_success_forgets_them() {
        let mut queue = Queue::default();
        let mut waits = Vec::new();
        for _ in 0..3 {
            queue.add(key("x"));
            queue.take();
            queue.done(key("x"), Err(failure()), Timestamp::EPOCH);
            waits.push(queue.due[&key("x")].secs());
        }
        assert_eq!(waits, [2, 4, 8]);
        queue.wake(Timestamp::from_secs(8));
        queue.take();
        queue.done(key("x"), Ok(None), Timestamp::EPOCH);
        assert!(queue.failures.is_empty());
    }
}
