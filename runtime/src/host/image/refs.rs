//! The index from names to content: one small file for each name, replaced atomically.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Digest;
use super::blobs::{ignore_missing, sync_dir, write_durably};
use super::layer::read_all;

/// Most bytes of one record.
const RECORD_BYTES_MAX: u64 = 64 << 10;

/// What the store knows about one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// Layout of this file; 1 so far. A newer one is not touched.
    pub version: u32,
    /// The normalised name.
    pub name: String,
    /// Manifest for this platform.
    pub digest: Digest,
    /// What the registry answers for the name: an index or the manifest itself. `None` when loaded from a file.
    pub source: Option<Digest>,
    /// When the name got this content, in seconds since 1970.
    pub created: u64,
    /// When it was last asked for, in seconds since 1970; kept in steps of an hour.
    pub used: u64,
}

/// The directory `refs` of a store.
#[derive(Debug, Clone)]
pub(super) struct Refs {
    dir: PathBuf,
    scratch: PathBuf,
}

impl Refs {
    pub(super) fn new(dir: PathBuf, scratch: PathBuf) -> Self {
        Self { dir, scratch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{}.json", Digest::of(name.as_bytes()).hex()))
    }

    pub(super) fn get(&self, name: &str) -> io::Result<Option<Record>> {
        read_record(&self.path(name))
    }

    pub(super) fn put(&self, record: &Record) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(record).map_err(io::Error::other)?;
        write_durably(&self.path(&record.name), &self.scratch, &bytes)
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        ignore_missing(fs::remove_file(self.path(name)))?;
        sync_dir(&self.dir)
    }

    /// Lists all records by name.
    pub(super) fn list(&self) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        for item in fs::read_dir(&self.dir)? {
            let path = item?.path();
            if path.extension().is_some_and(|e| e == "json") {
                records.extend(read_record(&path)?);
            }
        }
        records.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(records)
    }
}

/// Reads one record; one that is unreadable counts as absent: the image is fetched again.
fn read_record(path: &std::path::Path) -> io::Result<Option<Record>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let bytes = read_all(file, RECORD_BYTES_MAX)?;
    match serde_json::from_slice::<Record>(&bytes) {
        Ok(record) if record.version == 1 => Ok(Some(record)),
        Ok(record) => {
            tracing::warn!(path = %path.display(), version = record.version, "an image record is of an unknown version");
            Ok(None)
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "an image record is damaged");
            Ok(None)
        }
    }
}
