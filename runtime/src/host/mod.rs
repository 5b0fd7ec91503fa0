//! The node agent and its pod engine.
