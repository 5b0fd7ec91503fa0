//! What was read lately, decoded.
//!
//! Responsible for: a bound on the memory that decoded objects take. An object is kept as JSON text, which takes a
//! tenth of what a [`Value`] or a typed object does; an object that was just written or read is likely to be read
//! again, so its decoded forms stay until younger ones need the room.
//!
//! Never: decides anything. Whether an object is warm changes what reading it costs and nothing else, which is why one
//! list may serve all stores of a process.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// Estimated bytes of all warm objects together: some 200 pods as types.
const BYTES_MAX: usize = 3 << 20;
/// How much more a decoded form takes than its text, as measured on pods and Deployments.
pub(super) const VALUE_FACTOR: usize = 8;
/// As [`VALUE_FACTOR`], for a typed object.
pub(super) const TYPED_FACTOR: usize = 5;

/// The decoded forms of one object, if it is warm.
#[derive(Default)]
pub(super) struct Forms {
    pub(super) value: Option<Arc<Value>>,
    pub(super) typed: Option<Arc<dyn Any + Send + Sync>>,
}

/// A place for [`Forms`] that an object and the list of warm ones share.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Forms>>);

impl Slot {
    pub(super) fn lock(&self) -> MutexGuard<'_, Forms> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a form that takes about `bytes` until younger ones need the room; not one for which all would have to go.
    pub(super) fn keep(&self, bytes: usize, put: impl FnOnce(&mut Forms)) {
        if bytes > BYTES_MAX / 2 {
            return;
        }
        put(&mut self.lock());
        let mut gone = Vec::new();
        {
            let mut warm = WARM.lock().unwrap_or_else(PoisonError::into_inner);
            warm.bytes += bytes;
            warm.slots.push_back((self.clone(), bytes));
            while warm.bytes > BYTES_MAX
                && let Some((slot, bytes)) = warm.slots.pop_front()
            {
                warm.bytes -= bytes;
                gone.push(slot);
            }
        }
        // A tree of values takes its time to free: not under the lock that every reader needs.
        for slot in gone {
            let forms = std::mem::take(&mut *slot.lock());
            drop(forms);
        }
    }
}

struct Warm {
    slots: VecDeque<(Slot, usize)>,
    bytes: usize,
}

static WARM: Mutex<Warm> = Mutex::new(Warm { slots: VecDeque::new(), bytes: 0 });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_forms_give_way() {
        let first = Slot::default();
        first.keep(1, |forms| forms.value = Some(Arc::new(Value::Null)));
        assert!(first.lock().value.is_some());
        let large = Slot::default();
        large.keep(BYTES_MAX, |forms| forms.value = Some(Arc::new(Value::Null)));
        assert!(large.lock().value.is_none() && first.lock().value.is_some(), "it is not worth all others");
        (0..3).for_each(|_| Slot::default().keep(BYTES_MAX / 2, |_| {}));
        assert!(first.lock().value.is_none(), "its room is needed");
    }
}
