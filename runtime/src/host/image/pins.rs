//! Keeps content that is being worked with from garbage collection, and lets one worker at a time make a thing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Digest;

/// Counts of users by digest.
#[derive(Default)]
pub(super) struct Pins(Mutex<BTreeMap<Digest, usize>>);

/// Keeps one digest from collection until dropped.
pub(super) struct Pin {
    pins: Arc<Pins>,
    digest: Digest,
}

impl Pins {
    pub(super) fn pin(self: &Arc<Self>, digest: &Digest) -> Pin {
        *self.lock().entry(digest.clone()).or_default() += 1;
        Pin { pins: Arc::clone(self), digest: digest.clone() }
    }

    /// Runs `action` unless `digest` is pinned; nobody can pin it meanwhile.
    pub(super) fn unless_pinned<T>(&self, digest: &Digest, action: impl FnOnce() -> T) -> Option<T> {
        let pins = self.lock();
        (!pins.contains_key(digest)).then(action)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, usize>> {
        // The map is consistent between any two statements, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.pins.lock();
        if let Some(count) = pins.get_mut(&self.digest) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.digest);
            }
        }
    }
}

/// Hands out one lock for each digest: who waits for it finds the work done.
#[derive(Default)]
pub(super) struct Turns(Mutex<BTreeMap<Digest, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits until nobody else works on `digest`.
    pub(super) async fn take(&self, digest: &Digest) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(digest.clone()).or_default())
        };
        turn.lock_owned().await
    }
}
