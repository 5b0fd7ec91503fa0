//! The Namespace controller: empties a namespace that is being deleted, pods first, and then lets it go.
//!
//! Never touches a namespace that is not being deleted.

mod decide;
#[cfg(test)]
mod tests;

pub use decide::{NamespaceController, Observed, decide, namespace_controller};
