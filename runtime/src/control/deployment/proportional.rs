//! What happens to the ReplicaSets when the Deployment's own size changes in the middle of an update.

use std::cmp::Reverse;

use crate::api::kinds::Deployment;
use crate::control::{Action, pods};

use super::annotations;
use super::limits::{Limits, is_recreate};
use super::sets::{Set, Sets};

/// Whether the Deployment's size has changed since a ReplicaSet with pods was last sized.
pub(super) fn is_due(sets: &Sets, limits: Limits) -> bool {
    let active = sets.all().filter(|set| set.wanted > 0);
    let mut known = active.filter_map(|set| annotations::number(&set.object.metadata, annotations::DESIRED));
    known.any(|desired| desired != i64::from(limits.replicas))
}

/// Sizes the ReplicaSets: a single one fully, several in proportion, none of the old ones once the newest is complete.
pub(super) fn scale(sets: &Sets, desired: &Deployment, limits: Limits) -> Vec<Action> {
    let mut active: Vec<&Set> = sets.all().filter(|set| set.wanted > 0).collect();
    let newest = || sets.new.as_ref().or(sets.old.last());
    match (active.as_slice(), newest()) {
        ([], Some(only)) => return only.scale(limits.replicas, desired, limits),
        ([only], _) => return only.scale(limits.replicas, desired, limits),
        ([], None) => return vec![],
        _ => {}
    }
    if sets.new.as_ref().is_some_and(|new| is_saturated(new, limits)) {
        return sets.old.iter().filter(|set| set.wanted > 0).flat_map(|set| set.scale(0, desired, limits)).collect();
    }
    if is_recreate(&desired.spec) {
        return vec![];
    }
    let allowed = if limits.replicas > 0 { limits.max() } else { 0 };
    let to_add = allowed - active.iter().map(|set| set.wanted).sum::<i32>();
    let age = |set: &Set| pods::created(&set.object.metadata);
    if to_add > 0 {
        active.sort_by_key(|set| (Reverse(set.wanted), Reverse(age(set))));
    } else {
        active.sort_by_key(|set| (Reverse(set.wanted), age(set)));
    }
    let sizes = sizes(&active, desired, limits, to_add);
    active.iter().zip(sizes).flat_map(|(set, size)| set.scale(size, desired, limits)).collect()
}

/// Shares `to_add` out by size; what rounding leaves goes to the first.
fn sizes(active: &[&Set], desired: &Deployment, limits: Limits, to_add: i32) -> Vec<i32> {
    let mut added = 0;
    let mut sizes = Vec::with_capacity(active.len());
    for set in active {
        let share = share(set, desired, limits, to_add, added);
        added += share;
        sizes.push(set.wanted + share);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    sizes
}

fn share(set: &Set, desired: &Deployment, limits: Limits, to_add: i32, added: i32) -> i32 {
    if to_add == 0 || to_add == added {
        return 0;
    }
    let fraction = if limits.replicas == 0 {
        -set.wanted
    } else {
        let known = annotations::number(&set.object.metadata, annotations::MAX).filter(|max| *max > 0);
        let status = || desired.status.as_ref().and_then(|status| status.replicas).map(i64::from);
        let before = known.or_else(status).filter(|max| *max > 0).unwrap_or(1);
        let size = f64::from(set.wanted) * f64::from(limits.max()) / before as f64;
        size.round() as i32 - set.wanted
    };
    let left = to_add - added;
    if to_add > 0 { fraction.min(left) } else { fraction.max(left) }
}

/// Whether the newest version has all its pods, and has them available.
fn is_saturated(new: &Set, limits: Limits) -> bool {
    let known = annotations::number(&new.object.metadata, annotations::DESIRED) == Some(i64::from(limits.replicas));
    known && new.wanted == limits.replicas && new.available == limits.replicas
}
