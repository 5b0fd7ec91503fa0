//! Container output as log files in the form of the Kubernetes CRI: `time stream F|P text`, one line each.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longest text of one log line in bytes; longer lines are split, all parts but the last marked `P`.
pub const LINE_BYTES_MAX: usize = 16 * 1024;
/// A log file that grows beyond this is put aside.
pub const FILE_BYTES_MAX: u64 = 10 << 20;
/// Files kept for one attempt, the current one included.
pub const FILES_MAX: usize = 5;

/// A moment as UTC date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    year: i64,
    month: u32,
    day: u32,
    hour: u64,
    minute: u64,
    second: u64,
    nanos: u32,
}

impl Civil {
    /// Converts a time; one before 1970 becomes 1970.
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let (days, rest) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        // Days are counted from 0000-03-01, so that leap days end a four-year, century or 400-year cycle.
        let days = days as i64 + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: month as u32,
            day: (day_of_year - (153 * march_month + 2) / 5 + 1) as u32,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            nanos: since.subsec_nanos(),
        }
    }

    /// The form of RFC 3339 with nine digits after the second.
    pub fn rfc3339(&self) -> String {
        let Self { year, month, day, hour, minute, second, nanos } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
    }

    /// The form used in names of files put aside, `YYYYMMDD-HHMMSS`.
    pub fn compact(&self) -> String {
        let Self { year, month, day, hour, minute, second, .. } = self;
        format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
    }
}

/// Cuts a stream of bytes into log lines. Holds at most one unfinished line.
#[derive(Debug)]
pub struct Lines {
    stream: &'static str,
    rest: Vec<u8>,
}

impl Lines {
    /// Starts with nothing read of the stream called `stream` (`stdout` or `stderr`).
    pub fn new(stream: &'static str) -> Self {
        Self { stream, rest: Vec::new() }
    }

    /// Appends the lines that `bytes` completes to `out`.
    pub fn push(&mut self, mut bytes: &[u8], time: &str, out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let room = LINE_BYTES_MAX - self.rest.len();
            let window = &bytes[..bytes.len().min(room)];
            match window.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    self.line(time, 'F', &bytes[..end], out);
                    bytes = &bytes[end + 1..];
                }
                // A line of exactly the greatest length is whole when its end follows.
                None if window.len() == room && bytes.get(room) == Some(&b'\n') => {
                    self.line(time, 'F', window, out);
                    bytes = &bytes[room + 1..];
                }
                None if window.len() == room => {
                    self.line(time, 'P', window, out);
                    bytes = &bytes[room..];
                }
                None => {
                    self.rest.extend_from_slice(window);
                    return;
                }
            }
        }
    }

    /// Appends what is left at the end of the stream: an unfinished line.
    pub fn finish(&mut self, time: &str, out: &mut Vec<u8>) {
        if !self.rest.is_empty() {
            self.line(time, 'P', &[], out);
        }
    }

    fn line(&mut self, time: &str, flag: char, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{time} {} {flag} ", self.stream).as_bytes());
        out.extend_from_slice(&self.rest);
        out.extend_from_slice(text);
        out.push(b'\n');
        self.rest = Vec::new();
    }
}

