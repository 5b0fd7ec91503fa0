//! Whole pods on a real host.
