//! Control groups, v1, v2 and hybrid, in one code path.
//!
//! A [`Group`] is one path in every hierarchy of a [`Layout`]. It creates, limits, joins, measures, kills and removes
//! exactly that path and never touches a group that it did not name. Start reading at [`Layout::parse`].

mod layout;
mod limits;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::engine::spec::Limits;
use super::engine::state::Usage;
pub use layout::{Hierarchy, Layout};
pub use limits::{Setting, cpu_quota_micros, cpu_shares, cpu_weight};

/// Why a control group could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The host has no control group hierarchy that can be used.
    #[error("no cgroup hierarchy is mounted; mount cgroup2 on /sys/fs/cgroup")]
    NoHierarchy,
    /// A limit needs a controller that no hierarchy offers.
    #[error("cannot set `{file}`: no cgroup hierarchy offers the controller `{controller}`")]
    NoController {
        /// The file that would have been written.
        file: String,
        /// The controller it belongs to.
        controller: &'static str,
    },
    /// The host refused a value.
    #[error("cannot write `{value}` to `{file}`: {source}")]
    Refused {
        /// The control file.
        file: PathBuf,
        /// The value.
        value: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A group could not be created, read or removed.
    #[error("cannot {action} cgroup `{path}`: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Processes of the group do not die.
    #[error("cannot remove cgroup `{path}`: its processes {pids:?} do not end")]
    Busy {
        /// The group.
        path: PathBuf,
        /// Processes still in it.
        pids: Vec<i32>,
    },
}

impl CgroupError {
    /// Whether something that was to be there is not.
    fn is_missing(&self) -> bool {
        match self {
            Self::Refused { source, .. } | Self::Io { source, .. } => {
                matches!(source.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
            }
            _ => false,
        }
    }
}

/// How often the creation of a group is tried while others remove the groups above it.
const CREATE_ROUNDS: u32 = 100;

/// One path in every hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    layout: Layout,
    path: PathBuf,
}

impl Group {
    /// Names the group at `path` (relative) of `layout`; creates nothing.
    pub fn new(layout: Layout, path: impl Into<PathBuf>) -> Self {
        Self { layout, path: path.into() }
    }

    /// Names a group directly below this one.
    pub fn child(&self, name: &str) -> Self {
        Self { layout: self.layout.clone(), path: self.path.join(name) }
    }

