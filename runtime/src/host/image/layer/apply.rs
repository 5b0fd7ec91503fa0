//! Carries out entries, one after the other, in a layer's directory.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, XattrFlags};
use rustix::io::Errno;

use super::UnpackError;
use super::entry::{Entry, EntryKind};
use super::name::{LayerPath, Special};
use super::tree::{Tree, is_whiteout, look, mark_opaque, open_directory, remove_tree, replace_whiteout, times};

/// Applies entries to a directory.
pub(super) struct Applier {
    tree: Tree,
    /// Directories whose times are set last, because every entry made in them changes those.
    dated: Vec<(LayerPath, (i64, u32))>,
}

impl Applier {
    pub(super) fn new(into: &Path, below: &[PathBuf]) -> Result<Self, UnpackError> {
        Ok(Self { tree: Tree::open(into, below)?, dated: Vec::new() })
    }

    /// Creates what `entry` describes, with the content that `data` yields.
    pub(super) fn apply(&mut self, entry: &Entry, data: &mut dyn Read) -> Result<(), UnpackError> {
        let path = LayerPath::parse(&entry.name, &entry.name, "a name")?;
        match path.special()? {
            Special::Ignored => return Ok(()),
            Special::Opaque(dir) => return self.opaque(&dir),
            Special::Whiteout(hidden) => return self.whiteout(&hidden),
            Special::No => {}
        }
        let Some((parent, name)) = path.split() else {
            return match entry.kind {
                EntryKind::Directory => self.dress_directory(&path, self.tree.root().try_clone(), entry),
                _ => Err(UnpackError::bad(&entry.name, "replaces the root by something that is no directory")),
            };
        };
        match &entry.kind {
            EntryKind::Device => Ok(()),
            EntryKind::Directory => self.directory(&path, &parent, name, entry),
            EntryKind::File => {
                let dir = self.cleared(&path, &parent, name)?;
                create_file(&*dir, name, entry, data)
            }
            EntryKind::Symlink(target) => {
                let dir = self.cleared(&path, &parent, name)?;
                rustix::fs::symlinkat(&**target, &*dir, name)
                    .map_err(|e| UnpackError::write("create link", path.as_bytes(), e))?;
                dress_by_name(&*dir, name, entry)
            }
            EntryKind::Fifo => {
                let dir = self.cleared(&path, &parent, name)?;
                let mode = Mode::from_raw_mode(entry.mode & 0o777);
                rustix::fs::mknodat(&*dir, name, FileType::Fifo, mode, 0)
                    .map_err(|e| UnpackError::write("create fifo", path.as_bytes(), e))?;
                dress_by_name(&*dir, name, entry)
            }
            EntryKind::HardLink(target) => self.hard_link(&path, target),
        }
    }

