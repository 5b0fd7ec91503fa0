//! What the three macros share: reading attributes, collecting errors, looking at Rust and serde syntax.
//!
//! Knows the grammar, never the meaning of an attribute. Start reading at [`items`].

pub mod doc;
pub mod errors;
pub mod items;
pub mod json;
pub mod rust_type;
pub mod serde;
pub mod suggest;

pub use errors::Errors;
pub use items::{Item, Items, Number, Wanted};
