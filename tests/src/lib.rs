//! Parts of the whole-program tests: real servers and a daemon of its own for a test, gone with it.
#![deny(missing_docs)]
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test waits for real programs, and says which tests it leaves out"
)]

pub mod api;
pub mod census;
pub mod git_server;
pub mod host;
pub mod image;
pub mod manifests;
pub mod node;
