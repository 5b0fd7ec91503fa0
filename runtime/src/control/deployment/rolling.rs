//! One step of a rolling update.

use crate::api::kinds::Deployment;
use crate::control::Action;

use super::limits::Limits;
use super::sets::{Set, Sets};

/// Returns the size that the newest ReplicaSet may have now: as large as wanted, within the surge.
pub(super) fn new_size(sets: &Sets, limits: Limits) -> i32 {
    let wanted = sets.new.as_ref().map_or(0, |new| new.wanted);
    let total: i32 = sets.all().map(Set::size).sum();
    let room = limits.max() - total;
    if room <= 0 { wanted } else { wanted + room.min(limits.replicas - wanted) }
}

/// Grows the newest ReplicaSet, or shrinks it to what is wanted.
pub(super) fn grow(new: &Set, sets: &Sets, desired: &Deployment, limits: Limits) -> Vec<Action> {
    let size = if new.wanted > limits.replicas { limits.replicas } else { new_size(sets, limits) };
    new.scale(size, desired, limits)
}

/// Shrinks the old ReplicaSets as far as enough pods stay available: first by those that are not available anyway.
pub(super) fn shrink(sets: &Sets, desired: &Deployment, limits: Limits) -> Vec<Action> {
    let unavailable = sets.new.as_ref().map_or(0, |new| new.wanted - new.available);
    let total: i32 = sets.all().map(|set| set.wanted).sum();
    let most = total - limits.min_available() - unavailable;
    if most <= 0 {
        return vec![];
    }
    let mut sizes: Vec<i32> = sets.old.iter().map(|set| set.wanted).collect();
    let mut cleaned = 0;
    for (set, size) in sets.old.iter().zip(&mut sizes) {
        let unhealthy = (*size - set.available).min(most - cleaned).max(0);
        *size -= unhealthy;
        cleaned += unhealthy;
    }
    let available: i32 = sets.all().map(|set| set.available).sum();
    let mut spare = available - limits.min_available();
    for size in &mut sizes {
        let stopped = (*size).min(spare).max(0);
        *size -= stopped;
        spare -= stopped;
    }
    let changed = sets.old.iter().zip(sizes).filter(|(set, size)| set.wanted != *size);
    changed.flat_map(|(set, size)| set.scale(size, desired, limits)).collect()
}
