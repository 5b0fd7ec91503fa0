//! What became of a commit: the health of its objects, and why something is not healthy.
//!
//! Pure functions over a snapshot; never waits and never writes.

mod explain;
mod health;

pub use explain::explain;
pub use health::{Health, State, of, of_since};
