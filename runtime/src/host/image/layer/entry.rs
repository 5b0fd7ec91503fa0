//! Reads entries from a tar archive: headers and their pax and GNU extensions, each within bounds.
//!
//! The `tar` crate does blocks and header fields. Its own handling of extensions is switched off, because it reads
//! an extended header of any size into memory.

use std::io::{self, Read};

use super::name::PATH_MAX;
use super::{Bound, Limits, UnpackError};

/// Most bytes of one extended header: extended attributes are at most 64 KiB each on Linux.
const HEADER_BYTES_MAX: u64 = 1 << 20;

/// One entry with everything that its extensions say.
#[derive(Debug)]
pub(super) struct Entry {
    pub name: Vec<u8>,
    pub kind: EntryKind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds and nanoseconds.
    pub mtime: (i64, u32),
    /// Extended attributes in the order of the archive.
    pub xattrs: Vec<Attribute>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Directory,
    Fifo,
    Device,
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
}

impl Entry {
    pub(super) fn is_device(&self) -> bool {
        self.kind == EntryKind::Device
    }
}

/// A key with its value, as an extended header or a file carries them.
pub(super) type Attribute = (Vec<u8>, Vec<u8>);

/// What extended headers said about the next entry.
#[derive(Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: Vec<Attribute>,
}

impl Extensions {
    fn get(&self, key: &str) -> Option<&[u8]> {
        self.pax.iter().rev().find(|(k, _)| k == key.as_bytes()).map(|(_, value)| value.as_slice())
    }
}

/// Calls `visit` for every entry of the archive in `reader`, with a reader of the entry's content.
pub(super) fn for_each(
    reader: &mut dyn Read,
    limits: &Limits,
    mut visit: impl FnMut(&Entry, &mut dyn Read) -> Result<(), UnpackError>,
) -> Result<(), UnpackError> {
    let broken = |source| UnpackError::Read { source };
    let mut archive = tar::Archive::new(reader);
    let mut extensions = Extensions::default();
    let mut count = 0;
    for raw in archive.entries().map_err(broken)?.raw(true) {
        let mut raw = raw.map_err(broken)?;
        count += 1;
        if count > limits.entries_max {
            return Err(UnpackError::TooMuch { bound: Bound::Entries(limits.entries_max) });
        }
        let size = raw.size();
        match raw.header().entry_type().as_byte() {
            b'g' => drop(read_header(&mut raw, size)?),
            b'x' => extensions.pax = parse_pax(&read_header(&mut raw, size)?)?,
            b'L' => extensions.name = Some(trim_nul(read_header(&mut raw, size)?)),
            b'K' => extensions.link = Some(trim_nul(read_header(&mut raw, size)?)),
            _ => {
                let entry = assemble(raw.header(), std::mem::take(&mut extensions), size)?;
                if size > limits.bytes_max {
                    return Err(UnpackError::TooMuch { bound: Bound::Bytes(limits.bytes_max) });
                }
                visit(&entry, &mut raw)?;
            }
        }
    }
    Ok(())
}

fn read_header(reader: &mut impl Read, size: u64) -> Result<Vec<u8>, UnpackError> {
    if size > HEADER_BYTES_MAX {
        return Err(UnpackError::TooMuch { bound: Bound::Header(HEADER_BYTES_MAX) });
    }
    let mut bytes = Vec::new();
    reader.take(size).read_to_end(&mut bytes).map_err(|source| UnpackError::Read { source })?;
    Ok(bytes)
}

fn trim_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

/// Splits a pax header into records `LENGTH KEY=VALUE\n`; a value may hold any byte, newlines included.
fn parse_pax(mut rest: &[u8]) -> Result<Vec<Attribute>, UnpackError> {
    let malformed =
        || UnpackError::Read { source: io::Error::new(io::ErrorKind::InvalidData, "malformed pax extended header") };
    let mut records = Vec::new();
    while !rest.is_empty() {
        let space = rest.iter().position(|b| *b == b' ').ok_or_else(malformed)?;
        let length: usize = number(&rest[..space]).and_then(|n| usize::try_from(n).ok()).ok_or_else(malformed)?;
        let record = rest.get(space + 1..length).ok_or_else(malformed)?;
        let body = record.strip_suffix(b"\n").ok_or_else(malformed)?;
        let equals = body.iter().position(|b| *b == b'=').ok_or_else(malformed)?;
        records.push((body[..equals].to_vec(), body[equals + 1..].to_vec()));
        rest = &rest[length..];
    }
    Ok(records)
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
}

