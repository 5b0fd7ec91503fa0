//! Files named by their content: written beside, verified, synced, then renamed into place.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Digest;
use super::layer::read_all;

/// The directory `blobs/sha256` of a store.
#[derive(Debug, Clone)]
pub(super) struct Blobs {
    dir: PathBuf,
    scratch: PathBuf,
}

impl Blobs {
    pub(super) fn new(dir: PathBuf, scratch: PathBuf) -> Self {
        Self { dir, scratch }
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(digest.hex())
    }

    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    /// Reads a small blob; `None` when it is absent. A blob whose bytes no longer match its name is removed and
    /// counts as absent, so that it is fetched again.
    pub(super) fn read(&self, digest: &Digest, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let path = self.path(digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let bytes = read_all(file, bytes_max)?;
        if Digest::of(&bytes) != *digest {
            tracing::warn!(%digest, "a stored blob does not match its digest and is removed");
            fs::remove_file(&path)?;
            return Ok(None);
        }
        Ok(Some(bytes))
    }

    /// Stores `bytes` and returns their digest.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<Digest> {
        let digest = Digest::of(bytes);
        write_durably(&self.path(&digest), &self.scratch, bytes)?;
        Ok(digest)
    }

    /// Gives `file`, whose bytes the caller has verified, the name `digest`.
    pub(super) fn adopt(&self, file: &Path, digest: &Digest) -> io::Result<()> {
        File::open(file)?.sync_all()?;
        fs::rename(file, self.path(digest))?;
        sync_dir(&self.dir)
    }

    pub(super) fn remove(&self, digest: &Digest) -> io::Result<()> {
        ignore_missing(fs::remove_file(self.path(digest)))
    }

    /// Lists what is stored, with sizes in bytes; names that are no digest are not listed.
    pub(super) fn list(&self) -> io::Result<Vec<(Digest, u64)>> {
        let mut found = Vec::new();
        for item in fs::read_dir(&self.dir)? {
            let item = item?;
            if let Ok(digest) = format!("sha256:{}", item.file_name().to_string_lossy()).parse() {
                found.push((digest, item.metadata()?.len()));
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Replaces `path` by a file with `bytes`: after a crash either the old or the new content is there.
pub(super) fn write_durably(path: &Path, scratch: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = scratch.join(unique_name("file"));
    let written = (|| {
        let mut file = File::create_new(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), sync_dir)
    })();
    if written.is_err() {
        // The scratch directory is emptied when the store is opened; nothing depends on this.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Makes the entries of `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

pub(super) fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Returns a file name that this process uses once; the store's lock keeps other processes out.
pub(super) fn unique_name(kind: &str) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{kind}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
