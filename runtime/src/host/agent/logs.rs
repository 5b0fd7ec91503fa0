//! What containers wrote, read back from their CRI log files.
//!
//! Each attempt of a container has its file, with older parts beside it under a time suffix. Following waits for
//! changes by inotify and ends with the container.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::inotify;
use tokio::sync::mpsc;

use super::{Agent, worker};
use crate::api::Timestamp;
use crate::api::kinds::Pod;

/// Which part of a log is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The container; needed when the pod has several.
    pub container: Option<String>,
    /// Go on until the container ends.
    pub follow: bool,
    /// The attempt before the present one.
    pub previous: bool,
    /// Only the last lines.
    pub tail_lines: Option<usize>,
    /// Only lines of that time or later.
    pub since: Option<Timestamp>,
    /// Begin each line with its time.
    pub timestamps: bool,
    /// End after so many bytes.
    pub limit_bytes: Option<usize>,
}

/// A log as it is read. Ends when everything wanted was sent.
pub type LogStream = mpsc::Receiver<std::io::Result<Bytes>>;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// There is no such pod.
    #[error("pods \"{0}\" not found")]
    NoPod(String),
    /// The pod has several containers, or none of that name.
    #[error("{0}")]
    Container(String),
    /// The container has not started, or not been started twice.
    #[error("{0}")]
    NotStarted(String),
}

impl Agent {
    /// Opens the log of a container.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn logs(self: &Arc<Self>, namespace: &str, name: &str, options: LogOptions) -> Result<LogStream, LogError> {
        let pod = self.world.snapshot().typed_get::<Pod>(namespace, name);
        let pod = pod.ok_or_else(|| LogError::NoPod(name.to_owned()))?;
        let container = choose(&pod, options.container.as_deref())?;
        let dir = self.world.log_dir(&pod).join(&container);
        let attempts = attempts(&dir);
        let wanted = if options.previous { attempts.iter().rev().nth(1) } else { attempts.last() };
        let Some(attempt) = wanted.copied() else {
            return Err(LogError::NotStarted(if options.previous {
                format!("previous terminated container \"{container}\" in pod \"{name}\" not found")
            } else {
                format!(
                    "container \"{container}\" in pod \"{name}\" is waiting to start: {}",
                    waiting(&pod, &container)
                )
            }));
        };
        let (sender, receiver) = mpsc::channel(16);
        let agent = self.clone();
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        tokio::spawn(async move {
            let file = dir.join(format!("{attempt}.log"));
            let mut reader = Reader { file, options, sent: 0, sender, offset: 0, pending: Vec::new() };
            if let Err(error) = reader.run(|| agent.runs(&uid, &container, attempt)).await {
                let _unheard = reader.sender.send(Err(error)).await;
            }
        });
        Ok(receiver)
    }

    /// Whether an attempt of a container still runs.
    async fn runs(&self, uid: &str, container: &str, attempt: u32) -> bool {
        let handle = super::lock(&self.world.handles).get(uid).cloned();
        let Some(handle) = handle else { return false };
        let Ok(state) = handle.status().await else { return false };
        state.container(container).is_some_and(|found| {
            found.attempt == attempt && matches!(found.phase, crate::host::engine::ContainerPhase::Running { .. })
        })
    }
}

fn choose(pod: &Pod, wanted: Option<&str>) -> Result<String, LogError> {
    match wanted {
        Some(name) if worker::find(pod, name).is_some() => Ok(name.to_owned()),
        Some(name) => Err(LogError::Container(format!("container {name} is not valid for pod {}", pod.metadata.name))),
        None => match pod.spec.containers.as_slice() {
            [only] => Ok(only.name.clone()),
            several => {
                let names: Vec<&str> = several.iter().map(|container| container.name.as_str()).collect();
                let message = format!(
                    "a container name must be specified for pod {}, choose one of: [{}]",
                    pod.metadata.name,
                    names.join(" ")
                );
                Err(LogError::Container(message))
            }
        },
    }
}

fn waiting(pod: &Pod, container: &str) -> String {
    let statuses =
        pod.status.iter().flat_map(|status| status.container_statuses.iter().chain(&status.init_container_statuses));
    let found = statuses.into_iter().find(|status| status.name == container);
    let waiting = found.and_then(|status| status.state.as_ref()?.waiting.as_ref());
    waiting.and_then(|waiting| waiting.reason.clone()).unwrap_or_else(|| "ContainerCreating".to_owned())
}

