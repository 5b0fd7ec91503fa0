//! Facts on disk: written whole under another name and renamed, so that a reader sees all of a record or none.
//!
//! They are for the time after a crash of processes, not of the host: after a reboot nothing runs that they speak of.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::host::engine::wire::{Wire, decode, encode};

/// File of the sandbox record in a run directory.
pub const SANDBOX: &str = "sandbox";
/// The supervisor's socket in a run directory.
pub const SOCKET: &str = "control.sock";
/// Directory of exit records, `<container>.<attempt>`.
pub const EXITS: &str = "exit";
/// Directory of run records, one for each container.
pub const STATES: &str = "state";

/// Writes a record.
pub fn write(path: &Path, record: &impl Wire) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    fs::write(&temporary, encode(record))?;
    fs::rename(&temporary, path)
}

/// Reads a record.
pub fn read<T: Wire>(path: &Path) -> io::Result<T> {
    decode(&fs::read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Returns the id of the host's current boot.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Returns when the process `pid` started, in clock ticks after boot: with the boot id this tells it from any other
/// process that ever has the same id.
pub fn start_ticks(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace().nth(19));
    fields.flatten().and_then(|field| field.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
