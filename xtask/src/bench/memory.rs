//! What daemon and supervisors hold in memory, as the kernel counts it.

use std::fs;

use anyhow::{Context as _, Result};

use super::super::daemon::Daemon;
use super::report::Report;

const GROUP: &str = "memory";

/// Reads a field of `/proc/PID/FILE` in kB.
fn field_kb(pid: u32, file: &str, name: &str) -> Result<f64> {
    let path = format!("/proc/{pid}/{file}");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().strip_suffix("kB")?.trim().parse().ok())
        .with_context(|| format!("`{path}` has no `{name}`"))
}

/// Records the daemon's memory in MB under a heading.
pub fn daemon(report: &mut Report, daemon: &Daemon, when: &str, aim: Option<&'static str>) -> Result<()> {
    let rss = field_kb(daemon.pid(), "status", "VmRSS")? / 1000.0;
    let pss = field_kb(daemon.pid(), "smaps_rollup", "Pss")? / 1000.0;
    report.ours(GROUP, format!("daemon RSS, {when}"), "MB", vec![rss], aim);
    report.ours(GROUP, format!("daemon PSS, {when}"), "MB", vec![pss], None);
    Ok(())
}

/// Records the memory of a daemon that has next to nothing to do.
pub fn idle(report: &mut Report, of: &Daemon) -> Result<()> {
    daemon(report, of, "idle", None)
}

/// Returns the processor time that a process has used so far, in seconds.
pub fn processor_seconds(pid: u32) -> Result<f64> {
    /// Clock ticks a second as the kernel shows them to programs (`USER_HZ`), on every architecture that is served.
    const TICKS: f64 = 100.0;
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
    // After the name, which may hold blanks: utime and stime are the fields 14 and 15 of proc_pid_stat(5).
    let fields = text.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().skip(11).take(2));
    let ticks: f64 = fields.into_iter().flatten().filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS)
}

/// Records what one pod costs beside its own processes: the proportional share of its supervisor and what belongs to it.
pub fn supervisors(report: &mut Report, daemon: &Daemon, pods: usize, aim: Option<&'static str>) -> Result<()> {
    let zygote = children(daemon.pid()).into_iter().next().context("the daemon has no zygote")?;
    let group = cgroup(zygote).context("the zygote's cgroup cannot be read")?;
    let mut sizes = Vec::new();
    for pid in processes() {
        if pid != zygote && cgroup(pid).as_deref() == Some(&*group) {
            // One that ends meanwhile belongs to a pod that is gone.
            sizes.extend(field_kb(pid, "smaps_rollup", "Pss"));
        }
    }
    let total: f64 = sizes.iter().sum();
    let what = format!("PSS of {} supervisor processes, each of {pods} pods", sizes.len());
    report.ours(GROUP, what, "kB", vec![total / pods as f64], aim);
    Ok(())
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn cgroup(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    text.lines().find(|line| line.contains("/bowline/")).map(|line| line.rsplit(':').next().unwrap_or(line).to_owned())
}
