//! Tests of the agent: decisions and statuses as tables, then whole pods on a real host.

mod deciding;
mod fixtures;
mod host;
mod rig;
mod speed;
mod statuses;
