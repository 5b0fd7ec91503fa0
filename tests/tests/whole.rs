//! Tests of the whole program against real parts. One binary: a module for each area.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test waits for real programs, and says what it leaves out"
)]

#[path = "whole/bad_input.rs"]
mod bad_input;
#[path = "whole/cli.rs"]
mod cli;
#[path = "whole/commits.rs"]
mod commits;
#[path = "whole/git_source.rs"]
mod git_source;
#[path = "whole/images.rs"]
mod images;
#[path = "pods/mod.rs"]
mod pods;
#[path = "whole/remote.rs"]
mod remote;
#[path = "whole/schedule.rs"]
mod schedule;
#[path = "whole/survival.rs"]
mod survival;
#[path = "whole/template.rs"]
mod template;
