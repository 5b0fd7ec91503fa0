//! Makes declared objects true on hosts.
//!
//! The crate holds the kinds ([`api`]), the store that everything meets in ([`store`]), the controllers that
//! decide ([`control`]) and the node agent with its pod engine ([`host`]). It knows nothing of Git, HTTP
//! servers, forges or the command line.
//!
//! Imports run `host`, `control` → `store` → `api`; `control` and `host` meet only in the store.
#![deny(missing_docs)]

pub mod api;
pub mod control;
pub mod host;
pub mod store;
