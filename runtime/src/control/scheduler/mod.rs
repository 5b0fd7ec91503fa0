//! The scheduler: gives each pending pod to a node.
//!
//! Takes the node with the fewest pods among those that are ready, not cordoned and match `nodeSelector`. Looks at
//! neither affinity, taints nor requests yet. Decides about one pod at a time, so that each sees where the last went.

mod decide;
#[cfg(test)]
mod tests;

pub use decide::{Observed, PodController, decide, scheduler};