    /// The group's path below each hierarchy's mount point.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The hierarchies the group is in.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Creates the group and what is missing above it. An existing group is left as it is.
    pub fn create(&self) -> Result<(), CgroupError> {
        for hierarchy in &self.layout.hierarchies {
            // Another instance that ends removes the groups above once they are empty: between two steps of this one,
            // too. Each round after the first means that another instance has just ended.
            let mut rounds = 1..CREATE_ROUNDS;
            while let Err(error) = self.create_in(hierarchy) {
                if !error.is_missing() || rounds.next().is_none() {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn create_in(&self, hierarchy: &Hierarchy) -> Result<(), CgroupError> {
        let mut dir = hierarchy.mount.clone();
        for part in &self.path {
            hierarchy.delegate(&dir)?;
            dir.push(part);
            match fs::create_dir(&dir) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(CgroupError::Io { action: "create", path: dir, source }),
            }
        }
        Ok(())
    }

    /// Writes `limits`; what they leave out is unlimited afterwards.
    pub fn set_limits(&self, limits: &Limits) -> Result<(), CgroupError> {
        for setting in limits::settings(limits) {
            self.apply(&setting)?;
        }
        Ok(())
    }

    fn apply(&self, setting: &Setting) -> Result<(), CgroupError> {
        let Some(hierarchy) = self.layout.with_controller(setting.controller) else {
            if setting.optional {
                return Ok(());
            }
            let file = setting.file(2).unwrap_or_default().to_owned();
            return Err(CgroupError::NoController { file, controller: setting.controller });
        };
        let Some((name, value)) = setting.file(hierarchy.version).zip(setting.value(hierarchy.version)) else {
            return Ok(());
        };
        let file = hierarchy.mount.join(&self.path).join(name);
        match fs::write(&file, value) {
            Ok(()) => Ok(()),
            Err(_) if setting.optional => Ok(()),
            Err(source) => Err(CgroupError::Refused { file, value: value.to_owned(), source }),
        }
    }

    /// Opens what a process writes `0` to in order to join the group.
    ///
    /// Also on v2, where a process could be born in the group by `CLONE_INTO_CGROUP`: Linux 6.18 kills a process born in
    /// a group that was ever killed by `cgroup.kill` (it compares the kill counts of two different groups), and
    /// containers are restarted in their group.
    pub fn entrances(&self) -> Result<Vec<fs::File>, CgroupError> {
        let open = |hierarchy: &Hierarchy| {
            let path = hierarchy.mount.join(&self.path).join("cgroup.procs");
            let opened = fs::OpenOptions::new().write(true).open(&path);
            opened.map_err(|source| CgroupError::Io { action: "join", path, source })
        };
        self.layout.hierarchies.iter().map(open).collect()
    }

    /// Moves the process `pid` into the group.
    pub fn attach(&self, pid: i32) -> Result<(), CgroupError> {
        for mut entrance in self.entrances()? {
            entrance.write_all(pid.to_string().as_bytes()).map_err(|source| CgroupError::Io {
                action: "move a process into",
                path: self.path.clone(),
                source,
            })?;
        }
        Ok(())
    }

    /// Counts the processes that the kernel killed for want of memory since the group was created.
    pub fn oom_kills(&self) -> u64 {
        let Some(hierarchy) = self.layout.with_controller("memory") else { return 0 };
        let name = if hierarchy.version == 2 { "memory.events" } else { "memory.oom_control" };
        let text = fs::read_to_string(hierarchy.mount.join(&self.path).join(name)).unwrap_or_default();
        field(&text, "oom_kill")
    }

    /// Reads what the group uses.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        let read = |hierarchy: &Hierarchy, name: &str| {
            fs::read_to_string(hierarchy.mount.join(&self.path).join(name)).unwrap_or_default()
        };
        let number = |text: String| text.trim().parse::<u64>().unwrap_or(0);
        if let Some(memory) = self.layout.with_controller("memory") {
            let (file, key) = match memory.version {
                2 => ("memory.current", "inactive_file"),
                _ => ("memory.usage_in_bytes", "total_inactive_file"),
            };
            usage.memory_bytes = number(read(memory, file));
            let inactive = field(&read(memory, "memory.stat"), key);
            usage.working_set_bytes = usage.memory_bytes.saturating_sub(inactive);
        }
        if let Some(cpu) = self.layout.with_controller("cpuacct") {
            usage.cpu_nanos = number(read(cpu, "cpuacct.usage"));
        } else if let Some(cpu) = self.layout.with_controller("cpu") {
            usage.cpu_nanos = field(&read(cpu, "cpu.stat"), "usage_usec") * 1000;
        }
        if let Some(pids) = self.layout.with_controller("pids") {
            usage.pids = number(read(pids, "pids.current"));
        }
        usage
    }

    /// Lists the processes of the group and of all groups below it.
    pub fn processes(&self) -> Vec<i32> {
        let mut pids = Vec::new();
        if let Some(hierarchy) = self.layout.hierarchies.first() {
            collect_processes(&hierarchy.mount.join(&self.path), &mut pids);
        }
        pids
    }

    /// Sends SIGKILL to every process of the group and of the groups below it. Does not wait for their end.
    pub fn kill(&self) {
        if let Some(hierarchy) = self.layout.hierarchies.iter().find(|hierarchy| hierarchy.version == 2)
            && fs::write(hierarchy.mount.join(&self.path).join("cgroup.kill"), "1").is_ok()
        {
            return;
        }
        // Without `cgroup.kill` (v1, or before Linux 5.14) a process that forks could outrun the list: freeze first.
        let freezer = self.layout.with_controller("freezer").map(|h| h.mount.join(&self.path).join("freezer.state"));
        if let Some(state) = &freezer {
            let _ = fs::write(state, "FROZEN");
        }
        for pid in self.processes() {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        if let Some(state) = &freezer {
            let _ = fs::write(state, "THAWED");
        }
    }

    /// Kills what is in the group and removes it with all groups below it. Waits at most `patience` for the end of
    /// its processes. A group that does not exist is removed already.
    pub fn remove(&self, patience: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + patience;
        for hierarchy in &self.layout.hierarchies {
            let dir = hierarchy.mount.join(&self.path);
            while let Err(source) = remove_tree(&dir) {
                if source.raw_os_error() != Some(libc::EBUSY) {
                    return Err(CgroupError::Io { action: "remove", path: dir, source });
                }
                if Instant::now() >= deadline {
                    let mut pids = Vec::new();
                    collect_processes(&dir, &mut pids);
                    return Err(CgroupError::Busy { path: dir, pids });
                }
                self.kill();
                wait_for_change(&dir);
            }
        }
        Ok(())
    }

    /// Tells whether the group exists in any hierarchy.
    pub fn exists(&self) -> bool {
        self.layout.hierarchies.iter().any(|hierarchy| hierarchy.mount.join(&self.path).exists())
    }
}

/// Reads the number after `key` from lines of the form `key number`; 0 when it is not there.
fn field(text: &str, key: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == key)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

fn subgroups(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

fn collect_processes(dir: &Path, pids: &mut Vec<i32>) {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
    for group in subgroups(dir) {
        collect_processes(&group, pids);
    }
}

fn remove_tree(dir: &Path) -> io::Result<()> {
    for group in subgroups(dir) {
        remove_tree(&group)?;
    }
    match fs::remove_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Waits until the group's population changes: by its event file on v2, for two milliseconds on v1, which has none.
fn wait_for_change(dir: &Path) {
    const STEP: Timespec = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
    let events = fs::File::open(dir.join("cgroup.events"));
    let _ = match &events {
        Ok(file) => poll(&mut [PollFd::from_borrowed_fd(file.as_fd(), PollFlags::PRI)], Some(&STEP)),
        Err(_) => poll(&mut [], Some(&STEP)),
    };
}
