//! The project's commands: `cargo xtask test`, `cargo xtask demo` and `cargo xtask bench`.
//!
//! Responsible for: what CI and a newcomer run, from a clean clone on a Debian host.
//!
//! Must never: hold a test or a figure of its own; leave a process, mount or file behind.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it runs programs, measures them and tells a person"
)]

use std::process::ExitCode;

mod bench;
mod command;
mod daemon;
mod demo;
mod packages;
mod test;

const USAGE: &str = "\
cargo xtask test                        install what the tests need, then everything that CI runs
cargo xtask demo [--once]               a config repository from the template, running on this host
cargo xtask bench [--quick] [--only NAME] [--json FILE] [--markdown FILE]
                                        measure against the promises, podman and runc";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["test"] => test::run(),
        ["demo"] => demo::run(false),
        ["demo", "--once"] => demo::run(true),
        ["bench", rest @ ..] => bench::run(rest),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
