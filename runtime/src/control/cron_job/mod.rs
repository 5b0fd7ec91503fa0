//! The CronJob controller: starts a Job whenever a schedule is due.
//!
//! A run is named after its minute, and noting it and creating it are one transaction, so that no crash can double or
//! lose it. Only the most recent of several missed runs is started. Never runs anything itself.

mod decide;
mod history;
mod observe;
#[cfg(test)]
mod tests;

pub use decide::{CronJobController, decide};
pub use observe::Observed;
