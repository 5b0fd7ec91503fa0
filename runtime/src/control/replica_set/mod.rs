//! The ReplicaSet controller: keeps a number of equal pods.
//!
//! Takes over pods that its selector matches and nobody controls, lets go of those that stopped matching, creates what
//! is missing and stops what is too much, least useful first. Never looks at what runs in a pod.

mod decide;
mod observe;
mod rank;
mod status;
#[cfg(test)]
mod tests;

pub(super) use decide::to_json;
pub use decide::{ReplicaSetController, decide, refused};
pub use observe::Observed;
pub(super) use rank::worst_first;
