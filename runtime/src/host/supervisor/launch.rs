//! Starting a container: what is prepared in the supervisor before and after clone3.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};

use super::Supervisor;
use super::child::{self, Launch, Stdio};
use super::container::{Life, Now, Output};
use super::logs::{Lines, Log};
use crate::host::engine::spec::Rootfs;
use crate::host::sys::process::{self, Clone};

/// How long the steps between clone3 and execve may take; only a broken file system needs more than milliseconds.
const START_MS_MAX: u64 = 120_000;

impl Supervisor {
    /// Starts the container's next attempt. An error is the sentence for its exit record.
    pub(super) fn launch(&mut self, index: usize, now: Now) -> Result<(), String> {
        let scratch = self.prepare_scratch(index)?;
        let termination_file = self.prepare_termination_file(index)?;
        let container = &mut self.containers[index];
        let (group, spec) = (&container.group, &container.spec);
        group.create().and_then(|()| group.set_limits(&spec.limits)).map_err(|error| error.to_string())?;
        container.oom_before = group.oom_kills();
        let entrances = group.entrances().map_err(|error| error.to_string())?;
        let log_dir = self.pod.sandbox.log_dir.join(&spec.name);
        let log = Log::open(&log_dir, spec.attempt)
            .map_err(|error| format!("cannot open a log in `{}`: {error}", log_dir.display()))?;
        let (stdio, outputs) = if spec.tty { (None, Vec::new()) } else { pipes().map(|(a, b)| (Some(a), b))? };
        let (report, child_report) = report_pair()?;
        let mountpoint = self.pod.sandbox.run_dir.join("rootfs");
        let mut namespaces = libc::CLONE_NEWNS;
        if !self.pod.sandbox.host_pid && self.init.is_none() {
            namespaces |= libc::CLONE_NEWPID;
        }
        match process::clone_into(namespaces).map_err(|error| format!("cannot fork: {error}"))? {
            Clone::Child => child::run(
                Launch {
                    spec,
                    mountpoint: &mountpoint,
                    scratch,
                    pod_mounts: self.volumes.as_fd(),
                    termination_file,
                    entrances,
                    stdio,
                },
                child_report,
            ),
            Clone::Parent { pid, pidfd } => {
                container.life = Life::Starting { pid, pidfd, report, deadline_ms: now.ms + START_MS_MAX };
                container.outputs = outputs;
                container.log = Some(log);
                Ok(())
            }
        }
    }

    /// Makes the empty directories of the writable layer and removes those of earlier attempts.
    fn prepare_scratch(&self, index: usize) -> Result<PathBuf, String> {
        let spec = &self.containers[index].spec;
        let dir = self.pod.sandbox.run_dir.join("scratch").join(&spec.name);
        let scratch = dir.join(spec.attempt.to_string());
        if matches!(spec.rootfs, Rootfs::Overlay { .. }) {
            let make = |path: &Path| {
                fs::create_dir_all(path).map_err(|error| format!("cannot make `{}`: {error}", path.display()))
            };
            if dir.exists() {
                fs::remove_dir_all(&dir).map_err(|error| format!("cannot empty `{}`: {error}", dir.display()))?;
            }
            make(&scratch.join("upper"))?;
            make(&scratch.join("work"))?;
            // The layer's own root is what the container sees as `/`.
            use std::os::unix::fs::PermissionsExt;
            let _ = fs::set_permissions(scratch.join("upper"), fs::Permissions::from_mode(0o755));
        }
        Ok(scratch)
    }

    fn prepare_termination_file(&self, index: usize) -> Result<Option<PathBuf>, String> {
        let spec = &self.containers[index].spec;
        if spec.termination_message_path.is_none() {
            return Ok(None);
        }
        let path = self.termination_file(index);
        let make = || -> std::io::Result<()> {
            use std::os::unix::fs::PermissionsExt;
            fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
            fs::write(&path, "")?;
            // The program may run as any user.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o666))
        };
        make().map_err(|error| format!("cannot make `{}`: {error}", path.display()))?;
        Ok(Some(path))
    }

    /// Where a container's termination message is on the host.
    pub(super) fn termination_file(&self, index: usize) -> PathBuf {
        self.pod.sandbox.run_dir.join("termination").join(&self.containers[index].spec.name)
    }
}

/// Makes stdin (`/dev/null`), stdout and stderr of a container, and the sides that the supervisor reads.
fn pipes() -> Result<(Stdio, Vec<Output>), String> {
    let make = || -> rustix::io::Result<(Stdio, Vec<Output>)> {
        let stdin = openat(CWD, "/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let (out_read, stdout) = pipe_with(PipeFlags::CLOEXEC)?;
        let (err_read, stderr) = pipe_with(PipeFlags::CLOEXEC)?;
        let output = |fd: OwnedFd, stream| -> rustix::io::Result<Output> {
            rustix::io::ioctl_fionbio(&fd, true)?;
            Ok(Output { fd, lines: Lines::new(stream) })
        };
        let outputs = vec![output(out_read, "stdout")?, output(err_read, "stderr")?];
        Ok((Stdio { stdin, stdout, stderr }, outputs))
    };
    make().map_err(|error| format!("cannot make the container's pipes: {error}"))
}

/// Makes the socket over which a child reports; the supervisor's side does not block.
pub(super) fn report_pair() -> Result<(OwnedFd, OwnedFd), String> {
    let make = || -> rustix::io::Result<(OwnedFd, OwnedFd)> {
        let (own, child) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&own, true)?;
        Ok((own, child))
    };
    make().map_err(|error| format!("cannot make a socket: {error}"))
}
