//! Controllers: pure decisions over a snapshot, and the framework that carries them out.
//!
//! A controller is a [`Controller`]: `observe` reads what a decision needs out of a [`Snapshot`], `decide` turns that,
//! the wanted object and a time into [`Action`]s. Deciders never see a clock, a random number, I/O or an unordered
//! map; waiting is an action with a reason. The framework routes changes to keys, keeps the queue, turns the actions
//! of one decision into one transaction that only holds if nothing it was decided from has changed, and remembers why
//! keys wait.
//!
//! Never knows Git, hosts or HTTP. `run` owns one tokio task (the dispatcher) and one short task per decision;
//! [`Harness`] drives the same controllers in the calling thread, for tests and simulation.
//!
//! Start reading at [`Controller`], then [`Action`], then `replica_set/decide.rs`.

mod act;
mod action;
pub mod cron_job;
pub mod deployment;
mod dispatch;
pub mod expiry;
pub mod garbage;
mod harness;
pub mod job;
pub mod namespace;
mod owner;
pub(crate) mod pods;
mod prepare;
mod queue;
mod registered;
pub mod replica_set;
mod run;
pub mod scheduler;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::api::{Key, Kind, Object, Timestamp};
use crate::store::Snapshot;

pub use crate::store::events::Importance;
pub use action::{Action, Blocker, Propagation, render};
pub use dispatch::Waiting;
pub use harness::{Fault, Harness};
pub use owner::owner_reference;
pub use prepare::seeded_entropy;
pub use registered::{Change, Registered};
pub use run::{Running, Setup, run};

/// Returns the controllers of the built-in kinds.
pub fn builtin() -> Vec<Registered> {
    vec![
        Registered::of::<replica_set::ReplicaSetController>().on_refused(replica_set::refused),
        Registered::of::<deployment::DeploymentController>(),
        Registered::of::<job::JobController>(),
        job::orphan_pods(),
        Registered::of::<cron_job::CronJobController>(),
        garbage::garbage_collector(),
        namespace::namespace_controller(),
        scheduler::scheduler(),
        Registered::of::<expiry::EventController>(),
    ]
}

/// What makes objects of one kind true. Implemented by `#[controller]` on a `decide` function.
pub trait Controller: 'static {
    /// The controller's name: in events, in `why`, in metrics.
    const NAME: &'static str;
    /// The kind that is decided about.
    type Object: Object;
    /// What a decision needs to know beside the object.
    type Observed;

    /// Returns the kinds whose objects, when one changes, bring up the object that controls them.
    fn owns() -> &'static [fn() -> &'static Kind];
    /// Returns the further kinds whose changes bring objects up.
    fn watches() -> &'static [Watch];
    /// Reads the object and what its decision needs; `None` where there is nothing to decide.
    fn observe(snapshot: &Snapshot, key: &Key) -> Option<(Self::Observed, Arc<Self::Object>)>;
    /// Lists the steps that bring the observed closer to the desired state; only waits once it is reached.
    fn decide(observed: &Self::Observed, desired: &Self::Object, now: Timestamp) -> Vec<Action>;
}

/// A kind whose changes matter to a controller that does not own its objects.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// The kind.
    pub kind: fn() -> &'static Kind,
    /// Names the objects to decide about when the one with this key has changed.
    pub map: fn(&Snapshot, &Key) -> Vec<Key>,
}
