//! The node agent: pods bound to this node become processes, and what becomes of them is told to the store.
//!
//! Decisions are in [`decide`] and [`status`], both pure; [`world`] is the only door to engine, images and disk.
//! Never imports the controllers: they meet in the store.
//!
//! Start reading at [`Agent::start`], then `worker`.

pub mod decide;
pub mod env;
pub mod observed;
pub mod status;
pub mod translate;
