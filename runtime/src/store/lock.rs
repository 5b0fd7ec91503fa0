//! One process per store.
//!
//! Responsible for: the lock file beside the store. The kernel drops the lock when the process ends, however it ends;
//! the process id inside is only for the message.

#![expect(clippy::disallowed_methods, reason = "waits for a child of this process to execute its program")]

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::disk::OpenError;

/// How long a lock of this very process is waited for: a child that another thread has forked holds a copy of every
/// file until it executes its program.
const OWN_CHILD_WAIT_MAX: Duration = Duration::from_secs(1);

/// The held lock; released on drop.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the store at `path`.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let lock_path = lock_path(path);
        let failed = |source| OpenError::File { path: lock_path.clone(), source };
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
        let mut file = open.map_err(failed)?;
        let deadline = Instant::now() + OWN_CHILD_WAIT_MAX;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    let mut pid = String::new();
                    file.rewind().and_then(|()| file.read_to_string(&mut pid)).map_err(failed)?;
                    let own = pid.trim() == std::process::id().to_string();
                    if !own || Instant::now() > deadline {
                        return Err(OpenError::Locked { path: path.to_owned(), pid: pid.trim().to_owned() });
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
