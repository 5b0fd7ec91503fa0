//! Kinds, their schema, and everything that follows from a declaration: defaults, validation, merge keys.
//!
//! Never does I/O and never looks at a clock. Start reading at [`schema`], then [`object`], then any file under
//! [`kinds`].

pub mod crd;
pub mod error;
pub mod meta;
pub mod object;
pub mod schema;
pub mod value;

pub use error::{FieldError, FieldErrorKind};
pub use meta::{LabelSelector, ObjectMeta, OwnerReference};
pub use object::{Column, Key, Kind, Kinds, Object, Scale, Scope};
pub use schema::{Field, ListKind, Schema, Struct, Type};
pub use value::{IntOrString, MicroTime, Quantity, Time, Timestamp};
