//! The engine on a real host: real namespaces, cgroups and processes, from the host's own `/usr`.
//!
//! Needs root; without it every test says so and passes.

mod adoption;
mod fixture;
mod isolation;
mod lifecycle;
mod limits;
mod program;

pub(in crate::host) use fixture::{engine_in, has_group, kill_remains, unable};
