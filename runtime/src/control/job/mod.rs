//! The Job controller: runs pods until enough of them have succeeded.
//!
//! Counts each ended pod exactly once: a pod carries the finalizer `batch.kubernetes.io/job-tracking` until the
//! transaction that counts it takes the finalizer away (docs/adr/0004-controllers.md). Failed pods are made anew after
//! a growing delay, up to `backoffLimit`. Never looks at what a pod printed.
//!
//! Start reading at `decide.rs`; the counting is in `tally.rs`.

mod backoff;
mod conditions;
mod decide;
mod indexes;
mod make;
mod manage;
mod observe;
mod orphans;
mod tally;
#[cfg(test)]
mod tests;

pub use conditions::{finished, is_finished};
pub use decide::{JobController, decide};
pub use observe::Observed;
pub use orphans::orphan_pods;
