//! Paths inside an image, resolved so that no symbolic link in it leads out of it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat, openat2};

/// What a missing path is created as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Create {
    /// A directory.
    Directory,
    /// An empty file.
    File,
}

/// Opens (`O_PATH`) the path `target` below `root`; symbolic links are followed as if `root` were `/`.
pub(super) fn open(root: impl AsFd, target: &Path) -> io::Result<OwnedFd> {
    let flags = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    Ok(openat2(root, relative(target), OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), flags)?)
}

/// Opens (`O_PATH`) the directory `target` below `root`, created when missing; refuses symbolic links on the way.
pub(super) fn open_plain(root: impl AsFd, target: &Path) -> io::Result<OwnedFd> {
    let flags = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
    let path = relative(target);
    let how = OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY;
    match openat2(root.as_fd(), &path, how, Mode::empty(), flags) {
        Err(rustix::io::Errno::NOENT) => {
            let _ = mkdirat(root.as_fd(), &path, Mode::from_raw_mode(0o755));
            Ok(openat2(root.as_fd(), &path, how, Mode::empty(), flags)?)
        }
        other => Ok(other?),
    }
}

/// Opens (`O_PATH`) the path `target` below `root` and creates what is missing of it.
pub(super) fn open_or_create(root: BorrowedFd<'_>, target: &Path, create: Create) -> io::Result<OwnedFd> {
    if target.components().any(|part| part == Component::ParentDir) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "`..` is not allowed"));
    }
    match open(root, target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let parts: Vec<Component<'_>> = target.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let (mut parent, mut path) = (open(root, Path::new("/"))?, PathBuf::new());
    for (index, part) in parts.iter().enumerate() {
        path.push(part);
        parent = match open(root, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let last = index + 1 == parts.len();
                make(parent.as_fd(), part.as_os_str().as_ref(), if last { create } else { Create::Directory })?;
                open(root, &path)?
            }
            other => other?,
        };
    }
    Ok(parent)
}

/// Creates one entry. A symbolic link that leads nowhere is an error: it is not followed out of the image.
fn make(parent: BorrowedFd<'_>, name: &Path, create: Create) -> io::Result<()> {
    match create {
        Create::Directory => mkdirat(parent, name, Mode::from_raw_mode(0o755))?,
        Create::File => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            drop(openat(parent, name, flags, Mode::from_raw_mode(0o644))?);
        }
    }
    Ok(())
}

fn relative(target: &Path) -> PathBuf {
    let path: PathBuf = target.components().filter(|part| *part != Component::RootDir).collect();
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn real(fd: &OwnedFd) -> PathBuf {
        use std::os::fd::AsRawFd;
        fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).expect("an open file has a name")
    }

    #[test]
    fn links_in_an_image_never_lead_out_of_it() {
        let outer = tempfile::tempdir().expect("a directory");
        let root = outer.path().join("root");
        fs::create_dir_all(root.join("etc")).expect("a directory");
        fs::create_dir(outer.path().join("secret")).expect("a directory");
        symlink("/secret", root.join("absolute")).expect("a link");
        symlink("../../../secret", root.join("relative")).expect("a link");
        symlink("/etc", root.join("inside")).expect("a link");
        let dir = fs::File::open(&root).expect("the root");
        let check = |target: &str, expected: Result<&str, io::ErrorKind>| {
            let opened = open_or_create(dir.as_fd(), Path::new(target), Create::Directory);
            let found = opened.map(|fd| real(&fd)).map_err(|error| error.kind());
            assert_eq!(found, expected.map(|path| root.join(path)), "{target}");
        };
        check("/inside/new/deep", Ok("etc/new/deep"));
        check("/absolute", Err(io::ErrorKind::AlreadyExists));
        check("/relative/x", Err(io::ErrorKind::AlreadyExists));
        check("/a/../../b", Err(io::ErrorKind::InvalidInput));
        let mut seen = fs::read_dir(outer.path().join("secret")).expect("the directory");
        assert!(seen.next().is_none(), "nothing was created outside");
        let proc_link = open_plain(dir.as_fd(), Path::new("/inside"));
        assert_eq!(proc_link.map_err(|e| e.raw_os_error()).err(), Some(Some(libc::ELOOP)));
    }

    #[test]
    fn a_missing_file_is_created_empty() {
        let root = tempfile::tempdir().expect("a directory");
        let dir = fs::File::open(root.path()).expect("the root");
        open_or_create(dir.as_fd(), Path::new("/etc/hosts"), Create::File).expect("it can be made");
        assert_eq!(fs::read(root.path().join("etc/hosts")).expect("a file"), b"");
    }
}
