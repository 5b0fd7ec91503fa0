//! The Git side of bowline and its faces.
//!
//! The crate brings commits here ([`source`]), makes objects of their files ([`render`]), compares them with what is
//! live ([`plan`]), applies them and judges what became of them ([`sync`], [`verdict`]), and serves people and programs
//! ([`server`], [`cli`]). It never talks to the kernel about pods: it hands objects to the store that
//! `bowline-runtime` acts on. [`daemon`] puts everything together and owns the tasks.
#![deny(missing_docs)]

pub mod apply;
pub mod check;
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a person waits here and reads what is printed")]
pub mod cli;
#[expect(clippy::disallowed_methods, reason = "the clock and the entropy of everything else are made here")]
pub mod daemon;
pub mod plan;
pub mod render;
#[expect(clippy::disallowed_methods, reason = "connections and watches are bounded in time")]
pub mod server;
#[expect(clippy::disallowed_methods, reason = "transfers are bounded in time")]
pub mod source;
#[expect(clippy::disallowed_methods, reason = "its loops wait for the next poll; `decide` and `observe` take `now`")]
pub mod sync;
pub mod verdict;
