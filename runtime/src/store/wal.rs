//! A look at the write-ahead log before SQLite reads it.
//!
//! SQLite takes the first frame with a wrong checksum for the end of the log, and silently drops what follows. That is
//! right for a transaction that was cut off by a crash, and wrong for damage: a transaction begins only after the one
//! before it was synced, so a broken frame with intact later transactions behind it is damage to acknowledged writes.
//!
//! Responsible for: telling the two apart. Never changes the file. Format: <https://sqlite.org/fileformat2.html#walformat>.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// The two magic numbers; the last bit tells the byte order of the checksums.
const MAGIC: u32 = 0x377f_0682;

/// Returns the number of the first broken frame, from 0, that has a later transaction of the same log behind it.
pub(super) fn first_damaged_frame(path: &Path) -> io::Result<Option<u64>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    scan(&mut BufReader::with_capacity(1 << 16, file))
}

fn scan(file: &mut impl Read) -> io::Result<Option<u64>> {
    let mut header = [0; HEADER_BYTES];
    if !read_whole(file, &mut header)? {
        return Ok(None);
    }
    let (magic, page_bytes) = (word(&header, 0), word(&header, 8));
    if magic & !1 != MAGIC || !(512..=65_536).contains(&page_bytes) {
        // Where the beginning is damaged nothing is known of the rest.
        return Ok((header != [0; HEADER_BYTES]).then_some(0));
    }
    let big_endian = magic & 1 == 1;
    let salts = &header[16..24];
    let mut sum = add((0, 0), &header[..24], big_endian);
    let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes as usize];
    let mut broken: Option<u64> = None;
    let mut ends_behind = 0;
    for number in 0.. {
        if !read_whole(file, &mut frame)? {
            break;
        }
        // A frame of an older round of the log, which was begun anew, has other salts.
        let ours = &frame[8..16] == salts;
        sum = add(add(sum, &frame[..8], big_endian), &frame[FRAME_HEADER_BYTES..], big_endian);
        let intact = ours && sum == (word(&frame, 16), word(&frame, 20));
        if broken.is_none() && !intact {
            broken = Some(number);
        }
        ends_behind += u64::from(broken.is_some() && ours && word(&frame, 4) != 0);
    }
    // One end behind the break may be that of the unfinished transaction itself, written out of order.
    Ok(broken.filter(|_| ends_behind > 1))
}

/// Fills the buffer; `false` where the file ends first.
fn read_whole(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads a big-endian number, as all of the headers are whatever the checksums' order.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Continues SQLite's checksum over bytes whose number is a multiple of eight.
fn add(sum: (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    let number = |four: &[u8]| {
        let four = [four[0], four[1], four[2], four[3]];
        if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    };
    bytes.chunks_exact(8).fold(sum, |(first, second), eight| {
        let first = first.wrapping_add(number(&eight[..4])).wrapping_add(second);
        let second = second.wrapping_add(number(&eight[4..])).wrapping_add(first);
        (first, second)
    })
}