/// The log file of one attempt.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Log {
    /// Opens `<dir>/<attempt>.log`, created when missing, and appends to it.
    pub fn open(dir: &Path, attempt: u32) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let path = dir.join(format!("{attempt}.log"));
        let file = append(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path, file, bytes })
    }

    /// The current file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes whole lines and puts the file aside when it has grown too long.
    pub fn write(&mut self, lines: &[u8], now: SystemTime) -> io::Result<()> {
        self.file.write_all(lines)?;
        self.bytes += lines.len() as u64;
        if self.bytes > FILE_BYTES_MAX { self.rotate(now) } else { Ok(()) }
    }

    fn rotate(&mut self, now: SystemTime) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let dir = self.path.parent().unwrap_or(Path::new("/"));
        let mut aside = dir.join(format!("{name}.{}", Civil::of(now).compact()));
        let mut number = 1;
        while aside.exists() {
            aside = dir.join(format!("{name}.{}-{number}", Civil::of(now).compact()));
            number += 1;
        }
        fs::rename(&self.path, &aside)?;
        self.file = append(&self.path)?;
        self.bytes = 0;
        let prefix = format!("{name}.");
        let mut old: Vec<(SystemTime, PathBuf)> = fs::read_dir(dir)?
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        old.sort();
        let surplus = old.len().saturating_sub(FILES_MAX - 1);
        old.drain(..surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Returns the text of the last log lines: at most 80 lines and 2048 bytes, as for a termination message.
pub fn tail(path: &Path) -> String {
    const BYTES: u64 = 64 * 1024;
    let read = || -> io::Result<Vec<u8>> {
        use std::io::{Seek, SeekFrom};
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
        let mut bytes = Vec::new();
        file.take(BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    // A line is time, stream, flag and text; one cut at the start of the window has fewer parts and is left out.
    let lines: Vec<String> =
        text.lines().filter_map(|line| line.splitn(4, ' ').nth(3).map(|text| format!("{text}\n"))).collect();
    let joined = lines[lines.len().saturating_sub(80)..].concat();
    let cut = joined.len().saturating_sub(2048);
    let start = (cut..=joined.len()).find(|index| joined.is_char_boundary(*index)).unwrap_or(0);
    joined[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(case: &str, reads: &[&[u8]], expected: &str) {
        let (mut lines, mut out) = (Lines::new("stdout"), Vec::new());
        for read in reads {
            lines.push(read, "T", &mut out);
        }
        lines.finish("T", &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected, "{case}");
    }

    #[test]
    fn output_becomes_lines() {
        check("one line", &[b"hello\n"], "T stdout F hello\n");
        check("a line in two reads", &[b"he", b"llo\n"], "T stdout F hello\n");
        check("two lines in one read", &[b"a\nb\n"], "T stdout F a\nT stdout F b\n");
        check("an empty line", &[b"\n"], "T stdout F \n");
        check("an unfinished line", &[b"a\nb"], "T stdout F a\nT stdout P b\n");
        check("nothing", &[], "");
    }

    #[test]
    fn long_lines_are_split_at_16_kib() {
        let full = "x".repeat(LINE_BYTES_MAX);
        let whole = format!("{full}\n");
        check("exactly the limit", &[whole.as_bytes()], &format!("T stdout F {full}\n"));
        let longer = format!("{full}yz\n");
        let expected = format!("T stdout P {full}\nT stdout F yz\n");
        check("two bytes more", &[longer.as_bytes()], &expected);
        check("in small reads", &longer.as_bytes().chunks(1000).collect::<Vec<_>>(), &expected);
    }

    #[test]
    fn times_are_utc_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000005Z"),
            (951_782_400, "2000-02-29T00:00:00.000000005Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000000005Z"),
            (4_102_444_800, "2100-01-01T00:00:00.000000005Z"),
        ] {
            let time = UNIX_EPOCH + Duration::new(seconds, 5);
            assert_eq!(Civil::of(time).rfc3339(), expected);
        }
    }

    #[test]
    fn a_long_log_is_put_aside_and_the_oldest_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = Log::open(dir.path(), 0).expect("a log");
        let chunk = vec![b'x'; FILE_BYTES_MAX as usize + 1];
        for _ in 0..FILES_MAX + 2 {
            log.write(&chunk, UNIX_EPOCH).expect("it can be written");
        }
        let files = fs::read_dir(dir.path()).expect("the directory").count();
        assert_eq!(files, FILES_MAX);
        assert_eq!(fs::metadata(log.path()).expect("the current file").len(), 0);
    }

    #[test]
    fn the_tail_is_text_without_times() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("0.log");
        fs::write(&path, "T stdout F one\nT stderr F two words\n").expect("a file");
        assert_eq!(tail(&path), "one\ntwo words\n");
        let long: String = (0..200).map(|n| format!("T stdout F line {n}\n")).collect();
        fs::write(&path, long).expect("a file");
        assert_eq!(tail(&path).lines().count(), 80);
        assert_eq!(tail(&dir.path().join("none")), "");
    }
}
