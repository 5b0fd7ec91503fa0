//! Parts of the whole-program tests: real servers and a daemon of its own for a test, gone with it.
#![deny(missing_docs)]

pub mod api;
pub mod census;
pub mod git_server;
pub mod host;
pub mod image;
pub mod manifests;