/// Lists the attempts that have a log, in order.
fn attempts(dir: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".log")?.parse().ok()).collect();
    found.sort_unstable();
    found
}

struct Reader {
    file: PathBuf,
    options: LogOptions,
    sent: usize,
    sender: mpsc::Sender<std::io::Result<Bytes>>,
    offset: u64,
    pending: Vec<u8>,
}

impl Reader {
    async fn run<F: Future<Output = bool>>(&mut self, runs: impl Fn() -> F) -> std::io::Result<()> {
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        let wanted = inotify::WatchFlags::MODIFY | inotify::WatchFlags::MOVE_SELF | inotify::WatchFlags::DELETE_SELF;
        inotify::add_watch(&watch, &self.file, wanted)?;
        // An inotify instance reads like a pipe, and this is the safe way to wait for one.
        let changes = tokio::net::unix::pipe::Receiver::from_owned_fd_unchecked(watch)?;
        let mut lines = rotated(&self.file)?;
        lines.extend(self.read()?);
        if let Some(tail) = self.options.tail_lines {
            let surplus = lines.len().saturating_sub(tail);
            lines.drain(..surplus);
        }
        if !self.send(lines).await || !self.options.follow {
            return Ok(());
        }
        loop {
            // Asked before reading: what a container wrote before it ended is in the file by then.
            let alive = runs().await;
            let lines = self.read()?;
            if !self.send(lines).await || !alive {
                return Ok(());
            }
            // The end of a container changes no file, so look at it now and then.
            let change = tokio::time::timeout(Duration::from_millis(500), changes.readable()).await;
            if let Ok(ready) = change {
                ready?;
                let mut buffer = [0_u8; 4096];
                while changes.try_read(&mut buffer).is_ok_and(|read| read > 0) {}
            }
        }
    }

    /// Reads the complete lines that were added. A file that got smaller was rotated: it begins anew.
    fn read(&mut self) -> std::io::Result<Vec<Vec<u8>>> {
        use std::io::{Read as _, Seek as _};
        let mut file = match std::fs::File::open(&self.file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        if file.metadata()?.len() < self.offset {
            self.offset = 0;
            self.pending.clear();
        }
        file.seek(std::io::SeekFrom::Start(self.offset))?;
        let read = file.read_to_end(&mut self.pending)?;
        self.offset += read as u64;
        let end = self.pending.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.pending.split_off(end);
        let complete = std::mem::replace(&mut self.pending, rest);
        Ok(complete.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
    }

    /// Sends lines in the wanted form; `false` when the reader went away or the limit is reached.
    async fn send(&mut self, lines: Vec<Vec<u8>>) -> bool {
        for line in lines {
            let Some(mut text) = self.form(&line) else { continue };
            if let Some(limit) = self.options.limit_bytes {
                text.truncate(limit.saturating_sub(self.sent));
            }
            self.sent += text.len();
            if !text.is_empty() && self.sender.send(Ok(text.into())).await.is_err() {
                return false;
            }
            if self.options.limit_bytes.is_some_and(|limit| self.sent >= limit) {
                return false;
            }
        }
        true
    }

    /// Turns a CRI line, `time stream tag text`, into what was written.
    fn form(&self, line: &[u8]) -> Option<Vec<u8>> {
        let mut parts = line.splitn(4, |byte| *byte == b' ');
        let (time, _stream, tag, text) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if let Some(since) = self.options.since {
            let at: Timestamp = std::str::from_utf8(time).ok()?.parse().ok()?;
            if at < since {
                return None;
            }
        }
        let mut out = Vec::with_capacity(line.len());
        if self.options.timestamps {
            out.extend_from_slice(time);
            out.push(b' ');
        }
        // A partial line has no line end of its own: the next one goes on with it.
        let partial = tag == b"P";
        out.extend_from_slice(if partial { text.strip_suffix(b"\n").unwrap_or(text) } else { text });
        Some(out)
    }
}

/// Reads the rotated parts of a log, oldest first.
fn rotated(file: &Path) -> std::io::Result<Vec<Vec<u8>>> {
    let (Some(dir), Some(name)) = (file.parent(), file.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let mut parts: Vec<PathBuf> = std::fs::read_dir(dir)?
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|other| other.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
        })
        .map(|entry| entry.path())
        .collect();
    parts.sort();
    let mut lines = Vec::new();
    for part in parts {
        let bytes = std::fs::read(part)?;
        lines.extend(bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
    }
    Ok(lines)
}
