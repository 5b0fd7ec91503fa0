//! When a container that ended is started again: the kubelet's CrashLoopBackOff. Pure.
//!
//! Waits of 0, 10, 20, 40, 80, 160, 300, 300, … seconds, each counted from the end of the container; forgotten once
//! a container ran for more than 600 seconds after its start was decided.

/// First wait after the free restart, in milliseconds.
pub const BASE_MS: u64 = 10_000;
/// Longest wait in milliseconds.
pub const MAX_MS: u64 = 300_000;
/// A container that ends more than this after the last restart starts afresh.
const FORGET_MS: u64 = 2 * MAX_MS;

/// What is remembered of earlier restarts. Times are milliseconds of any clock that never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    /// The wait in force and when it was set; `None` before the first restart.
    last: Option<(u64, u64)>,
}

impl Backoff {
    /// Returns when a container that ended at `finished_ms` may start again.
    pub fn due(&self, finished_ms: u64) -> u64 {
        match self.remembered(finished_ms) {
            Some(delay_ms) => finished_ms + delay_ms,
            None => finished_ms,
        }
    }

    /// Returns the wait that a container that ended at `finished_ms` has to sit out.
    pub fn delay(&self, finished_ms: u64) -> u64 {
        self.remembered(finished_ms).unwrap_or(0)
    }

    /// Notes that a container that ended at `finished_ms` is started again at `now_ms`.
    #[must_use]
    pub fn restarted(self, finished_ms: u64, now_ms: u64) -> Self {
        let delay_ms = self.remembered(finished_ms).map_or(BASE_MS, |delay_ms| (delay_ms * 2).min(MAX_MS));
        Self { last: Some((delay_ms, now_ms)) }
    }

    fn remembered(&self, finished_ms: u64) -> Option<u64> {
        let (delay_ms, since_ms) = self.last?;
        (finished_ms.saturating_sub(since_ms) <= FORGET_MS).then_some(delay_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a container for each of `lifetimes_s` in turn and returns the waits before the starts that follow.
    #[track_caller]
    fn check(case: &str, lifetimes_s: &[u64], expected_s: &[u64]) {
        let (mut backoff, mut now) = (Backoff::default(), 1_000);
        let mut waits = Vec::new();
        for lifetime in lifetimes_s {
            let finished = now + lifetime * 1000;
            let due = backoff.due(finished);
            waits.push((due - finished) / 1000);
            backoff = backoff.restarted(finished, due);
            now = due;
        }
        assert_eq!(waits, expected_s, "{case}");
    }

    #[test]
    fn waits_double_from_ten_seconds_to_five_minutes() {
        check("at once", &[0; 9], &[0, 10, 20, 40, 80, 160, 300, 300, 300]);
        check("after some seconds each", &[5; 4], &[0, 10, 20, 40]);
    }

    #[test]
    fn a_long_life_is_forgiven() {
        check("600 s is not enough", &[0, 0, 600, 0], &[0, 10, 20, 40]);
        check("more than 600 s is", &[0, 0, 601, 0], &[0, 10, 0, 10]);
    }

    #[test]
    fn a_late_start_keeps_the_wait_counted_from_the_end() {
        let backoff = Backoff::default().restarted(0, 0);
        assert_eq!(backoff.due(1_000), 11_000);
        assert_eq!(backoff.restarted(1_000, 60_000).due(61_000), 81_000, "the entry is as old as the restart");
    }
}
