//! What an instance holds in the kernel: processes, mounts, network namespaces, cgroups.
//!
//! Responsible for: finding them by the instance's cgroup and state directory, never by what the program says, so that
//! instances side by side on one host do not disturb each other's count.
//!
//! Must never: change anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A process as it is recognised across time: its id and the kernel's start time of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its start, in clock ticks since boot.
    pub started: u64,
}

/// Everything found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Processes in the instance's cgroups, supervisors among them, by cgroup.
    pub processes: BTreeMap<Process, String>,
    /// Mount points below the state directory in any mount namespace that can be looked into.
    pub mounts: BTreeSet<String>,
    /// Network namespaces of the processes, other than the host's.
    pub networks: BTreeSet<String>,
    /// Cgroup directories of the instance.
    pub cgroups: BTreeSet<PathBuf>,
}

impl Census {
    /// Counts what belongs to the instance whose cgroup is `bowline/<instance>`, and whose files are in `state`.
    pub fn take(instance: &str, state: &Path) -> Self {
        let marker = format!("/bowline/{instance}/");
        let host_network = network(std::process::id());
        let mut census = Self::default();
        for pid in pids() {
            let Some(started) = start_time(pid) else { continue };
            if let Some(group) = cgroup(pid).filter(|group| format!("{group}/").contains(&marker)) {
                census.processes.insert(Process { pid, started }, group);
                census.networks.extend(network(pid).filter(|found| Some(found) != host_network.as_ref()));
            }
            census.mounts.extend(mounts(pid, state));
        }
        census.cgroups = groups(&Path::new("bowline").join(instance));
        census
    }

    /// Returns the processes of the pods, without supervisors and zygote.
    pub fn of_pods(&self) -> BTreeSet<Process> {
        self.processes.iter().filter(|(_, group)| group.contains("/pod")).map(|(process, _)| *process).collect()
    }

    /// Returns the processes of one pod.
    pub fn of_pod(&self, uid: &str) -> BTreeSet<Process> {
        let part = format!("/pod{uid}");
        self.processes.iter().filter(|(_, group)| group.contains(&part)).map(|(process, _)| *process).collect()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (process, group) in &self.processes {
            let command = fs::read_to_string(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
            writeln!(f, "process {} `{}` in {group}", process.pid, command.replace('\0', " "))?;
        }
        self.mounts.iter().try_for_each(|mount| writeln!(f, "mount {mount}"))?;
        self.networks.iter().try_for_each(|network| writeln!(f, "network namespace {network}"))?;
        self.cgroups.iter().try_for_each(|group| writeln!(f, "cgroup {}", group.display()))
    }
}

/// Returns the instance's name, from the cgroup of the zygote that a daemon has forked.
pub fn instance_of(daemon: u32) -> Option<String> {
    children(daemon).into_iter().find_map(|child| {
        let group = cgroup(child)?;
        Some(group.split_once("/bowline/")?.1.split('/').next()?.to_owned())
    })
}

/// Whether a network namespace is still held by a process or a mount.
pub fn network_exists(name: &str) -> bool {
    let inode = name.trim_start_matches("net:[").trim_end_matches(']').to_owned();
    pids().into_iter().any(|pid| {
        network(pid).as_deref() == Some(name)
            || fs::read_to_string(format!("/proc/{pid}/mountinfo"))
                .is_ok_and(|text| text.lines().any(|line| line.contains("nsfs") && line.contains(&inode)))
    })
}

/// Returns the kernel's start time of a process, `None` when it is gone or only waits to be reaped.
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and parentheses: fields are counted from its end (proc_pid_stat(5)).
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

fn cgroup(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    text.lines().find(|line| line.contains("/bowline/")).map(|line| line.rsplit(':').next().unwrap_or(line).to_owned())
}

fn network(pid: u32) -> Option<String> {
    Some(fs::read_link(format!("/proc/{pid}/ns/net")).ok()?.to_string_lossy().into_owned())
}

fn mounts(pid: u32, state: &Path) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
    let state = state.to_string_lossy();
    let points = text.lines().filter_map(|line| line.split(' ').nth(4));
    points.filter(|point| point.starts_with(&*state)).map(str::to_owned).collect()
}

/// Finds the directories of a group in every hierarchy that is mounted.
fn groups(path: &Path) -> BTreeSet<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let roots = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (point, kind) = (words.nth(1)?, words.next()?);
        kind.starts_with("cgroup").then(|| PathBuf::from(point))
    });
    let mut found = BTreeSet::new();
    for root in roots {
        // The instance's group may stand below the group that the daemon was started in.
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let bases = own.lines().filter_map(|line| line.splitn(3, ':').nth(2)).map(|base| base.trim_start_matches('/'));
        for base in bases.chain([""]) {
            collect(&root.join(base).join(path), &mut found);
        }
    }
    found
}

fn collect(dir: &Path, found: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    found.insert(dir.to_owned());
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        collect(&entry.path(), found);
    }
}
