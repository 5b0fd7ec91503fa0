//! `cargo xtask test`: what CI runs.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::command::{build_workspace_bowline, cargo, is_root};
use super::packages;

/// What became of a step.
struct Step {
    name: &'static str,
    passed: bool,
    took: Duration,
}

/// Runs every step, even after a failed one, and says at the end which failed.
pub fn run() -> Result<bool> {
    let root = is_root();
    let mut steps = Vec::new();
    let mut step = |name, passed: bool, started: Instant| {
        let took = started.elapsed();
        println!("-- {name}: {} in {:.0} s\n", if passed { "passed" } else { "FAILED" }, took.as_secs_f64());
        steps.push(Step { name, passed, took });
    };
    let begin = |name: &str| {
        println!("-- {name}");
        Instant::now()
    };

    let started = begin("packages");
    let missing = packages::install(packages::TESTS);
    step("packages", true, started);

    let started = begin("format");
    let formatted = succeeds(&["fmt", "--all", "--check", "--", "--files-with-diff"])?;
    if !formatted {
        println!("the files above are not formatted: run `cargo fmt --all`");
    }
    step("format", formatted, started);

    let started = begin("lints");
    let lints = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
    step("lints", succeeds(&lints)?, started);

    let started = begin("build");
    let binary = build_workspace_bowline();
    let built = binary.as_ref().map_err(|error| eprintln!("error: {error:#}")).is_ok();
    step("build", built, started);

    let started = begin("tests");
    let mut left_out = BTreeSet::new();
    let passed = match &binary {
        Ok(binary) => tests(binary, &mut left_out)?,
        Err(_) => false,
    };
    step("tests", passed, started);

    let started = begin("licences, bans, sources");
    let allowed = packages::install_cargo_deny()?
        && succeeds(&["deny", "--log-level", "error", "check", "bans", "licenses", "sources"])?;
    step("licences, bans, sources", allowed, started);

    summary(&steps, &missing, &left_out, root);
    Ok(steps.iter().all(|step| step.passed))
}

fn succeeds(words: &[&str]) -> Result<bool> {
    Ok(cargo(words).status().context("cannot run cargo")?.success())
}

/// Runs all tests. Shows what fails; of what passes, notes the tests that say that they are skipped.
fn tests(binary: &std::path::Path, left_out: &mut BTreeSet<String>) -> Result<bool> {
    let mut child = cargo(["test", "--workspace", "--no-fail-fast", "--", "--show-output"])
        .env("BOWLINE_BIN", binary)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    let output = child.stdout.take().expect("invariant: standard output is piped");
    let (mut name, mut quiet) = (String::new(), false);
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        // What passing tests print stands between `successes:` and the result.
        match line.as_str() {
            "successes:" => quiet = true,
            "failures:" => quiet = false,
            result if result.starts_with("test result:") => quiet = false,
            _ => {}
        }
        if let Some(section) = line.strip_prefix("---- ") {
            name = section.split(' ').next().unwrap_or_default().to_owned();
        }
        if quiet && (line.starts_with("skipped") || line.contains("left out")) {
            left_out.insert(format!("{name}: {line}"));
        }
        let noise = line.is_empty() || line.starts_with("running ") || line.ends_with(" ... ok");
        if !quiet && !noise {
            println!("{line}");
        }
    }
    Ok(child.wait()?.success())
}

fn summary(steps: &[Step], missing: &[&str], left_out: &BTreeSet<String>, root: bool) {
    println!("summary");
    for step in steps {
        let word = if step.passed { "passed" } else { "FAILED" };
        println!("  {:<24} {word} {:>6.0} s", step.name, step.took.as_secs_f64());
    }
    let total: Duration = steps.iter().map(|step| step.took).sum();
    println!("  {:<24}        {:>6.0} s", "total", total.as_secs_f64());
    if !missing.is_empty() {
        println!("missing packages: {}", missing.join(", "));
    }
    if !left_out.is_empty() {
        println!("left out:");
        left_out.iter().for_each(|line| println!("  {line}"));
    }
    if !root {
        println!("the host tests start pods and were left out: run `cargo xtask test` as root for them");
    }
}
