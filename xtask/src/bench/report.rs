//! Samples, percentiles and how they are shown.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// One measured quantity.
#[derive(Debug)]
struct Row {
    group: &'static str,
    what: String,
    unit: &'static str,
    samples: Vec<f64>,
    /// The promise it is measured against, as text.
    aim: Option<&'static str>,
    /// The row that the group's others are compared with.
    base: bool,
}

/// Everything measured in one run.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    notes: Vec<String>,
}

/// Returns the value below which `share` of the samples lie (nearest rank). The samples are sorted and not empty.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

impl Report {
    /// Adds our own figure of a group, with which the group's others are compared.
    pub fn ours(
        &mut self,
        group: &'static str,
        what: impl Into<String>,
        unit: &'static str,
        samples: Vec<f64>,
        aim: Option<&'static str>,
    ) {
        self.add(Row { group, what: what.into(), unit, samples, aim, base: true });
    }

    /// Adds the figure of another program in a group.
    pub fn other(&mut self, group: &'static str, what: impl Into<String>, unit: &'static str, samples: Vec<f64>) {
        self.add(Row { group, what: what.into(), unit, samples, aim: None, base: false });
    }

    fn add(&mut self, mut row: Row) {
        if row.samples.is_empty() {
            return self.note(format!("{}, {}: no sample", row.group, row.what));
        }
        row.samples.sort_by(f64::total_cmp);
        println!("   {}: {}", row.what, figures(&row));
        self.rows.push(row);
    }

    /// Adds a remark that a reader of the figures must know.
    pub fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// How many times our first figure of the same group goes into this one's median.
    fn ratio(&self, row: &Row) -> Option<f64> {
        let base = self.rows.iter().find(|base| base.base && base.group == row.group)?;
        (!row.base).then(|| percentile(&row.samples, 0.5) / percentile(&base.samples, 0.5))
    }

    fn cells(&self) -> Vec<[String; 7]> {
        let one = |row: &Row| {
            let single = row.samples.len() == 1;
            [
                row.group.to_owned(),
                row.what.clone(),
                number(percentile(&row.samples, 0.5), row.unit),
                if single { String::new() } else { number(percentile(&row.samples, 0.99), row.unit) },
                row.samples.len().to_string(),
                self.ratio(row).map(|ratio| format!("{ratio:.1} x")).unwrap_or_default(),
                row.aim.unwrap_or_default().to_owned(),
            ]
        };
        self.rows.iter().map(one).collect()
    }

    /// Returns the figures as an aligned table.
    pub fn table(&self) -> String {
        let header = HEADER.map(str::to_owned);
        let rows: Vec<[String; 7]> = std::iter::once(header).chain(self.cells()).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
        let mut out = String::new();
        for row in &rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end()).expect("invariant: strings take text");
        }
        self.notes.iter().for_each(|note| out.push_str(&format!("note: {note}\n")));
        out
    }

    /// Returns the figures as a document.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut out = String::from(
            "# Benchmarks\n\nMeasured by `cargo xtask bench`, which runs all of it, podman and runc included, on one host \
             in one go. The ratio is against bowline's figure in the same group; the aim is the promise.\n\n",
        );
        out.push_str(&format!("Host: {}\n\n", host()));
        out.push_str(&line(&HEADER.map(str::to_owned)));
        out.push_str(&line(&HEADER.map(|_| "---".to_owned())));
        self.cells().iter().for_each(|cells| out.push_str(&line(cells)));
        if !self.notes.is_empty() {
            out.push('\n');
            self.notes.iter().for_each(|note| out.push_str(&format!("- {note}\n")));
        }
        out
    }

    /// Returns the figures with all samples.
    pub fn json(&self) -> Value {
        let one = |row: &Row| {
            json!({
                "group": row.group, "what": row.what, "unit": row.unit, "n": row.samples.len(),
                "p50": percentile(&row.samples, 0.5), "p99": percentile(&row.samples, 0.99),
                "min": row.samples[0], "max": row.samples[row.samples.len() - 1],
                "ratio": self.ratio(row), "aim": row.aim, "samples": row.samples,
            })
        };
        let rows: Vec<Value> = self.rows.iter().map(one).collect();
        json!({"host": host(), "rows": rows, "notes": self.notes})
    }
}

const HEADER: [&str; 7] = ["group", "what", "p50", "p99", "n", "ratio", "aim"];

fn figures(row: &Row) -> String {
    let p50 = number(percentile(&row.samples, 0.5), row.unit);
    if row.samples.len() == 1 {
        p50
    } else {
        format!("p50 {p50}, p99 {}", number(percentile(&row.samples, 0.99), row.unit))
    }
}

fn number(value: f64, unit: &str) -> String {
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// Describes the host: what a figure depends on and nothing that identifies it.
fn host() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse().ok())
        .unwrap_or(0);
    let cgroups =
        if std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() { "v2" } else { "v1 or hybrid" };
    // What stands behind the version names a builder, not a kernel.
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    format!("Linux {kernel}, {cores} cores, {:.0} GiB of memory, cgroups {cgroups}", kib as f64 / 1_048_576.0)
}
