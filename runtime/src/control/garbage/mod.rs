//! The garbage collector: deletes what has lost its owners, and carries out foreground and orphaning deletions.
//!
//! An owner is told by its UID: one of the same name that was made later is not the owner. An owner whose kind is not
//! known here counts as present, so that nothing is deleted by mistake.

mod decide;
mod owners;
#[cfg(test)]
mod tests;

pub use decide::garbage_collector;
