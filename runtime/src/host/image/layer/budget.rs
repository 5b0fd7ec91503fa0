//! Reads an archive through its decompressor while every byte is counted and digested.

use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read};
use std::rc::Rc;

use super::super::Digest;
use super::super::digest::Hasher;
use super::{Bound, UnpackError};

/// Bounds of one layer.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Most bytes of the uncompressed archive.
    pub bytes_max: u64,
    /// Most entries.
    pub entries_max: u64,
    /// Most uncompressed bytes for one compressed byte, once [`ratio_free_bytes`](Self::ratio_free_bytes) are out.
    pub ratio_max: u64,
    /// Uncompressed bytes below which the ratio does not matter.
    pub ratio_free_bytes: u64,
}

impl Default for Limits {
    /// 32 GiB, a million entries, and 200 to 1 after the first 256 MiB: several times the largest images in use,
    /// while a bomb (gzip reaches 1,000 to 1) ends before it fills a disk.
    fn default() -> Self {
        Self { bytes_max: 32 << 30, entries_max: 1_000_000, ratio_max: 200, ratio_free_bytes: 256 << 20 }
    }
}

/// Uncompressed bytes of an archive, within bounds and digested on the way.
pub(super) struct Budgeted {
    inner: Box<dyn Read>,
    consumed: Rc<Cell<u64>>,
    produced: u64,
    limits: Limits,
    hasher: Hasher,
    tripped: Rc<Cell<Option<Bound>>>,
}

struct Counted<R> {
    inner: R,
    consumed: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.consumed.set(self.consumed.get() + count as u64);
        Ok(count)
    }
}

/// Returns a reader of what `reader` holds, uncompressed; gzip and zstd are told by their first bytes.
pub(in super::super) fn decoder(mut reader: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut magic = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut magic)?;
    let start = magic.clone();
    let whole = BufReader::with_capacity(64 << 10, Cursor::new(magic).chain(reader));
    Ok(match start.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::stream::read::Decoder::with_buffer(whole)?),
        _ => Box::new(whole),
    })
}

/// Reads all of `reader`, refusing more than `bytes_max` bytes.
pub(in super::super) fn read_all(reader: impl Read, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

impl Budgeted {
    pub(super) fn new(reader: impl Read + 'static, limits: &Limits) -> Result<Self, UnpackError> {
        let consumed = Rc::new(Cell::new(0));
        let counted = Counted { inner: reader, consumed: Rc::clone(&consumed) };
        Ok(Self {
            inner: decoder(counted).map_err(|source| UnpackError::Read { source })?,
            consumed,
            produced: 0,
            limits: limits.clone(),
            hasher: Hasher::default(),
            tripped: Rc::new(Cell::new(None)),
        })
    }

    /// Returns the place where the bound that was passed is noted: the tar reader swallows error types.
    pub(super) fn tripped(&self) -> Rc<Cell<Option<Bound>>> {
        Rc::clone(&self.tripped)
    }

    pub(super) fn produced(&self) -> u64 {
        self.produced
    }

    pub(super) fn finish(self) -> Digest {
        self.hasher.finish()
    }

    fn passed(&self) -> Option<Bound> {
        let Limits { bytes_max, ratio_max, ratio_free_bytes, .. } = self.limits;
        if self.produced > bytes_max {
            return Some(Bound::Bytes(bytes_max));
        }
        let allowed = self.consumed.get().saturating_mul(ratio_max);
        (self.produced > ratio_free_bytes && self.produced > allowed).then_some(Bound::Ratio(ratio_max))
    }
}

impl Read for Budgeted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.produced += count as u64;
        if let Some(bound) = self.passed() {
            self.tripped.set(Some(bound));
            return Err(io::Error::other("a bound of the layer was passed"));
        }
        Ok(count)
    }
}
