//! The completion indexes of an Indexed Job.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::kinds::{Job, Pod};

/// Annotation and label that hold a pod's index.
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Whether each pod has an index of its own to complete.
pub(super) fn is_indexed(job: &Job) -> bool {
    job.spec.completion_mode.as_deref() == Some("Indexed")
}

/// Returns the index of a pod.
pub(super) fn of(pod: &Pod) -> Option<i32> {
    let meta = &pod.metadata;
    meta.annotations.get(INDEX).or_else(|| meta.labels.get(INDEX))?.parse().ok()
}

/// Parses the indexes that a status lists, as `1,3-5`; those at or beyond `completions` do not count.
pub(super) fn parse(text: &str, completions: i32) -> BTreeSet<i32> {
    let mut indexes = BTreeSet::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse::<i32>()) {
            indexes.extend(first.max(0)..=last.min(completions - 1));
        }
    }
    indexes
}

/// Writes indexes as `1,3-5`.
pub(super) fn write(indexes: &BTreeSet<i32>) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = indexes.iter().copied().peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while rest.next_if_eq(&(last + 1)).is_some() {
            last += 1;
        }
        parts.push(match last - first {
            0 => first.to_string(),
            1 => format!("{first},{last}"),
            _ => format!("{first}-{last}"),
        });
    }
    parts.join(",")
}

/// Returns the lowest indexes that are neither complete nor at work.
pub(super) fn missing(done: &BTreeSet<i32>, at_work: &[Arc<Pod>], completions: i32, count: usize) -> Vec<i32> {
    let taken: BTreeSet<i32> = at_work.iter().filter_map(|pod| of(pod)).collect();
    (0..completions).filter(|index| !done.contains(index) && !taken.contains(index)).take(count).collect()
}
