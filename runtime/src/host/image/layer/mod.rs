//! Turns one layer archive into a directory that overlayfs can use as a lower directory.
//!
//! The archive is hostile until proven otherwise: every byte is counted against [`Limits`], every name is taken apart
//! and walked by file descriptor below the layer's own directory, and nothing is created that the archive has no
//! business creating (device nodes, overlayfs' own attributes). It never follows a link out of the layer, never
//! touches the directories of other layers except to read the attributes of a directory that it has to create, and
//! knows nothing of registries or the store.
//!
//! Start reading at [`unpack`]. [`Unpacker`] is the seam at which the work moves into a confined process: a
//! [`Job`] is plain data and names every file that is read or written.

mod apply;
mod budget;
mod confine;
mod entry;
mod error;
mod name;
mod tree;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

pub use self::budget::Limits;
pub use self::confine::Confined;
pub use self::error::{Bound, UnpackError};

pub(super) use self::budget::{decoder, read_all};
pub(super) use self::error::is_disk_full;
pub(super) use self::tree::{OPAQUE_XATTR, is_whiteout, remove_tree};

use super::Digest;

/// One layer to unpack: plain data, so that it can be handed to another process.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Job {
    /// The file that holds the archive.
    pub archive: PathBuf,
    /// Where in the file the archive starts, in bytes.
    pub offset: u64,
    /// How many bytes of the file belong to the archive.
    pub length: u64,
    /// An existing empty directory to unpack into.
    pub into: PathBuf,
    /// The unpacked layers below this one, top first.
    pub below: Vec<PathBuf>,
    /// The digest that the uncompressed archive must have.
    pub diff_id: Digest,
    /// Bounds of what is unpacked.
    pub limits: Limits,
}

/// What unpacking a layer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unpacked {
    /// Bytes of the uncompressed archive.
    pub bytes: u64,
    /// Entries in the archive.
    pub entries: u64,
    /// Device nodes that were left out: containers get their `/dev` from the engine.
    pub devices_skipped: u64,
}

/// Where layers are unpacked: on a confined thread ([`Confined`]), plainly on the calling one ([`InProcess`]), or
/// wherever else an implementation takes a [`Job`] and calls [`Job::run`].
pub trait Unpacker: Send + Sync {
    /// Unpacks one layer and returns when it is complete; durability is the caller's. Blocks.
    fn unpack(&self, job: &Job) -> Result<Unpacked, UnpackError>;
}

/// Unpacks on the calling thread, for a process that is confined already.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

impl Unpacker for InProcess {
    fn unpack(&self, job: &Job) -> Result<Unpacked, UnpackError> {
        job.run()
    }
}

impl Job {
    /// Unpacks the layer here and now. Blocks.
    pub fn run(&self) -> Result<Unpacked, UnpackError> {
        self.run_confined(|| Ok(()))
    }

    /// Opens every file that is needed, calls `confine`, and only then reads the archive. Blocks.
    pub fn run_confined(&self, confine: impl FnOnce() -> Result<(), UnpackError>) -> Result<Unpacked, UnpackError> {
        let open = |source| UnpackError::Read { source };
        let mut archive = File::open(&self.archive).map_err(open)?;
        archive.seek(SeekFrom::Start(self.offset)).map_err(open)?;
        let applier = apply::Applier::new(&self.into, &self.below)?;
        confine()?;
        let (unpacked, found) = apply_archive(archive.take(self.length), applier, &self.limits)?;
        if found != self.diff_id {
            return Err(UnpackError::WrongDiffId { expected: self.diff_id.clone(), found });
        }
        Ok(unpacked)
    }
}

/// Unpacks the archive in `reader` (plain, gzip or zstd tar) into the empty directory `into` and returns what was
/// done together with the digest of the uncompressed archive.
///
/// Whiteouts become overlayfs' own (character device 0/0, `trusted.overlay.opaque`). A directory that the archive
/// uses without listing it gets owner and mode of the topmost one in `below`, as it would if the archive were
/// applied to the mounted stack. Owners, modes, times, hard links, `security.capability` and `user.*` attributes are
/// kept. On an error `into` is left half filled: the caller throws it away.
pub fn unpack(
    reader: impl Read + 'static,
    into: &Path,
    below: &[PathBuf],
    limits: &Limits,
) -> Result<(Unpacked, Digest), UnpackError> {
    apply_archive(reader, apply::Applier::new(into, below)?, limits)
}

fn apply_archive(
    reader: impl Read + 'static,
    mut applier: apply::Applier,
    limits: &Limits,
) -> Result<(Unpacked, Digest), UnpackError> {
    let mut budget = budget::Budgeted::new(reader, limits)?;
    let tripped = budget.tripped();
    let translate = |error: UnpackError| match tripped.get() {
        Some(bound) => UnpackError::TooMuch { bound },
        None => error,
    };
    let mut unpacked = Unpacked { bytes: 0, entries: 0, devices_skipped: 0 };
    entry::for_each(&mut budget, limits, |entry, data| {
        unpacked.entries += 1;
        unpacked.devices_skipped += u64::from(entry.is_device());
        applier.apply(entry, data)
    })
    .map_err(translate)?;
    applier.finish().map_err(translate)?;
    // What follows the end marker still belongs to the digest, and to the bounds.
    io::copy(&mut budget, &mut io::sink()).map_err(|source| translate(UnpackError::Read { source }))?;
    unpacked.bytes = budget.produced();
    Ok((unpacked, budget.finish()))
}
