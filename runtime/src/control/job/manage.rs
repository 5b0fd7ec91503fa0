//! How many pods a Job has at work.

use crate::api::Timestamp;
use crate::api::kinds::Job;
use crate::control::{Action, Blocker};

use super::backoff::Failures;
use super::tally::Tally;
use super::{indexes, make};

/// Stops what is too much, or starts what is missing once the delay after failures is over.
pub(super) fn manage(job: &Job, tally: &Tally, failures: Failures, now: Timestamp) -> Vec<Action> {
    if job.spec.suspend.unwrap_or(false) {
        return tally.active.iter().flat_map(|pod| release_and_stop(job, pod)).collect();
    }
    let wanted = wanted(job, tally);
    let doubled = doubled(job, tally);
    let surplus = tally.active.len().saturating_sub(wanted).max(doubled.len());
    if surplus > 0 {
        let mut stop = doubled;
        let mut others = tally.active.clone();
        crate::control::replica_set::worst_first(&mut others, &std::collections::BTreeMap::new(), 0, now);
        for pod in others {
            if stop.len() < surplus && !stop.iter().any(|known| known.metadata.uid == pod.metadata.uid) {
                stop.push(pod);
            }
        }
        return stop.iter().flat_map(|pod| release_and_stop(job, pod)).collect();
    }
    // With the policy Failed a pod that is stopping keeps its place until it has ended.
    let holding = if job.spec.pod_replacement_policy.as_deref() == Some("Failed") { tally.stopping.len() } else { 0 };
    let missing = wanted.saturating_sub(tally.active.len() + holding);
    if missing == 0 {
        return vec![];
    }
    if let Some(until) = failures.until(now) {
        return vec![Action::Wait { on: Blocker::Backoff { failures: failures.in_a_row }, until: Some(until) }];
    }
    if indexes::is_indexed(job) {
        let mut at_work = tally.active.clone();
        if holding > 0 {
            at_work.extend(tally.stopping.iter().cloned());
        }
        let missing = indexes::missing(&tally.indexes, &at_work, job.spec.completions.unwrap_or(0), missing);
        return missing.into_iter().map(|index| make::create(job, Some(index))).collect();
    }
    (0..missing).map(|_| make::create(job, None)).collect()
}

/// Returns how many pods are to be at work: what is left to complete, at most `parallelism`.
fn wanted(job: &Job, tally: &Tally) -> usize {
    let parallelism = job.spec.parallelism.unwrap_or(1);
    let wanted = match job.spec.completions {
        Some(completions) => (completions - tally.succeeded).min(parallelism),
        // Without a number of completions the first success ends it: no more pods, but those at work go on.
        None if tally.succeeded > 0 => return tally.active.len(),
        None => parallelism,
    };
    usize::try_from(wanted).unwrap_or(0)
}

/// Returns pods whose index another one has, is complete or does not exist.
fn doubled(job: &Job, tally: &Tally) -> Vec<std::sync::Arc<crate::api::kinds::Pod>> {
    if !indexes::is_indexed(job) {
        return vec![];
    }
    let completions = job.spec.completions.unwrap_or(0);
    let mut seen = tally.indexes.clone();
    let surplus = tally.active.iter().filter(|pod| match indexes::of(pod) {
        Some(index) if index < completions => !seen.insert(index),
        _ => true,
    });
    surplus.cloned().collect()
}

/// Stops a pod that the Job does not want any more: it counts neither as success nor as failure.
fn release_and_stop(job: &Job, pod: &crate::api::kinds::Pod) -> Vec<Action> {
    let release = make::is_tracked(pod).then(|| make::release(pod));
    release.into_iter().chain(make::stop(job, pod)).collect()
}
