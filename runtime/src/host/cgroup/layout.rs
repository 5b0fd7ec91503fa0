//! Which hierarchies a host has, read from its mount table.

use std::fs;
use std::path::{Path, PathBuf};

use super::CgroupError;

/// Controllers that the engine uses. Processes stay where they are in the hierarchies of all others.
const WANTED: [&str; 4] = ["memory", "cpu", "cpuacct", "pids"];
/// The named v1 hierarchy in which systemd keeps track of units: pods must leave the daemon's unit.
const SYSTEMD: &str = "name=systemd";
/// Only needed to kill where there is no `cgroup.kill`.
const FREEZER: &str = "freezer";

/// The hierarchies in use, the v2 one first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The hierarchies.
    pub hierarchies: Vec<Hierarchy>,
}

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// 1 or 2.
    pub version: u32,
    /// The controllers it offers that the engine uses.
    pub controllers: Vec<String>,
}

impl Layout {
    /// Reads the host's layout.
    pub fn detect() -> Result<Self, CgroupError> {
        let path = Path::new("/proc/self/mountinfo");
        let text = fs::read_to_string(path).map_err(|source| CgroupError::Io {
            action: "find",
            path: path.to_owned(),
            source,
        })?;
        let mut layout = Self::parse(&text);
        for hierarchy in layout.hierarchies.iter_mut().filter(|hierarchy| hierarchy.version == 2) {
            let offered = fs::read_to_string(hierarchy.mount.join("cgroup.controllers")).unwrap_or_default();
            hierarchy.controllers = wanted(offered.split_whitespace());
        }
        if layout.hierarchies.is_empty() { Err(CgroupError::NoHierarchy) } else { Ok(layout) }
    }

    /// Reads a layout from the text of `/proc/self/mountinfo`. The controllers of a v2 hierarchy are not in it.
    pub fn parse(mountinfo: &str) -> Self {
        let mut v2 = Vec::new();
        let mut v1: Vec<Hierarchy> = Vec::new();
        for line in mountinfo.lines() {
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let Some(mount) = left.split(' ').nth(4).map(unescape) else { continue };
            let mut right = right.split(' ');
            let (kind, options) = (right.next().unwrap_or_default(), right.nth(1).unwrap_or_default());
            match kind {
                "cgroup2" if v2.is_empty() => {
                    v2.push(Hierarchy { mount, version: 2, controllers: Vec::new() });
                }
                "cgroup" => {
                    let controllers = wanted(options.split(','));
                    let seen = v1.iter().any(|known| known.controllers.iter().any(|name| controllers.contains(name)));
                    if !controllers.is_empty() && !seen {
                        v1.push(Hierarchy { mount, version: 1, controllers });
                    }
                }
                _ => {}
            }
        }
        if !v2.is_empty() {
            v1.retain(|hierarchy| hierarchy.controllers != [FREEZER]);
        }
        v2.extend(v1);
        Self { hierarchies: v2 }
    }

    /// Returns the hierarchy that offers `controller`.
    pub fn with_controller(&self, controller: &str) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|hierarchy| hierarchy.controllers.iter().any(|name| name == controller))
    }
}

impl Hierarchy {
    /// Lets groups directly below `dir` have the controllers of a v2 hierarchy.
    pub(super) fn delegate(&self, dir: &Path) -> Result<(), CgroupError> {
        if self.version != 2 || self.controllers.is_empty() {
            return Ok(());
        }
        let file = dir.join("cgroup.subtree_control");
        let enabled = fs::read_to_string(&file).unwrap_or_default();
        let missing: Vec<String> = self
            .controllers
            .iter()
            .filter(|name| !enabled.split_whitespace().any(|known| known == name.as_str()))
            .map(|name| format!("+{name}"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let value = missing.join(" ");
        fs::write(&file, &value).map_err(|source| CgroupError::Refused { file, value, source })
    }
}

fn wanted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.filter(|name| WANTED.contains(name) || *name == SYSTEMD || *name == FREEZER).map(str::to_owned).collect()
}

/// Undoes the octal escapes of a mount table (`\040` is a space).
fn unescape(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| *first == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}
