//! The files of a plain directory, for `bowline validate DIR` and `bowline plan DIR`.
//!
//! Responsible for: [`Files`] over a working directory, with the object ids Git would give.
//!
//! Must never: leave the directory, not even by a link or by one that is swapped in meanwhile: the kernel resolves every
//! path beneath the root's descriptor (`openat2`, `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`), and nothing but regular
//! files is opened for reading.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, SFlag, fstatat};

use super::files::{Content, Entry, EntryKind, Files, ReadError, is_lfs_pointer, join, normal};

/// A plain directory read as if it were the root of a repository.
#[derive(Debug)]
pub struct DirTree {
    root: OwnedFd,
    path: PathBuf,
}

/// Size above which a file of a plain directory is not hashed but identified by size and time, in bytes; manifests are
/// far smaller, and a directory may hold disk images.
const HASHED_BYTES_MAX: u64 = 16 << 20;

impl DirTree {
    /// Opens a directory; links in the path to it are followed.
    ///
    /// # Errors
    /// [`ReadError::Io`] where it does not exist or is no directory.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = nix::fcntl::open(path, flags, nix::sys::stat::Mode::empty())
            .map_err(io_error(&path.display().to_string()))?;
        Ok(Self { root, path: path.to_owned() })
    }

    /// Returns the path the directory was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open_beneath(&self, path: &str, flags: OFlag) -> Result<OwnedFd, ReadError> {
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW).resolve(
            ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS,
        );
        let relative = if path.is_empty() { "." } else { path };
        openat2(self.root.as_fd(), relative, how).map_err(|errno| match errno {
            Errno::ENOENT => ReadError::NotFound { path: path.to_owned() },
            Errno::EXDEV | Errno::ELOOP => ReadError::Outside { path: path.to_owned() },
            Errno::ENOTDIR => ReadError::WrongKind { path: path.to_owned(), wanted: "a directory" },
            errno => io_error(path)(errno),
        })
    }

    /// Opens the directory of a path and returns it with the path's last part.
    fn parent<'p>(&self, path: &'p str) -> Result<(OwnedFd, &'p str), ReadError> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.open_beneath(parent, OFlag::O_PATH | OFlag::O_DIRECTORY)?, if name.is_empty() { "." } else { name }))
    }

    fn stat(&self, path: &str) -> Result<Option<FileStat>, ReadError> {
        let (parent, name) = match self.parent(path) {
            Ok(found) => found,
            Err(ReadError::NotFound { .. } | ReadError::WrongKind { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        match fstatat(parent.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            Err(errno) => Err(io_error(path)(errno)),
        }
    }

    fn bytes(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
        // O_NONBLOCK: a pipe that takes the file's place must not hang the reader.
        let file = File::from(self.open_beneath(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?);
        let wrap = |source| ReadError::Io { path: path.to_owned(), source };
        let metadata = file.metadata().map_err(wrap)?;
        if !metadata.is_file() {
            return Err(ReadError::WrongKind { path: path.to_owned(), wanted: "a file" });
        }
        let mut bytes = Vec::new();
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(wrap)?;
        if bytes.len() as u64 > bytes_max {
            let bytes = metadata.len().max(bytes.len() as u64);
            return Err(ReadError::TooLarge { path: path.to_owned(), bytes, bytes_max });
        }
        Ok(bytes)
    }

    fn file_hash(&self, path: &str) -> Result<Oid, ReadError> {
        let stat = self.stat(path)?.ok_or_else(|| ReadError::NotFound { path: path.to_owned() })?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if size > HASHED_BYTES_MAX {
            let identity = format!("{size} {} {}", stat.st_mtime, stat.st_mtime_nsec);
            return hash(ObjectType::Blob, identity.as_bytes(), path);
        }
        hash(ObjectType::Blob, &self.bytes(path, HASHED_BYTES_MAX)?, path)
    }

    fn directory_hash(&self, path: &str) -> Result<Oid, ReadError> {
        // The format of a tree object: mode, space, name, NUL, twenty bytes of id, in Git's order of names.
        let mut rows = Vec::new();
        for entry in self.list(path)? {
            let (mode, suffix) = match entry.kind {
                EntryKind::Directory => ("40000", "/"),
                EntryKind::File => ("100644", ""),
                EntryKind::Symlink => ("120000", ""),
                EntryKind::Submodule | EntryKind::Special => continue,
            };
            let Some(id) = self.tree_hash(&entry.path)? else {
                continue;
            };
            rows.push((format!("{}{suffix}", entry.name()), mode, entry.name().to_owned(), id));
        }
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        let mut object = Vec::new();
        for (_, mode, name, id) in rows {
            object.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            object.extend_from_slice(id.as_bytes());
        }
        hash(ObjectType::Tree, &object, path)
    }
}

impl Files for DirTree {
    fn entry(&self, path: &str) -> Result<Option<Entry>, ReadError> {
        let path = normal(path)?;
        Ok(self.stat(&path)?.map(|stat| Entry { kind: kind(&stat), path, id: None }))
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, ReadError> {
        let path = normal(path)?;
        let fd = self.open_beneath(&path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        let mut directory = nix::dir::Dir::from_fd(fd).map_err(io_error(&path))?;
        let mut names = Vec::new();
        for entry in directory.iter() {
            let entry = entry.map_err(io_error(&path))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !matches!(name.as_str(), "." | ".." | ".git") {
                names.push(name);
            }
        }
        names.sort();
        let mut entries = Vec::with_capacity(names.len());
        for name in names {
            let path = join(&path, &name);
            // A name that vanished meanwhile, or is not UTF-8, is no manifest of anyone.
            if let Some(stat) = self.stat(&path)? {
                entries.push(Entry { kind: kind(&stat), path, id: None });
            }
        }
        Ok(entries)
    }

    fn read(&self, path: &str, bytes_max: u64) -> Result<Content, ReadError> {
        let bytes = self.bytes(&normal(path)?, bytes_max)?;
        Ok(if is_lfs_pointer(&bytes) { Content::LfsPointer } else { Content::Bytes(bytes) })
    }

    fn link(&self, path: &str) -> Result<String, ReadError> {
        let path = normal(path)?;
        let (parent, name) = self.parent(&path)?;
        let target = readlinkat(parent.as_fd(), name).map_err(|errno| match errno {
            Errno::EINVAL => ReadError::WrongKind { path: path.clone(), wanted: "a symbolic link" },
            errno => io_error(&path)(errno),
        })?;
        target.into_string().map_err(|_| ReadError::Outside { path })
    }

    fn tree_hash(&self, path: &str) -> Result<Option<Oid>, ReadError> {
        let path = normal(path)?;
        let Some(stat) = self.stat(&path)? else {
            return Ok(None);
        };
        match kind(&stat) {
            EntryKind::Directory => self.directory_hash(&path).map(Some),
            EntryKind::File => self.file_hash(&path).map(Some),
            EntryKind::Symlink => hash(ObjectType::Blob, self.link(&path)?.as_bytes(), &path).map(Some),
            EntryKind::Submodule | EntryKind::Special => Ok(None),
        }
    }
}

fn kind(stat: &FileStat) -> EntryKind {
    match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFDIR => EntryKind::Directory,
        SFlag::S_IFREG => EntryKind::File,
        SFlag::S_IFLNK => EntryKind::Symlink,
        _ => EntryKind::Special,
    }
}

fn hash(kind: ObjectType, bytes: &[u8], path: &str) -> Result<Oid, ReadError> {
    Oid::hash_object(kind, bytes).map_err(|source| ReadError::Object { path: path.to_owned(), source })
}

fn io_error(path: &str) -> impl Fn(Errno) -> ReadError + '_ {
    move |errno| ReadError::Io {
        path: if path.is_empty() { ".".to_owned() } else { path.to_owned() },
        source: io::Error::from(errno),
    }
}
