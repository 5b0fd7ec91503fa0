//! The built-in kinds, one file a kind: every field of the Kubernetes v1 types, and bowline's own.
//!
//! A declaration is the only place that knows a field, its default, its rules and its column. Nothing here acts
//! on an object. Start reading at any small kind, for example [`lease`], then [`deployment`] and [`pod`].

pub mod application;
pub mod config_map;
pub mod cron_job;
pub mod deployment;
pub mod event;
pub mod git_repository;
pub mod inventory_entry;
pub mod job;
mod job_validate;
pub mod lease;
pub mod namespace;
pub mod node;
pub mod pod;
pub mod reference;
pub mod replica_set;
pub mod secret;
pub mod service_account;

pub use application::*;
pub use config_map::ConfigMap;
pub use cron_job::*;
pub use deployment::*;
pub use event::*;
pub use git_repository::*;
pub use inventory_entry::InventoryEntry;
pub use job::*;
pub use lease::*;
pub use namespace::*;
pub use node::*;
pub use pod::*;
pub use reference::*;
pub use replica_set::*;
pub use secret::Secret;
pub use service_account::ServiceAccount;

use super::object::Kinds;

/// Returns the kinds that every bowline serves.
pub fn builtin() -> Kinds {
    Kinds::default()
        .with::<Namespace>()
        .with::<Node>()
        .with::<ConfigMap>()
        .with::<Secret>()
        .with::<ServiceAccount>()
        .with::<Pod>()
        .with::<Event>()
        .with::<ReplicaSet>()
        .with::<Deployment>()
        .with::<Job>()
        .with::<CronJob>()
        .with::<Lease>()
        .with::<GitRepository>()
        .with::<Application>()
}

#[cfg(test)]
mod tests;
