//! The node agent and its pod engine.
//!
//! The engine is [`engine`] (daemon side), [`zygote`] and [`supervisor`] (one small process per pod), [`cgroup`] and
//! [`sys`] (the only place with `unsafe`). It knows no Kubernetes kind and never writes to the store.

pub mod cgroup;
pub mod engine;
pub mod supervisor;
pub mod sys;
pub mod zygote;
