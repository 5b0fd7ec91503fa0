//! Makes declared objects true on hosts.
//!
//! The crate holds the kinds ([`api`]), the store that everything meets in ([`store`]), the controllers that
//! decide ([`control`]), the node agent with its pod engine ([`host`]) and the simulator of all that ([`sim`]). It
//! knows nothing of Git, HTTP servers, forges or the command line.
//!
//! Imports run `host`, `control` → `store` → `api`; `control` and `host` meet only in the store, and in [`sim`],
//! which may import both and is imported by neither.
#![deny(missing_docs)]

// The macros emit absolute paths into this crate, which must hold inside it, too.
extern crate self as bowline_runtime;

pub mod api;
pub mod control;
#[expect(
    clippy::disallowed_methods,
    reason = "the host is the rim: time passes and processes end here; its `decide` modules take `now`"
)]
pub mod host;
pub mod sim;
pub mod store;
