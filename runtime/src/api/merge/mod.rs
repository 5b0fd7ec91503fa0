//! How writes change an object: server-side apply, strategic merge, JSON merge patch, JSON patch, and who owns what.
//!
//! Everything here is a pure function of JSON values and a kind's declaration. Never defaults, validates or stores.
//! Start reading at [`apply()`]; `shape` is where the schema decides what is told apart.

mod apply;
mod combine;
pub mod fieldset;
#[cfg(test)]
mod fixtures;
pub mod json;
mod managers;
mod owned;
pub(crate) mod shape;
pub mod strategic;
#[cfg(test)]
mod tests;

pub use apply::{ApplyError, Conflict, apply, track_update};
pub use fieldset::FieldSet;
pub use json::{JsonPatchError, json_patch, merge_patch};
pub use strategic::{PatchError, strategic};