fn assemble(header: &tar::Header, extensions: Extensions, size: u64) -> Result<Entry, UnpackError> {
    let path_bytes = header.path_bytes();
    let name = [extensions.get("path"), extensions.name.as_deref()]
        .into_iter()
        .flatten()
        .next()
        .unwrap_or(path_bytes.as_ref())
        .to_vec();
    let refuse = |problem: &str| UnpackError::bad(&name, problem);
    if extensions.pax.iter().any(|(key, _)| key.starts_with(b"GNU.sparse.")) {
        return Err(refuse("is a sparse file, which layers may not hold"));
    }
    if extensions.get("size").is_some_and(|value| number(value) != Some(size)) {
        return Err(refuse("has a size in its extended header that differs from its header"));
    }
    let id = |key: &str, field: io::Result<u64>| {
        let value = match extensions.get(key) {
            Some(value) => number(value),
            None => field.ok(),
        };
        // The last id means `leave as it is` to the kernel.
        value
            .and_then(|id| u32::try_from(id).ok())
            .filter(|id| *id != u32::MAX)
            .ok_or_else(|| UnpackError::bad(&name, format!("has a {key} that is not a number below 4294967295")))
    };
    let (uid, gid) = (id("uid", header.uid())?, id("gid", header.gid())?);
    let link = || {
        let in_header = header.link_name_bytes();
        let target = extensions.get("linkpath").or(extensions.link.as_deref()).or(in_header.as_deref());
        match target {
            Some(target) if !target.is_empty() && target.len() < PATH_MAX && !target.contains(&0) => {
                Ok(target.to_vec())
            }
            _ => Err(refuse("is a link without a usable target")),
        }
    };
    let kind = match header.entry_type().as_byte() {
        b'0' | b'\0' | b'7' if name.ends_with(b"/") => EntryKind::Directory,
        b'0' | b'\0' | b'7' => EntryKind::File,
        b'1' => EntryKind::HardLink(link()?),
        b'2' => EntryKind::Symlink(link()?),
        b'3' | b'4' => EntryKind::Device,
        b'5' => EntryKind::Directory,
        b'6' => EntryKind::Fifo,
        other => {
            return Err(refuse(&format!(
                "is of type `{}`, which layers may not hold",
                char::from(other).escape_debug()
            )));
        }
    };
    let mtime = match extensions.get("mtime") {
        Some(value) => parse_time(value).ok_or_else(|| refuse("has a malformed mtime"))?,
        None => (header.mtime().ok().and_then(|s| i64::try_from(s).ok()).unwrap_or(0), 0),
    };
    let xattrs = extensions
        .pax
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(b"SCHILY.xattr.")?.to_vec(), value.clone())))
        .collect();
    let mode = header.mode().map_err(|_| refuse("has a malformed mode"))? & 0o7777;
    Ok(Entry { kind, mode, uid, gid, mtime, xattrs, name })
}

/// Parses pax time: decimal seconds with an optional fraction, possibly negative.
fn parse_time(value: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let mut nanos = 0;
    for at in 0..9 {
        let digit = fraction.as_bytes().get(at).map_or(Some(0), |b| b.is_ascii_digit().then(|| u32::from(b - b'0')))?;
        nanos = nanos * 10 + digit;
    }
    match whole.starts_with('-') && nanos > 0 {
        true => Some((seconds.checked_sub(1)?, 1_000_000_000 - nanos)),
        false => Some((seconds, nanos)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pax_values_may_hold_newlines_and_bad_lengths_are_refused() {
        let records = parse_pax(b"9 a=1\n2\n\n").expect("one record");
        assert_eq!(records, vec![(b"a".to_vec(), b"1\n2\n".to_vec())]);
        for bad in [&b"99 a=1\n"[..], b"x a=1\n", b"6 a=1", b"0 a=1\n", b"3 a=1\n", b"18446744073709551616 a=1\n"] {
            assert!(parse_pax(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn times_keep_fractions_and_sign() {
        for (text, expected) in [
            ("12", Some((12, 0))),
            ("12.5", Some((12, 500_000_000))),
            ("-1.25", Some((-2, 750_000_000))),
            ("1.1234567891", Some((1, 123_456_789))),
            ("1.x", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text.as_bytes()), expected, "{text}");
        }
    }
}
