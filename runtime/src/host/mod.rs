//! The node agent and its pod engine.
//!
//! The engine is [`engine`] (daemon side), [`zygote`] and [`supervisor`] (one small process per pod), [`cgroup`] and
//! [`sys`] (the only place with `unsafe`); images are [`image`]. None of these knows a Kubernetes kind or the store:
//! [`agent`] translates pods for them, and [`volume`] prepares what is mounted.

pub mod agent;
pub mod cgroup;
pub mod engine;
pub mod image;
pub mod supervisor;
pub mod sys;
pub mod volume;
pub mod zygote;
