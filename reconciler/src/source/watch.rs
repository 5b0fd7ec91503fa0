//! Commits to a repository on this host, noticed at once.
//!
//! Responsible for: an inotify watch on the refs of a repository, one call per burst of changes.
//!
//! Must never: say what changed. The call is a hint; the reader asks the repository. It may come without a change, it
//! never stays out after one, whatever is deleted, replaced or created again below the path.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use super::sys;

/// Quiet time that ends a burst: a commit writes its ref and its log within a few milliseconds.
const QUIET: Duration = Duration::from_millis(10);
/// Longest time a burst is waited for.
const BURST_MAX: Duration = Duration::from_millis(200);
/// Directories of refs that are watched; past it the branches below the rest are seen by polling only.
const DIRECTORIES_MAX: usize = 1024;

/// Why a watch could not be set.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch `{}` for commits: raise `fs.inotify.max_user_instances` or `fs.inotify.max_user_watches`, until then it is polled", .path.display())]
pub struct WatchError {
    /// The repository.
    pub path: PathBuf,
    /// The kernel's answer.
    #[source]
    pub source: io::Error,
}

/// A running watch; dropping it ends it.
#[derive(Debug)]
pub struct LocalWatch {
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

impl LocalWatch {
    /// Watches the repository at `path`, which need not exist yet, and calls `changed` on a thread of its own.
    pub(super) fn start(path: &Path, changed: impl Fn() + Send + 'static) -> Result<Self, WatchError> {
        let wrap = |errno: Errno| WatchError { path: path.to_owned(), source: errno.into() };
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(wrap)?;
        let stop = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(wrap)?;
        let stop = Arc::new(stop);
        let mut watcher = Watcher { inotify, path: path.to_owned(), watched: BTreeMap::new() };
        watcher.arm().map_err(wrap)?;
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("git-watch".to_owned())
            .spawn(move || watcher.run(&stopped, &changed))
            .map_err(|source| WatchError { path: path.to_owned(), source })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for LocalWatch {
    fn drop(&mut self) {
        if self.stop.write(1).is_ok()
            && let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic in the callback was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// What a watched directory is watched for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The directory of `HEAD` and `packed-refs`.
    Top,
    /// A directory of refs: every name in it counts.
    Refs,
    /// A directory on the way to something that is missing now.
    Way,
}

struct Watcher {
    inotify: Inotify,
    path: PathBuf,
    watched: BTreeMap<WatchDescriptor, Role>,
}

/// What events mean.
#[derive(Default)]
struct Meaning {
    changed: bool,
    rearm: bool,
}

impl Watcher {
    /// Watches what there is now; directories already watched stay so.
    fn arm(&mut self) -> Result<(), Errno> {
        let before = std::mem::take(&mut self.watched);
        let mut tops = Vec::new();
        if let Ok(repository) = sys::open(&self.path) {
            tops.push(repository.path().to_owned());
            tops.push(repository.commondir().to_owned());
            tops.dedup();
            // The repository's directory may be a link target: watch also that the name keeps meaning it.
            self.add(&self.path.clone(), Role::Way)?;
        } else {
            // The nearest directory that exists shows when the way to the repository grows.
            let above = self.path.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("/")).to_owned();
            self.add(&above, Role::Way)?;
            let dot_git = self.path.join(".git");
            if dot_git.is_dir() {
                self.add(&dot_git, Role::Way)?;
            }
        }
        if let Some(parent) = self.path.parent().map(Path::to_owned) {
            self.add(&parent, Role::Way)?;
        }
        for top in tops {
            self.add(&top, Role::Top)?;
            self.add_refs(&top.join("refs"))?;
        }
        for descriptor in before.into_keys().filter(|descriptor| !self.watched.contains_key(descriptor)) {
            // Fails where the directory is deleted, which removed the watch.
            let _ = self.inotify.rm_watch(descriptor);
        }
        Ok(())
    }

    fn add_refs(&mut self, root: &Path) -> Result<(), Errno> {
        let mut pending = vec![root.to_owned()];
        while let Some(directory) = pending.pop() {
            if self.watched.len() >= DIRECTORIES_MAX {
                return Ok(());
            }
            // Watched before it is listed, so that nothing appears in between unseen.
            self.add(&directory, Role::Refs)?;
            let Ok(entries) = std::fs::read_dir(&directory) else {
                continue;
            };
            pending.extend(
                entries
                    .flatten()
                    .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                    .map(|entry| entry.path()),
            );
        }
        Ok(())
    }

    fn add(&mut self, directory: &Path, role: Role) -> Result<(), Errno> {
        let flags = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        match self.inotify.add_watch(directory, flags) {
            Ok(descriptor) => {
                // A directory in two roles keeps the more watchful one.
                let entry = self.watched.entry(descriptor).or_insert(role);
                if *entry == Role::Way {
                    *entry = role;
                }
                Ok(())
            }
            // It went away between being found and being watched: the one above tells.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    fn run(mut self, stop: &EventFd, changed: &dyn Fn()) {
        loop {
            if self.wait(stop, None) {
                return;
            }
            let mut meaning = self.drain();
            let burst = Instant::now();
            while meaning.changed && burst.elapsed() < BURST_MAX {
                if self.wait(stop, Some(QUIET)) {
                    return;
                }
                let more = self.drain_if_any();
                let Some(more) = more else { break };
                meaning.rearm |= more.rearm;
            }
            if meaning.rearm {
                self.rearm();
            }
            if meaning.changed {
                changed();
            }
        }
    }

    fn rearm(&mut self) {
        if let Err(errno) = self.arm() {
            tracing::warn!(path = %self.path.display(), error = %errno, "a repository is seen by polling only: its refs cannot be watched");
        }
    }

    /// Waits for events; `true` when the watch is to end.
    fn wait(&self, stop: &EventFd, limit: Option<Duration>) -> bool {
        let timeout = limit.and_then(|limit| PollTimeout::try_from(limit).ok()).unwrap_or(PollTimeout::NONE);
        let mut descriptors =
            [PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN), PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        match poll(&mut descriptors, timeout) {
            Ok(_) | Err(Errno::EINTR) => descriptors[1].any().unwrap_or(true),
            Err(_) => true,
        }
    }

    fn drain(&self) -> Meaning {
        self.drain_if_any().unwrap_or_default()
    }

    fn drain_if_any(&self) -> Option<Meaning> {
        let mut meaning = None::<Meaning>;
        while let Ok(events) = self.inotify.read_events() {
            for event in &events {
                let (changed, rearm) = self.judge(event);
                let meaning = meaning.get_or_insert_with(Meaning::default);
                meaning.changed |= changed;
                meaning.rearm |= rearm;
            }
        }
        meaning
    }

    /// Returns whether a ref may have changed, and whether directories to watch may have.
    fn judge(&self, event: &InotifyEvent) -> (bool, bool) {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return (true, true);
        }
        let Some(role) = self.watched.get(&event.wd) else {
            return (false, false);
        };
        let gone = AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF | AddWatchFlags::IN_IGNORED;
        if event.mask.intersects(gone) {
            return (true, true);
        }
        let name = event.name.as_deref().unwrap_or(OsStr::new(""));
        let lock = name.to_string_lossy().ends_with(".lock");
        let directory = event.mask.contains(AddWatchFlags::IN_ISDIR);
        match role {
            Role::Refs => (!lock, directory),
            Role::Top => (
                ["HEAD", "packed-refs", "refs", "reftable"].iter().any(|known| name == *known),
                directory && name == "refs",
            ),
            // Only names on the way to the repository matter; the parent may be as busy as `/tmp`.
            Role::Way => {
                // `git init` makes these one by one; only with the last of them it is a repository.
                let parts = [".git", "HEAD", "objects", "refs", "commondir"];
                let ours = parts.iter().any(|part| name == *part)
                    || self.path.components().any(|part| part.as_os_str() == name);
                (ours, ours)
            }
        }
    }
}
