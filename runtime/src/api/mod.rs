//! Kinds, their schema, and everything that follows from a declaration: defaults, validation, merge keys.
//!
//! Never does I/O and never looks at a clock. Start reading at [`schema`], then [`object`], then any file under
//! [`kinds`].

pub mod columns;
pub mod crd;
pub mod default;
pub mod diff;
pub mod error;
pub mod kinds;
pub mod merge;
pub mod meta;
pub mod names;
pub mod object;
pub mod schema;
pub mod strict;
pub mod validate;
pub mod value;

pub use error::{FieldError, FieldErrorKind, chain};
pub use meta::{LabelSelector, ObjectMeta, OwnerReference};
pub use object::{Column, Key, Kind, Kinds, Object, Scale, Scope};
pub use schema::{Field, ListKind, Schema, Struct, Type};
pub use value::{Duration, IntOrString, MicroTime, Quantity, Time, Timestamp};
