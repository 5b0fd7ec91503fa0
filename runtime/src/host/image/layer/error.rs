//! What can go wrong while a layer is unpacked.

use std::fmt;
use std::io;

use super::super::Digest;

/// A bound of [`Limits`](super::Limits) that an archive went over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Uncompressed bytes.
    Bytes(u64),
    /// Entries.
    Entries(u64),
    /// Uncompressed bytes for one compressed byte.
    Ratio(u64),
    /// Bytes of one extended header.
    Header(u64),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(max) => write!(f, "more than {max} bytes when uncompressed"),
            Self::Entries(max) => write!(f, "more than {max} entries"),
            Self::Ratio(max) => write!(f, "more than {max} bytes for each compressed byte"),
            Self::Header(max) => write!(f, "an extended header of more than {max} bytes"),
        }
    }
}

/// Why a layer was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive cannot be read, or is not a (compressed) tar archive.
    #[error("cannot read the layer's archive")]
    Read {
        /// What the read failed with.
        #[source]
        source: io::Error,
    },
    /// The archive is larger than allowed.
    #[error("the layer is refused: it holds {bound}")]
    TooMuch {
        /// The bound that was passed.
        bound: Bound,
    },
    /// An entry's name points outside of the layer or cannot exist.
    #[error("the layer is refused: entry `{name}` {problem}")]
    BadEntry {
        /// Name in the archive; bytes that are not UTF-8 are replaced, long names cut.
        name: String,
        /// What is wrong with the entry.
        problem: String,
    },
    /// The host refused to create what an entry asks for.
    #[error("cannot {action} `{name}` of the layer")]
    Write {
        /// The step that failed.
        action: &'static str,
        /// Name in the archive.
        name: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The thread could not be confined; nothing was unpacked.
    #[error("cannot {action} to unpack a layer safely: unpacking needs root's capabilities")]
    Confine {
        /// The step that failed.
        action: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The content is not what the image's configuration promises.
    #[error("the layer's content has digest `{found}`, but the image promises `{expected}`")]
    WrongDiffId {
        /// From the image's configuration.
        expected: Digest,
        /// Of the bytes that were read.
        found: Digest,
    },
}

impl UnpackError {
    pub(super) fn bad(name: &[u8], problem: impl Into<String>) -> Self {
        Self::BadEntry { name: printable(name), problem: problem.into() }
    }

    pub(super) fn write(action: &'static str, name: &[u8], source: impl Into<io::Error>) -> Self {
        Self::Write { action, name: printable(name), source: source.into() }
    }

    /// Tells whether the disk or a quota is full: another attempt helps once space is freed.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Write { source, .. } if is_disk_full(source))
    }
}

/// Tells whether `error` says that disk or quota are full.
pub(in super::super) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(200)]).chars().flat_map(char::escape_debug).collect()
}
