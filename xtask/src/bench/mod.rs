//! `cargo xtask bench`: the figures behind the promises, beside podman and runc measured in the same run.
//!
//! Responsible for: real work on this host, timed from outside, printed as a table, as Markdown and as JSON.
//!
//! Must never: fail on a time; leave pods, containers or files behind.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use super::command::{Scratch, build_bowline, is_root};
use super::packages;

mod commits;
mod density;
mod memory;
mod others;
mod pods;
mod report;
mod scale;

use report::Report;

/// What every measurement is given.
pub struct Bench {
    binary: PathBuf,
    scratch: Scratch,
    quick: bool,
    report: Report,
}

impl Bench {
    /// Returns how many samples to take: fewer with `--quick`.
    fn samples(&self, full: usize) -> usize {
        if self.quick { (full / 5).max(5) } else { full }
    }

    /// Makes a directory for one measurement.
    fn dir(&self, name: &str) -> Result<PathBuf> {
        let path = self.scratch.path().join(name);
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make `{}`", path.display()))?;
        Ok(path)
    }
}

#[derive(Debug, Default)]
struct Options<'a> {
    quick: bool,
    only: Option<&'a str>,
    json: Option<&'a Path>,
    markdown: Option<&'a Path>,
}

fn options<'a>(words: &[&'a str]) -> Result<Options<'a>> {
    let mut options = Options::default();
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let mut next = |what| words.next().with_context(|| format!("`{word}` needs {what}"));
        match word {
            "--quick" => options.quick = true,
            "--only" => options.only = Some(next("a part of a measurement's name")?),
            "--json" => options.json = Some(next("a file")?.as_ref()),
            "--markdown" => options.markdown = Some(next("a file")?.as_ref()),
            other => {
                bail!("`bench` does not know `{other}`: it takes --quick, --only NAME, --json FILE and --markdown FILE")
            }
        }
    }
    Ok(options)
}

/// Measures everything. A measurement that cannot be made is reported as such and the others go on.
pub fn run(words: &[&str]) -> Result<bool> {
    let options = options(words)?;
    if !is_root() {
        bail!("the benchmark starts pods and needs root: run `sudo -E cargo xtask bench`");
    }
    packages::install(packages::BENCH);
    println!("building bowline in the release profile");
    let binary = build_bowline(true)?;
    let scratch = Scratch::new("bowline-bench")?;
    let mut bench = Bench { binary, scratch, quick: options.quick, report: Report::default() };
    type Measurement = fn(&mut Bench) -> Result<()>;
    let measurements: [(&str, Measurement); 6] = [
        ("pod start", pods::measure),
        ("1,000 pods", density::measure),
        ("commit to running", commits::measure),
        ("objects of 100 applications", scale::objects_of_many),
        ("objects of one application", scale::objects_of_one),
        ("1,000 applications", scale::many_applications),
    ];
    let mut complete = true;
    let wanted = |name: &str| options.only.is_none_or(|only| name.contains(only));
    for (name, measure) in measurements.into_iter().filter(|(name, _)| wanted(name)) {
        println!("-- {name}");
        let started = Instant::now();
        if let Err(error) = measure(&mut bench) {
            complete = false;
            println!("could not be measured: {error:#}");
            bench.report.note(format!("{name}: could not be measured: {error:#}"));
        }
        println!("   {:.0} s", started.elapsed().as_secs_f64());
    }
    print!("\n{}", bench.report.table());
    if let Some(file) = options.json {
        let text = serde_json::to_string_pretty(&bench.report.json())? + "\n";
        std::fs::write(file, text).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    if let Some(file) = options.markdown {
        std::fs::write(file, bench.report.markdown()).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    Ok(complete)
}
