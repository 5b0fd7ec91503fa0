//! The deterministic simulator: the real controllers and the real agent's decisions, over a store in memory, simulated
//! hosts and a simulated clock.
//!
//! Responsible for: letting everything that may happen happen in any order that a seed gives, faults on every effect
//! included, and telling which promise broke at which step ([`invariant`]); for replaying what a run did; and, later,
//! for showing what a change would lead to on a fork of a real store.
//!
//! Never: touches the kernel, the network, the disk or the system's clock; decides what a controller, an agent or the
//! API decides. It is the only module that may import both [`control`](crate::control) and the pure modules of
//! [`host::agent`](crate::host::agent), which otherwise meet in the store alone; neither imports it.
//!
//! Start reading at [`World`], then [`Run`], then `invariant/mod.rs`.

mod fate;
mod host;
pub mod invariant;
mod manifest;
mod random;
mod run;
mod step;
mod user;
mod world;

#[cfg(test)]
mod tests;

pub use fate::{Fate, FateOf, Programs, StopTakes};
pub use host::{SimHost, Writes};
pub use manifest::{deployment, job};
pub use random::Random;
pub use run::{Broken, Plan, Report, Run};
pub use step::{ParseStepError, Step};
pub use world::{START, World, WriteError};
