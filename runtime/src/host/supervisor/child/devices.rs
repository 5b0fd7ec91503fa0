//! A container's `/dev`: a small tmpfs with six harmless devices of the host, its own terminals, and links.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, major, minor, mkdirat, openat, symlinkat};
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};

use super::rootfs::{attach_new, move_to, new_tree};
use super::{Step, StepError};
use crate::host::sys::mount::attr;

/// Devices by name, major and minor number.
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
/// Links that programs expect.
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];
/// The group `tty` owns terminals, by a convention as old as devpts.
const TTY_GROUP: u32 = 5;

/// Both sides of a terminal.
pub(super) struct Terminal {
    /// The side that shows what the program writes.
    pub master: OwnedFd,
    /// The side the program uses.
    pub slave: OwnedFd,
}

/// Mounts `/dev` and returns its terminals' file system.
pub(super) fn populate(root: BorrowedFd<'_>) -> Result<OwnedFd, StepError> {
    let options = [("mode", "755".to_owned()), ("size", "65536".to_owned())];
    let dev = attach_new(root, "/dev", "tmpfs", &options, attr::NOSUID | attr::NODEV | attr::NOEXEC)?;
    for (name, major_number, minor_number) in DEVICES {
        let what = || format!("cannot provide `/dev/{name}`");
        let device = host_device(name, major_number, minor_number).step(what)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let at = openat(&dev, name, flags, Mode::from_raw_mode(0o666)).step(what)?;
        move_to(&device, at.as_fd()).step(what)?;
    }
    for (target, name) in LINKS {
        symlinkat(target, &dev, name).step(|| format!("cannot provide `/dev/{name}`"))?;
    }
    let options = [("ptmxmode", "0666".to_owned()), ("mode", "0620".to_owned()), ("gid", TTY_GROUP.to_string())];
    let pts = mount_in(&dev, "pts", "devpts", &options, attr::NOSUID | attr::NOEXEC)?;
    mount_in(&dev, "mqueue", "mqueue", &[], attr::NOSUID | attr::NODEV | attr::NOEXEC)?;
    mkdirat(&dev, "shm", Mode::from_raw_mode(0o755)).step(|| "cannot provide `/dev/shm`".to_owned())?;
    Ok(pts)
}

fn mount_in(
    dev: &OwnedFd,
    name: &str,
    kind: &str,
    options: &[(&str, String)],
    attributes: u64,
) -> Result<OwnedFd, StepError> {
    let what = || format!("cannot provide `/dev/{name}`");
    mkdirat(dev, name, Mode::from_raw_mode(0o755)).step(what)?;
    let tree = new_tree(kind, options, attributes)?;
    let at = openat(dev, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).step(what)?;
    move_to(&tree, at.as_fd()).step(what)?;
    Ok(tree)
}

/// Returns a detached mount of the host's `/dev/null`.
pub(super) fn host_null() -> io::Result<OwnedFd> {
    host_device("null", 1, 3)
}

/// Returns a detached mount of a device of the host, which must be the device its name promises.
fn host_device(name: &str, major_number: u32, minor_number: u32) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    let tree = open_tree(CWD, Path::new("/dev").join(name), flags)?;
    let found = fstat(&tree)?;
    let character = FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice;
    if !character || (major(found.st_rdev), minor(found.st_rdev)) != (major_number, minor_number) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the host's file is another device"));
    }
    Ok(tree)
}

/// Opens a new terminal of the container: on the file system `pts`, or on `/dev/pts` of the one that was entered.
pub(super) fn open_terminal(pts: Option<BorrowedFd<'_>>) -> Result<Terminal, StepError> {
    let what = || "cannot open a terminal".to_owned();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let master = match pts {
        Some(pts) => openat(pts, "ptmx", flags, Mode::empty()),
        None => openat(CWD, "/dev/pts/ptmx", flags, Mode::empty()),
    }
    .step(what)?;
    unlockpt(&master).step(what)?;
    let slave =
        ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).step(what)?;
    Ok(Terminal { master, slave })
}
