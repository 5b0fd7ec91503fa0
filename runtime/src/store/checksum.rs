//! The checksum of a stored row: CRC-32, which finds every flip of up to three bits in a row of a megabyte.

use flate2::Crc;

/// Sums the parts; lengths are summed too, so that no byte can move from one part to the next.
pub(super) fn checksum(numbers: &[u64], parts: &[&[u8]]) -> u32 {
    let mut crc = Crc::new();
    for number in numbers {
        crc.update(&number.to_le_bytes());
    }
    for part in parts {
        crc.update(&(part.len() as u64).to_le_bytes());
        crc.update(part);
    }
    crc.sum()
}
