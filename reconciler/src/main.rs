//! The `bowline` program.

use std::process::ExitCode;

use bowline::cli::Cli;
use clap::Parser as _;

fn main() -> ExitCode {
    Cli::parse().run()
}
