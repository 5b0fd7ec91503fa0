//! The Git side of bowline and its faces.
//!
//! The crate brings commits here ([`source`]), makes objects of their files ([`render`]), compares them with what is
//! live ([`plan`]), applies them and judges what became of them ([`sync`], [`verdict`]), and serves people and programs
//! ([`server`], [`cli`]). It never talks to the kernel about pods: it hands objects to the store that
//! `bowline-runtime` acts on. [`daemon`] puts everything together and owns the tasks.
#![deny(missing_docs)]

pub mod apply;
pub mod check;
pub mod cli;
pub mod daemon;
pub mod plan;
pub mod render;
pub mod server;
pub mod source;
pub mod sync;
pub mod verdict;
