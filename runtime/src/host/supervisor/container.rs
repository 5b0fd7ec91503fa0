//! What a supervisor knows of one container.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::backoff::Backoff;
use super::client::Ticket;
use super::logs::{Lines, Log};
use crate::host::cgroup::Group;
use crate::host::engine::spec::{ContainerSpec, PodSandbox, RestartPolicy};
use crate::host::engine::state::{ContainerPhase, ContainerState, Exit};

/// Both clocks, read once for everything that is decided in one turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// Milliseconds of a clock that never goes back.
    pub ms: u64,
    /// The date, for records.
    pub wall: SystemTime,
}

impl Now {
    /// Reads the clocks. The first counts the time a host sleeps too.
    pub fn read() -> Self {
        Self { ms: crate::host::sys::process::boottime_ms(), wall: SystemTime::now() }
    }

    /// Returns the date of a moment of the first clock.
    pub fn date_of(&self, ms: u64) -> SystemTime {
        if ms >= self.ms {
            self.wall + Duration::from_millis(ms - self.ms)
        } else {
            self.wall.checked_sub(Duration::from_millis(self.ms - ms)).unwrap_or(SystemTime::UNIX_EPOCH)
        }
    }
}

/// Where a container is in its life.
#[derive(Debug)]
pub(super) enum Life {
    /// Waits for its start, until a moment of the first clock.
    Waiting { until_ms: u64 },
    /// The process exists, the program is not executed yet.
    Starting { pid: i32, pidfd: OwnedFd, report: OwnedFd, deadline_ms: u64 },
    /// The program runs.
    Running { pid: i32, pidfd: OwnedFd, started: SystemTime },
    /// Ended for good.
    Exited,
}

/// An ordered stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    /// When everything is killed.
    pub deadline_ms: u64,
    /// When the kill was sent.
    pub killed_ms: Option<u64>,
}

/// One stream of output.
#[derive(Debug)]
pub(super) struct Output {
    pub fd: OwnedFd,
    pub lines: Lines,
}

/// A container.
#[derive(Debug)]
pub(super) struct Container {
    pub spec: ContainerSpec,
    pub group: Group,
    pub life: Life,
    pub backoff: Backoff,
    /// When the last attempt ended, by the first clock.
    pub finished_ms: Option<u64>,
    pub restart_count: u32,
    /// The next start is a restart by the supervisor, to be counted when it happens.
    pub restarting: bool,
    pub last_exit: Option<Exit>,
    pub stop: Option<Stop>,
    pub starters: Vec<Ticket>,
    pub stoppers: Vec<Ticket>,
    pub outputs: Vec<Output>,
    pub log: Option<Log>,
    /// Out-of-memory kills before this attempt: the cgroup outlives attempts.
    pub oom_before: u64,
}

impl Container {
    /// A container that was never started.
    pub fn new(spec: ContainerSpec, group: Group, now: Now) -> Self {
        Self {
            restart_count: spec.attempt,
            spec,
            group,
            life: Life::Waiting { until_ms: now.ms },
            backoff: Backoff::default(),
            finished_ms: None,
            restarting: false,
            last_exit: None,
            stop: None,
            starters: Vec::new(),
            stoppers: Vec::new(),
            outputs: Vec::new(),
            log: None,
            oom_before: 0,
        }
    }

    /// Tells whether a process of the container exists.
    pub fn is_alive(&self) -> bool {
        matches!(self.life, Life::Starting { .. } | Life::Running { .. })
    }

    /// The container's first process.
    pub fn process(&self) -> Option<(i32, &OwnedFd)> {
        match &self.life {
            Life::Starting { pid, pidfd, .. } | Life::Running { pid, pidfd, .. } => Some((*pid, pidfd)),
            _ => None,
        }
    }

    /// Describes the container to the daemon.
    pub fn state(&self, pod: &PodSandbox, now: Now) -> ContainerState {
        let phase = match &self.life {
            Life::Running { pid, started, .. } => ContainerPhase::Running { pid: *pid as u32, started: *started },
            Life::Exited if self.last_exit.is_some() => {
                ContainerPhase::Exited(self.last_exit.clone().expect("invariant: checked above"))
            }
            Life::Waiting { until_ms } if self.last_exit.is_some() => ContainerPhase::Waiting {
                reason: "CrashLoopBackOff".to_owned(),
                message: self.backoff_message(pod),
                until: Some(now.date_of(*until_ms)),
            },
            _ => {
                ContainerPhase::Waiting { reason: "ContainerCreating".to_owned(), message: String::new(), until: None }
            }
        };
        ContainerState {
            name: self.spec.name.clone(),
            attempt: self.spec.attempt,
            spec_hash: self.spec.spec_hash.clone(),
            phase,
            restart_count: self.restart_count,
            last_exit: self.last_exit.clone(),
        }
    }

    fn backoff_message(&self, pod: &PodSandbox) -> String {
        let seconds = self.backoff.delay(self.finished_ms.unwrap_or(0)) / 1000;
        let PodSandbox { name, namespace, uid, .. } = pod;
        let container = &self.spec.name;
        format!("back-off {seconds}s restarting failed container={container} pod={name}_{namespace}({uid})")
    }

    /// Writes to the log what a stream holds now, at most `budget` bytes. Returns whether the stream has ended.
    pub fn copy_output(&mut self, index: usize, mut budget: usize, now: Now) -> bool {
        let time = super::logs::Civil::of(now.wall).rfc3339();
        let (mut buffer, mut out, mut ended) = ([0; 16 * 1024], Vec::new(), false);
        let output = &mut self.outputs[index];
        while budget > 0 && !ended {
            match rustix::io::read(&output.fd, &mut buffer) {
                Ok(count) if count > 0 => {
                    output.lines.push(&buffer[..count], &time, &mut out);
                    budget = budget.saturating_sub(count);
                }
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                // A terminal whose program has ended answers with EIO.
                Ok(_) | Err(_) => {
                    output.lines.finish(&time, &mut out);
                    ended = true;
                }
            }
        }
        if let Some(log) = self.log.as_mut().filter(|_| !out.is_empty())
            && let Err(error) = log.write(&out, now.wall)
        {
            eprintln!("cannot write log `{}`: {error}", log.path().display());
        }
        ended
    }

    /// Returns what the container left as its last words: its message file, or the end of its log.
    pub fn termination_message(&self, file: &Path, failed: bool) -> String {
        let text = read_tail(file).unwrap_or_default();
        match &self.log {
            Some(log) if text.is_empty() && failed && self.spec.termination_message_from_logs => {
                super::logs::tail(log.path())
            }
            _ => text,
        }
    }

    /// Tells whether the container is to be started again after `exit`. Pure.
    pub fn restarts_after(&self, exit: &Exit) -> bool {
        self.stop.is_none()
            && match self.spec.restart {
                RestartPolicy::Always => true,
                RestartPolicy::OnFailure => !exit.succeeded(),
                RestartPolicy::Never => false,
            }
    }
}

/// Reads the last 4096 bytes of a termination message file, which the container may have made anything of.
fn read_tail(path: &Path) -> io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};
    const BYTES_MAX: u64 = 4096;
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
