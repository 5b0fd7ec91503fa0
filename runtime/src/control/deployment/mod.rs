//! The Deployment controller: rolls a template out over ReplicaSets.
//!
//! One ReplicaSet for each version of the template; a rolling update grows the newest and shrinks the others within
//! `maxSurge` and `maxUnavailable`, so that a version that does not become available holds the update and the old pods
//! stay. Never touches pods itself.
//!
//! Start reading at `decide.rs`, then `rolling.rs`.

mod annotations;
mod decide;
mod hash;
mod limits;
mod observe;
mod proportional;
mod rolling;
mod sets;
mod status;
#[cfg(test)]
mod tests;

pub use decide::{DeploymentController, decide};
pub use limits::pod_limits;
pub use observe::Observed;
