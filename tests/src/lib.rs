//! Parts of the whole-program tests: real servers, started for a test and gone with it.
#![deny(missing_docs)]

pub mod git_server;