    /// Sets what can only be set once every entry is in place.
    pub(super) fn finish(mut self) -> Result<(), UnpackError> {
        for (path, mtime) in std::mem::take(&mut self.dated) {
            let failed = |e| UnpackError::write("set the times of", path.as_bytes(), e);
            match self.tree.directory(&path) {
                Ok(dir) => rustix::fs::futimens(&*dir, &times(mtime)).map_err(failed)?,
                // A later entry of the archive put something else there.
                Err(UnpackError::BadEntry { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// Returns the directory of `path` after removing what an earlier entry left at `name`.
    fn cleared(
        &mut self,
        path: &LayerPath,
        parent: &LayerPath,
        name: &[u8],
    ) -> Result<std::rc::Rc<OwnedFd>, UnpackError> {
        let dir = self.tree.directory(parent)?;
        let failed = |e: io::Error| UnpackError::write("replace", path.as_bytes(), e);
        if let Some(stat) = look(&*dir, name).map_err(failed)? {
            if matches!(FileType::from_raw_mode(stat.st_mode), FileType::Directory | FileType::Symlink) {
                self.tree.forget();
            }
            remove_tree(&*dir, name).map_err(failed)?;
        }
        Ok(dir)
    }

    fn directory(
        &mut self,
        path: &LayerPath,
        parent: &LayerPath,
        name: &[u8],
        entry: &Entry,
    ) -> Result<(), UnpackError> {
        let dir = self.tree.directory(parent)?;
        let failed = |e: io::Error| UnpackError::write("create directory", path.as_bytes(), e);
        let fd = match look(&*dir, name).map_err(failed)? {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => open_directory(&*dir, name),
            Some(stat) if is_whiteout(&stat) => replace_whiteout(&*dir, name),
            existing => {
                if existing.is_some() {
                    self.tree.forget();
                    remove_tree(&*dir, name).map_err(failed)?;
                }
                rustix::fs::mkdirat(&*dir, name, Mode::from_raw_mode(0o700)).map_err(|e| failed(e.into()))?;
                open_directory(&*dir, name)
            }
        };
        self.dress_directory(path, fd, entry)
    }

    fn dress_directory(&mut self, path: &LayerPath, fd: io::Result<OwnedFd>, entry: &Entry) -> Result<(), UnpackError> {
        let fd = fd.map_err(|e| UnpackError::write("open directory", path.as_bytes(), e))?;
        dress(&fd, entry)?;
        self.dated.push((path.clone(), entry.mtime));
        Ok(())
    }

    /// Links `path` to another entry of this layer.
    fn hard_link(&mut self, path: &LayerPath, target: &[u8]) -> Result<(), UnpackError> {
        let from = LayerPath::parse(path.as_bytes(), target, "a link target")?;
        let (Some((from_parent, from_name)), Some((parent, name))) = (from.split(), path.split()) else {
            return Err(UnpackError::bad(path.as_bytes(), "is a hard link to a directory"));
        };
        let failed = |e: io::Error| UnpackError::write("link", path.as_bytes(), e);
        if from == *path {
            return Ok(());
        }
        let from_dir = self.tree.directory(&from_parent)?;
        match look(&*from_dir, from_name).map_err(failed)? {
            Some(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile | FileType::Symlink | FileType::Fifo => {}
                _ => {
                    return Err(UnpackError::bad(path.as_bytes(), "is a hard link to something that is not a file"));
                }
            },
            None => {
                return Err(UnpackError::bad(path.as_bytes(), "is a hard link to a file that the layer does not hold"));
            }
        }
        let dir = self.cleared(path, &parent, name)?;
        rustix::fs::linkat(&*from_dir, from_name, &*dir, name, AtFlags::empty()).map_err(|e| failed(e.into()))
    }

    /// Hides `path` of the lower layers. What this layer itself holds there stays (it hides the lower one already).
    fn whiteout(&mut self, path: &LayerPath) -> Result<(), UnpackError> {
        let Some((parent, name)) = path.split() else {
            return Ok(());
        };
        let dir = self.tree.directory(&parent)?;
        let failed = |e: io::Error| UnpackError::write("create whiteout", path.as_bytes(), e);
        match look(&*dir, name).map_err(failed)? {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                mark_opaque(open_directory(&*dir, name).map_err(failed)?).map_err(failed)
            }
            Some(_) => Ok(()),
            None => rustix::fs::mknodat(&*dir, name, FileType::CharacterDevice, Mode::empty(), 0)
                .map_err(|e| failed(e.into())),
        }
    }

    fn opaque(&mut self, path: &LayerPath) -> Result<(), UnpackError> {
        let dir = self.tree.directory(path)?;
        mark_opaque(&*dir).map_err(|e| UnpackError::write("mark as opaque", path.as_bytes(), e))
    }
}

fn create_file(dir: impl AsFd, name: &[u8], entry: &Entry, data: &mut dyn Read) -> Result<(), UnpackError> {
    let failed = |e: io::Error| UnpackError::write("write", &entry.name, e);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o600)).map_err(|e| failed(e.into()))?;
    let mut file = File::from(fd);
    // A read error is the archive's, a write error the disk's: `io::copy` would not tell them apart.
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = match data.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(UnpackError::Read { source }),
        };
        io::Write::write_all(&mut file, &buffer[..count]).map_err(failed)?;
    }
    let fd = OwnedFd::from(file);
    dress(&fd, entry)?;
    rustix::fs::futimens(&fd, &times(entry.mtime)).map_err(|e| failed(e.into()))
}

/// Sets owner, mode and attributes. The order matters: changing the owner clears set-id bits and capabilities.
fn dress(fd: &OwnedFd, entry: &Entry) -> Result<(), UnpackError> {
    let failed = |action: &'static str| move |e: Errno| UnpackError::write(action, &entry.name, e);
    rustix::fs::fchown(fd, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))
        .map_err(failed("change the owner of"))?;
    rustix::fs::fchmod(fd, Mode::from_raw_mode(entry.mode)).map_err(failed("change the mode of"))?;
    for (name, value) in entry.xattrs.iter().filter(|(name, _)| is_kept(name)) {
        match rustix::fs::fsetxattr(fd, &**name, value, XattrFlags::empty()) {
            // `user.*` is optional on some file systems; losing it must not lose the image.
            Err(Errno::OPNOTSUPP) if name.starts_with(b"user.") => {}
            result => result.map_err(failed("set an attribute of"))?,
        }
    }
    Ok(())
}

/// Tells whether an extended attribute is taken over. Those of overlayfs would change what other layers show; those
/// of security modules belong to the host.
fn is_kept(name: &[u8]) -> bool {
    name == b"security.capability" || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
}

/// Sets owner and times of a link or fifo, which cannot be opened.
fn dress_by_name(dir: impl AsFd, name: &[u8], entry: &Entry) -> Result<(), UnpackError> {
    let dir = dir.as_fd();
    let failed = |e: Errno| UnpackError::write("change the owner of", &entry.name, e);
    let owner = (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)));
    rustix::fs::chownat(dir, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
    rustix::fs::utimensat(dir, name, &times(entry.mtime), AtFlags::SYMLINK_NOFOLLOW).map_err(failed)
}
