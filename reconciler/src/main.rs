//! The `bowline` program.

use std::process::ExitCode;

use bowline::cli::Cli;

fn main() -> ExitCode {
    match Cli::read() {
        Ok(cli) => cli.run(),
        Err(code) => code,
    }
}
