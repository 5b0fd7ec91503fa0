//! The node agent and its pod engine.

pub mod image;
