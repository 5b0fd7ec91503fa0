//! The directory that a layer grows in, touched by file descriptor only.
//!
//! Every name is resolved by the kernel below the root (`openat2` with `RESOLVE_BENEATH`): a link that leads out of
//! the layer ends in an error, whatever else runs at the same time.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::UnpackError;
use super::name::LayerPath;

/// The attribute by which overlayfs knows that a directory hides those of the same name below it.
pub(in super::super) const OPAQUE_XATTR: &str = "trusted.overlay.opaque";

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_XDEV);

/// Tells whether `stat` is an overlayfs whiteout: a character device with number 0/0.
pub(in super::super) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Returns the type of what `name` is in `dir`, without following it; `None` when there is nothing.
pub(super) fn look(dir: impl AsFd, name: &[u8]) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// Marks `dir` so that overlayfs hides what lower layers have in it.
pub(super) fn mark_opaque(dir: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::fsetxattr(dir, OPAQUE_XATTR, b"y", XattrFlags::empty())?)
}

/// Opens the directory `name` of `dir` without following a link.
pub(super) fn open_directory(dir: impl AsFd, name: &[u8]) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(dir, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?)
}

/// Removes `name` in `dir` with everything below it; nothing there is fine. Never follows a link.
pub(in super::super) fn remove_tree(dir: impl AsFd, name: &[u8]) -> io::Result<()> {
    let dir = dir.as_fd();
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        Err(other) => return Err(other.into()),
    }
    // Depth is bounded by an explicit stack: one open directory for each level.
    let mut open: Vec<(OwnedFd, Vec<u8>)> = vec![(open_directory(dir, name)?, name.to_vec())];
    while let Some((current, _)) = open.last() {
        match empty_of_files(current)? {
            Some(child) => {
                let fd = open_directory(current, &child)?;
                open.push((fd, child));
            }
            None => {
                let (_, done) = open.pop().expect("invariant: the loop runs while there is a last element");
                let parent = open.last().map_or(dir, |(fd, _)| fd.as_fd());
                rustix::fs::unlinkat(parent, &*done, AtFlags::REMOVEDIR)?;
            }
        }
    }
    Ok(())
}

/// Unlinks everything in `dir` that is not a directory and returns the name of a directory, if there is one.
fn empty_of_files(dir: &OwnedFd) -> io::Result<Option<Vec<u8>>> {
    let mut child = None;
    for item in Dir::read_from(dir)? {
        let item = item?;
        let name = item.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => child = Some(name.to_vec()),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(child)
}

/// The layer's directory, with the unpacked layers below it for the attributes of unlisted directories.
pub(super) struct Tree {
    root: Rc<OwnedFd>,
    below: Vec<OwnedFd>,
    /// The directory that was used last: archives list a directory's entries one after the other.
    last: Option<(LayerPath, Rc<OwnedFd>)>,
}

impl Tree {
    pub(super) fn open(into: &Path, below: &[PathBuf]) -> Result<Self, UnpackError> {
        let open = |path: &Path| {
            rustix::fs::open(path, DIRECTORY, Mode::empty())
                .map_err(|e| UnpackError::write("open", path.as_os_str().as_encoded_bytes(), e))
        };
        let below = below.iter().map(|path| open(path)).collect::<Result<_, _>>()?;
        let tree = Self { root: Rc::new(open(into)?), below, last: None };
        tree.inherit(b".", &tree.root).map_err(|e| UnpackError::write("set the mode of", b".", e))?;
        Ok(tree)
    }

    pub(super) fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// Forgets the directory used last; to be called when a directory or link was replaced.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// Returns the directory `path`, creating what is missing on the way.
    pub(super) fn directory(&mut self, path: &LayerPath) -> Result<Rc<OwnedFd>, UnpackError> {
        if path.is_root() {
            return Ok(Rc::clone(&self.root));
        }
        if let Some((last, fd)) = &self.last
            && last == path
        {
            return Ok(Rc::clone(fd));
        }
        let fd = Rc::new(self.open_or_create(path)?);
        self.last = Some((path.clone(), Rc::clone(&fd)));
        Ok(fd)
    }

    fn open_or_create(&mut self, path: &LayerPath) -> Result<OwnedFd, UnpackError> {
        match rustix::fs::openat2(&*self.root, path.as_bytes(), DIRECTORY, Mode::empty(), BENEATH) {
            Ok(fd) => return Ok(fd),
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(Errno::XDEV) => {
                return Err(UnpackError::bad(path.as_bytes(), "lies behind a link that leaves the layer"));
            }
            Err(Errno::LOOP) => {
                return Err(UnpackError::bad(path.as_bytes(), "lies behind a loop of links"));
            }
            Err(other) => return Err(UnpackError::write("open directory", path.as_bytes(), other)),
        }
        let Some((parent, name)) = path.split() else { unreachable!("invariant: the root always opens") };
        let parent_fd = self.directory(&parent)?;
        let failed = |e: io::Error| UnpackError::write("create directory", path.as_bytes(), e);
        match look(&*parent_fd, name).map_err(failed)? {
            None => {
                rustix::fs::mkdirat(&*parent_fd, name, Mode::from_raw_mode(0o755)).map_err(|e| failed(e.into()))?;
                let fd = open_directory(&*parent_fd, name).map_err(failed)?;
                self.inherit(path.as_bytes(), &fd).map_err(failed)?;
                Ok(fd)
            }
            Some(stat) if is_whiteout(&stat) => {
                let fd = replace_whiteout(&*parent_fd, name).map_err(failed)?;
                Ok(fd)
            }
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                Err(UnpackError::bad(path.as_bytes(), "lies behind a link that leads nowhere in the layer"))
            }
            Some(_) => Err(UnpackError::bad(path.as_bytes(), "is used as a directory and is none")),
        }
    }

    /// Gives `dir` what the topmost directory of the same path in the lower layers has; root's own and 0755 when
    /// there is none.
    fn inherit(&self, path: &[u8], dir: &OwnedFd) -> io::Result<()> {
        for lower in &self.below {
            let found = match rustix::fs::openat2(lower, path, DIRECTORY, Mode::empty(), BENEATH) {
                Ok(fd) => fd,
                Err(Errno::NOENT) => continue,
                Err(_) => break,
            };
            let stat = rustix::fs::fstat(&found)?;
            let owner = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
            rustix::fs::fchown(dir, Some(owner.0), Some(owner.1))?;
            rustix::fs::fchmod(dir, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
            return Ok(());
        }
        Ok(rustix::fs::fchmod(dir, Mode::from_raw_mode(0o755))?)
    }
}

/// Puts an opaque directory where a whiteout is: the layer removed a directory and made a new one.
pub(super) fn replace_whiteout(parent: impl AsFd, name: &[u8]) -> io::Result<OwnedFd> {
    let parent = parent.as_fd();
    rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
    rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
    let fd = open_directory(parent, name)?;
    mark_opaque(&fd)?;
    Ok(fd)
}

/// Returns `mtime` as both times of a file.
pub(super) fn times((seconds, nanos): (i64, u32)) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}
