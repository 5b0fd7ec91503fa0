//! Files with images in them: a directory, or a tar archive that may be compressed. Members are found by name and
//! read where they lie; names in an archive never become paths.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::layer::{decoder, read_all};

/// Most members of an archive: 127 layers and their documents need a few hundred.
const MEMBERS_MAX: usize = 10_000;
/// Most links from one member to another.
const LINKS_MAX: usize = 4;

/// Where a member's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub file: PathBuf,
    pub offset: u64,
    pub length: u64,
}

/// What an archive holds under one name.
pub(super) enum Member {
    Bytes { offset: u64, length: u64 },
    Link(String),
}

/// An opened file or directory with images.
pub(super) enum Source {
    Directory(PathBuf),
    Archive { file: PathBuf, members: BTreeMap<String, Member> },
}

impl Source {
    /// Opens `path`. A compressed archive is first expanded to `expanded`, of at most `bytes_max` bytes.
    pub(super) fn open(path: &Path, expanded: &Path, bytes_max: u64) -> io::Result<Self> {
        let path = path.canonicalize()?;
        if path.is_dir() {
            return Ok(Self::Directory(path));
        }
        if !path.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a directory"));
        }
        let mut magic = [0; 4];
        let count = File::open(&path)?.read(&mut magic)?;
        let is_compressed = matches!(&magic[..count], [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd]);
        let file = if is_compressed {
            let mut plain = decoder(File::open(&path)?)?.take(bytes_max + 1);
            let mut out = File::create_new(expanded)?;
            if io::copy(&mut plain, &mut out)? > bytes_max {
                let message = format!("the archive holds more than {bytes_max} bytes when uncompressed");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
            expanded.to_owned()
        } else {
            path
        };
        let members = list(File::open(&file)?)?;
        Ok(Self::Archive { file, members })
    }

    /// Finds the regular file `name`; `None` when there is none.
    pub(super) fn find(&self, name: &str) -> io::Result<Option<Location>> {
        match self {
            Self::Directory(dir) => find_in_directory(dir, name),
            Self::Archive { file, members } => {
                let mut name = name.to_owned();
                for _ in 0..=LINKS_MAX {
                    match members.get(&name) {
                        Some(Member::Bytes { offset, length }) => {
                            return Ok(Some(Location { file: file.clone(), offset: *offset, length: *length }));
                        }
                        Some(Member::Link(target)) => name = target.clone(),
                        None => return Ok(None),
                    }
                }
                Ok(None)
            }
        }
    }

    /// Reads the small file `name`; `None` when there is none.
    pub(super) fn read(&self, name: &str, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(location) = self.find(name)? else {
            return Ok(None);
        };
        let mut file = File::open(&location.file)?;
        file.seek(SeekFrom::Start(location.offset))?;
        read_all(file.take(location.length), bytes_max).map(Some)
    }
}

/// Finds a file below `dir` without following links: a layout's blobs are plain files.
fn find_in_directory(dir: &Path, name: &str) -> io::Result<Option<Location>> {
    let root = rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let file = match rustix::fs::openat2(root, name, flags, Mode::empty(), resolve) {
        Ok(fd) => File::from(fd),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(other) => return Err(other.into()),
    };
    let metadata = file.metadata()?;
    let location = Location { file: dir.join(name), offset: 0, length: metadata.len() };
    Ok(metadata.is_file().then_some(location))
}

fn list(file: File) -> io::Result<BTreeMap<String, Member>> {
    let mut members = BTreeMap::new();
    let mut archive = tar::Archive::new(file);
    for (entries, entry) in archive.entries_with_seek()?.raw(true).enumerate() {
        let entry = match entry {
            Ok(entry) => entry,
            // The header of the very first member makes no sense: this is no archive, and holds no image.
            Err(error) if entries == 0 && error.raw_os_error().is_none() => return Ok(members),
            // The reader's own words would quote what it found.
            Err(error) if error.raw_os_error().is_none() => {
                let message = format!("the archive is damaged after {entries} files");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            Err(error) => return Err(error),
        };
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(name) = resolve("", &name) else {
            continue;
        };
        let member = match entry.header().entry_type() {
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                Member::Bytes { offset: entry.raw_file_position(), length: entry.size() }
            }
            tar::EntryType::Symlink | tar::EntryType::Link => {
                let target = entry.link_name_bytes().map(|t| String::from_utf8_lossy(&t).into_owned());
                let base = if entry.header().entry_type() == tar::EntryType::Link { "" } else { name.as_str() };
                match target.and_then(|target| resolve(base, &target)) {
                    Some(target) => Member::Link(target),
                    None => continue,
                }
            }
            _ => continue,
        };
        members.insert(name, member);
        if members.len() > MEMBERS_MAX {
            let message = format!("the archive holds more than {MEMBERS_MAX} files: it is no image");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
    }
    Ok(members)
}

/// Returns `name` seen from the directory of `base`, without `.` and `..`; `None` when it leaves the archive.
fn resolve(base: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn names_in_archives_are_resolved_within_the_archive() {
        for (base, name, expected) in [
            ("", "./a/b", Some("a/b")),
            ("x/layer.tar", "../y/layer.tar", Some("y/layer.tar")),
            ("x/layer.tar", "../../etc/passwd", None),
            ("", "../x", None),
        ] {
            assert_eq!(resolve(base, name).as_deref(), expected, "{base} {name}");
        }
    }
}
