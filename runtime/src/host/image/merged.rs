//! Looks files up in a stack of layers as overlayfs would show them, without mounting anything.
//!
//! Each step opens one name in one directory by descriptor, and links are resolved here, within the stack: nothing in
//! an image can lead the lookup to a file of the host.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::layer::{OPAQUE_XATTR, is_whiteout};

/// Most links in one path, as in the kernel.
const LINKS_MAX: usize = 40;

/// One directory as it appears in the stack: its parts, top first.
type Merged = Vec<OwnedFd>;

enum Found {
    Nothing,
    Directory(Merged),
    Link(Vec<u8>),
    File(OwnedFd),
}

/// Opens the regular file `path` (relative to the root) for reading; `None` when there is none.
pub(super) fn open_file(lowers: &[PathBuf], path: &str) -> io::Result<Option<File>> {
    let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open_roots = || {
        lowers
            .iter()
            .map(|lower| Ok(rustix::fs::open(lower, directory, Mode::empty())?))
            .collect::<io::Result<Merged>>()
    };
    let mut trail: Vec<Merged> = vec![open_roots()?];
    let mut todo: Vec<Vec<u8>> = components(path.as_bytes());
    let mut links = 0;
    while let Some(name) = todo.pop() {
        if name == b".." {
            if trail.len() > 1 {
                trail.pop();
            }
            continue;
        }
        let here = trail.last().expect("invariant: the root is never popped");
        match look_up(here, &name)? {
            Found::Nothing => return Ok(None),
            Found::Directory(merged) => trail.push(merged),
            Found::File(fd) => return Ok(todo.is_empty().then(|| File::from(fd))),
            Found::Link(target) => {
                links += 1;
                if links > LINKS_MAX {
                    return Err(Errno::LOOP.into());
                }
                if target.starts_with(b"/") {
                    trail.truncate(1);
                }
                todo.extend(components(&target));
            }
        }
    }
    Ok(None)
}

/// Returns the components of `path`, last first.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|b| *b == b'/').filter(|c| !matches!(*c, b"" | b".")).rev().map(<[u8]>::to_vec).collect()
}

fn look_up(directory: &Merged, name: &[u8]) -> io::Result<Found> {
    let mut merged = Merged::new();
    for part in directory {
        let stat = match rustix::fs::statat(part, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(other) => return Err(other.into()),
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = rustix::fs::openat(part, name, flags, Mode::empty())?;
            let opaque = is_opaque(&fd);
            merged.push(fd);
            if opaque {
                break;
            }
        } else if merged.is_empty() && !is_whiteout(&stat) {
            return match kind {
                FileType::Symlink => Ok(Found::Link(rustix::fs::readlinkat(part, name, Vec::new())?.into_bytes())),
                FileType::RegularFile => {
                    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                    Ok(Found::File(rustix::fs::openat(part, name, flags, Mode::empty())?))
                }
                _ => Ok(Found::Nothing),
            };
        } else {
            break;
        }
    }
    Ok(if merged.is_empty() { Found::Nothing } else { Found::Directory(merged) })
}

fn is_opaque(directory: &OwnedFd) -> bool {
    let mut value = [0; 1];
    matches!(rustix::fs::fgetxattr(directory, OPAQUE_XATTR, &mut value), Ok(1) if value == *b"y")
}
