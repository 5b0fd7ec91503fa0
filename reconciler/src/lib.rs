//! The Git side of bowline and its faces.
//!
//! The crate brings commits here ([`source`]), makes objects of their files ([`render`]), and hands them to the store
//! that `bowline-runtime` acts on. It never talks to the kernel about pods.
#![deny(missing_docs)]

#[path = "."]
pub mod cli {
    //! The command line.
    #[path = "cli/client.rs"]
    mod client;
    pub use client::{Client, ClientError, SOCKET};
}
pub mod render;
pub mod server;
pub mod source;
