//! The files of a commit, straight from the object database.
//!
//! Responsible for: [`Files`] over one tree object.
//!
//! Must never: write, check out, or resolve a name against the file system.

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use git2::{ErrorCode, ObjectType, Oid, Repository, TreeEntry};

use super::files::{Content, Entry, EntryKind, Files, LINK_BYTES_MAX, ReadError, is_lfs_pointer, join, normal};

/// A read-only view of one commit's files.
///
/// Cheap to make. It keeps the object database open, so it stays readable while the cache is renewed.
pub struct Tree {
    repository: Mutex<Repository>,
    root: Oid,
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("root", &self.root).finish_non_exhaustive()
    }
}

/// A found object: its id and kind.
struct Found {
    id: Oid,
    kind: EntryKind,
}

impl Tree {
    /// Makes the view of the tree object `root`.
    pub(super) fn new(repository: Repository, root: Oid) -> Self {
        Self { repository: Mutex::new(repository), root }
    }

    /// Returns the id of the root tree.
    pub fn id(&self) -> Oid {
        self.root
    }

    fn repository(&self) -> MutexGuard<'_, Repository> {
        // A reader that panicked leaves nothing half done in a read-only handle.
        self.repository.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn find(&self, repository: &Repository, path: &str) -> Result<Option<Found>, ReadError> {
        if path.is_empty() {
            return Ok(Some(Found { id: self.root, kind: EntryKind::Directory }));
        }
        let root = repository.find_tree(self.root).map_err(object(path))?;
        match root.get_path(Path::new(path)) {
            Ok(entry) => Ok(Some(Found { id: entry.id(), kind: kind(&entry) })),
            Err(error) if error.code() == ErrorCode::NotFound && error.class() == git2::ErrorClass::Tree => Ok(None),
            Err(error) => Err(object(path)(error)),
        }
    }

    fn blob(&self, path: &str, wanted: EntryKind, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
        let path = normal(path)?;
        let repository = self.repository();
        let found = self.find(&repository, &path)?.ok_or_else(|| ReadError::NotFound { path: path.clone() })?;
        if found.kind != wanted {
            let wanted = if wanted == EntryKind::File { "a file" } else { "a symbolic link" };
            return Err(ReadError::WrongKind { path, wanted });
        }
        blob_of(&repository, found.id, &path, bytes_max)
    }
}

fn blob_of(repository: &Repository, id: Oid, path: &str, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
    let odb = repository.odb().map_err(object(path))?;
    let (size, kind) = odb.read_header(id).map_err(object(path))?;
    if kind != ObjectType::Blob {
        return Err(ReadError::WrongKind { path: path.to_owned(), wanted: "a file" });
    }
    if size as u64 > bytes_max {
        return Err(ReadError::TooLarge { path: path.to_owned(), bytes: size as u64, bytes_max });
    }
    Ok(odb.read(id).map_err(object(path))?.data().to_vec())
}

fn content(bytes: Vec<u8>) -> Content {
    if is_lfs_pointer(&bytes) { Content::LfsPointer } else { Content::Bytes(bytes) }
}

impl Files for Tree {
    fn entry(&self, path: &str) -> Result<Option<Entry>, ReadError> {
        let path = normal(path)?;
        let found = self.find(&self.repository(), &path)?;
        Ok(found.map(|found| Entry { path, kind: found.kind, id: Some(found.id) }))
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, ReadError> {
        let path = normal(path)?;
        let repository = self.repository();
        let found = self.find(&repository, &path)?.ok_or_else(|| ReadError::NotFound { path: path.clone() })?;
        if found.kind != EntryKind::Directory {
            return Err(ReadError::WrongKind { path, wanted: "a directory" });
        }
        let tree = repository.find_tree(found.id).map_err(object(&path))?;
        let mut entries = Vec::with_capacity(tree.len());
        for entry in &tree {
            // Names that could act as paths do not occur in repositories that Git wrote, only in hostile ones.
            let name = String::from_utf8_lossy(entry.name_bytes());
            if matches!(name.as_ref(), "" | "." | ".." | ".git") || name.contains('/') {
                return Err(ReadError::Outside { path: join(&path, &name) });
            }
            entries.push(Entry { path: join(&path, &name), kind: kind(&entry), id: Some(entry.id()) });
        }
        // Git orders directories as if their names ended with `/`.
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(entries)
    }

    fn read(&self, path: &str, bytes_max: u64) -> Result<Content, ReadError> {
        self.blob(path, EntryKind::File, bytes_max).map(content)
    }

    fn read_entry(&self, entry: &Entry, bytes_max: u64) -> Result<Content, ReadError> {
        match entry.id.filter(|_| entry.kind == EntryKind::File) {
            Some(id) => blob_of(&self.repository(), id, &entry.path, bytes_max).map(content),
            None => self.read(&entry.path, bytes_max),
        }
    }

    fn link(&self, path: &str) -> Result<String, ReadError> {
        let bytes = self.blob(path, EntryKind::Symlink, LINK_BYTES_MAX)?;
        String::from_utf8(bytes).map_err(|_| ReadError::Outside { path: path.to_owned() })
    }

    fn tree_hash(&self, path: &str) -> Result<Option<Oid>, ReadError> {
        let path = normal(path)?;
        Ok(self.find(&self.repository(), &path)?.map(|found| found.id))
    }
}

fn kind(entry: &TreeEntry<'_>) -> EntryKind {
    // The file modes Git knows (`Documentation/technical/index-format`): the upper four bits are the type.
    match entry.filemode_raw() & 0o170_000 {
        0o040_000 => EntryKind::Directory,
        0o120_000 => EntryKind::Symlink,
        0o160_000 => EntryKind::Submodule,
        _ => EntryKind::File,
    }
}

fn object(path: &str) -> impl Fn(git2::Error) -> ReadError + '_ {
    move |source| ReadError::Object { path: if path.is_empty() { "/".to_owned() } else { path.to_owned() }, source }
}
