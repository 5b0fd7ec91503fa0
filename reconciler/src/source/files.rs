//! What a reader of configuration sees: a read-only tree of files.
//!
//! Responsible for: the [`Files`] trait over a commit or a plain directory, paths that cannot leave the root, symbolic
//! links resolved inside the root only, and typed values for what is no file.
//!
//! Must never: let a path of the tree name anything outside it, or follow a link by itself.

use git2::Oid;

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link; [`Files::link`] gives its text.
    Symlink,
    /// Another repository, of which only a commit id is recorded.
    Submodule,
    /// A device, socket or pipe of a plain directory.
    Special,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path from the root, separated by `/`.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// The object id where the reader knows it without reading the file: in commits, not in plain directories.
    pub id: Option<Oid>,
}

impl Entry {
    /// Returns the last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// The bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The file itself.
    Bytes(Vec<u8>),
    /// A Git LFS pointer: the file is kept elsewhere and is not fetched.
    LfsPointer,
}

/// Why a path could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such path.
    #[error("`{path}` does not exist")]
    NotFound {
        /// The path.
        path: String,
    },
    /// The path is there and is something else than was asked for.
    #[error("`{path}` is not {wanted}")]
    WrongKind {
        /// The path.
        path: String,
        /// What was expected, with its article.
        wanted: &'static str,
    },
    /// The path would leave the root.
    #[error("`{path}` leads out of the repository or directory: paths and symbolic links must stay inside")]
    Outside {
        /// The path.
        path: String,
    },
    /// Links point at each other.
    #[error("`{path}` leads through more than {LINKS_MAX} symbolic links")]
    LinkLoop {
        /// The path.
        path: String,
    },
    /// The file exceeds the caller's limit.
    #[error("`{path}` has {bytes} bytes, more than the {bytes_max} that are read")]
    TooLarge {
        /// The path.
        path: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The object database lacks an object or holds a broken one.
    #[error(
        "cannot read `{path}` from the object database: fetch it again (the cache is renewed by itself), or run `git fsck` on a local repository"
    )]
    Object {
        /// The path.
        path: String,
        /// What libgit2 found.
        #[source]
        source: git2::Error,
    },
    /// The file system refused.
    #[error("cannot read `{path}`: check that it exists and may be read")]
    Io {
        /// The path.
        path: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

/// Symbolic links that are followed on the way to one path; Linux allows 40, a tree of manifests needs few.
pub const LINKS_MAX: usize = 16;

/// Bytes of the text of a symbolic link (`PATH_MAX`).
pub(super) const LINK_BYTES_MAX: u64 = 4096;

/// A read-only tree of files. Paths are relative to its root, separated by `/`; the root is the empty path.
pub trait Files: Send + Sync {
    /// Returns what stands at a path without following a link in its last part, or `None` where nothing does.
    fn entry(&self, path: &str) -> Result<Option<Entry>, ReadError>;

    /// Lists a directory in byte order of the names, `.git` left out.
    fn list(&self, path: &str) -> Result<Vec<Entry>, ReadError>;

    /// Reads a regular file of at most `bytes_max` bytes.
    fn read(&self, path: &str, bytes_max: u64) -> Result<Content, ReadError>;

    /// Does as [`Files::read`] for an entry of this tree that is at hand. A tree that knows its files by their ids need
    /// not look the path up again, which would cost as much as the directory has entries.
    fn read_entry(&self, entry: &Entry, bytes_max: u64) -> Result<Content, ReadError> {
        self.read(&entry.path, bytes_max)
    }

    /// Returns the text of a symbolic link.
    fn link(&self, path: &str) -> Result<String, ReadError>;

    /// Returns the Git object id of the file, link or directory at a path: equal ids mean equal content below.
    /// `None` where nothing stands there.
    fn tree_hash(&self, path: &str) -> Result<Option<Oid>, ReadError>;
}

/// Normalises a path a person or a manifest gave: `./a//b/` is `a/b`, `.` and `/` are the root.
///
/// # Errors
/// [`ReadError::Outside`] where `..` occurs or a NUL byte does.
pub fn normal(path: &str) -> Result<String, ReadError> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                return Err(ReadError::Outside { path: path.to_owned() });
            }
            part if part.contains('\0') => {
                return Err(ReadError::Outside { path: path.replace('\0', "\\0") });
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// Joins a directory and a name of it.
pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// Follows the links on the way to `path` inside the tree and returns the path that is meant.
///
/// # Errors
/// [`ReadError::Outside`] for a link that is absolute or leads above the root, [`ReadError::LinkLoop`] for too many.
pub fn resolve(files: &dyn Files, path: &str) -> Result<String, ReadError> {
    resolve_noting(files, path, &mut |_| {})
}

/// Does as [`resolve`] and calls `link` with the path of every link on the way: on each of them the result depends.
pub(crate) fn resolve_noting(files: &dyn Files, path: &str, link: &mut dyn FnMut(&str)) -> Result<String, ReadError> {
    let mut pending: Vec<String> = parts_reversed(path);
    let (mut done, mut links) = (Vec::<String>::new(), 0);
    while let Some(part) = pending.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                done.pop().ok_or_else(|| ReadError::Outside { path: path.to_owned() })?;
                continue;
            }
            _ => done.push(part),
        }
        let here = done.join("/");
        match files.entry(&here)? {
            Some(entry) if entry.kind == EntryKind::Symlink => {
                links += 1;
                link(&here);
                if links > LINKS_MAX {
                    return Err(ReadError::LinkLoop { path: path.to_owned() });
                }
                let target = files.link(&here)?;
                if target.starts_with('/') || target.contains('\0') {
                    return Err(ReadError::Outside { path: path.to_owned() });
                }
                done.pop();
                pending.extend(parts_reversed(&target));
            }
            Some(_) => {}
            None => return Err(ReadError::NotFound { path: here }),
        }
    }
    Ok(done.join("/"))
}

fn parts_reversed(path: &str) -> Vec<String> {
    path.split('/').rev().map(str::to_owned).collect()
}

/// Returns whether the bytes are a Git LFS pointer (git-lfs, `docs/spec.md`: the first line names the version, the whole
/// is below 1024 bytes).
pub(super) fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.len() < 1024 && bytes.starts_with(b"version https://git-lfs.github.com/spec/v1\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(case: &str, path: &str, expected: Option<&str>) {
        assert_eq!(normal(path).ok().as_deref(), expected, "{case}");
    }

    #[test]
    fn paths_are_normal_or_refused() {
        check("plain", "a/b", Some("a/b"));
        check("decorated", "./a//b/", Some("a/b"));
        check("root", "/", Some(""));
        check("here", ".", Some(""));
        check("above", "../a", None);
        check("above in the middle", "a/../../b", None);
        check("above, even when it would stay inside", "a/../b", None);
        check("nul", "a\0b", None);
        check("names with dots are names", "a/..b/...", Some("a/..b/..."));
    }
}
