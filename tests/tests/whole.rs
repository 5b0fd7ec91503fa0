//! Tests of the whole program against real parts. One binary: a module for each area.

#[path = "whole/git_source.rs"]
mod git_source;
