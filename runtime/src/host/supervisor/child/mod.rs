//! What happens in a new process between clone3 and execve.
//!
//! The process is a copy of a single-threaded supervisor, so that it may allocate; it must never return, never touch
//! what belongs to the parent, and never let a path inside the image lead out of it. What fails is reported as one
//! sentence over the report socket, whose closing by execve tells of success. Start reading at [`run`].

mod devices;
mod identity;
mod paths;
mod program;
mod rootfs;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;

use crate::host::engine::spec::{Capabilities, ContainerSpec, ExecSpec, User};
use crate::host::sys::{net, process};

/// First byte of a report that carries the master side of a terminal.
pub const REPORT_TERMINAL: u8 = b'T';
/// First byte of a report that says why the program could not be executed.
pub const REPORT_ERROR: u8 = b'E';

/// A step that failed: says what was tried, on what, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StepError(pub String);

/// Adds what was tried to a system call's error.
pub(super) trait Step<T> {
    /// Turns the error into a [`StepError`] that begins with `what`.
    fn step(self, what: impl FnOnce() -> String) -> Result<T, StepError>;
}

impl<T, E: Into<io::Error>> Step<T> for Result<T, E> {
    fn step(self, what: impl FnOnce() -> String) -> Result<T, StepError> {
        self.map_err(|error| StepError(format!("{}: {}", what(), error.into())))
    }
}

/// Files that become stdin, stdout and stderr. Not used with a terminal.
#[derive(Debug)]
pub struct Stdio {
    /// Standard input.
    pub stdin: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}

/// What a container's first process needs to know.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The container.
    pub spec: &'a ContainerSpec,
    /// Empty directory to mount `/` on, in the process's own mount namespace.
    pub mountpoint: &'a Path,
    /// Fresh directory for the writable layer.
    pub scratch: PathBuf,
    /// The namespace that holds the pod's in-memory volumes.
    pub pod_mounts: BorrowedFd<'a>,
    /// Host file that appears as the termination message file.
    pub termination_file: Option<PathBuf>,
    /// What to write `0` to in order to join the container's cgroup.
    pub entrances: Vec<File>,
    /// Standard files, or `None` for a terminal.
    pub stdio: Option<Stdio>,
}

/// What a program that joins a running container needs to know.
#[derive(Debug)]
pub struct Join<'a> {
    /// The container.
    pub spec: &'a ContainerSpec,
    /// The program.
    pub exec: &'a ExecSpec,
    /// The container's first process.
    pub target: BorrowedFd<'a>,
    /// What to write `0` to in order to join the container's cgroup.
    pub entrances: Vec<File>,
    /// Standard files, or `None` for a terminal.
    pub stdio: Option<Stdio>,
}

/// Becomes the container's program, or reports why not and exits with code 128.
pub fn run(launch: Launch<'_>, report: OwnedFd) -> ! {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| start(launch, report.as_fd())));
    let error = match outcome {
        Ok(Err(error)) => error.to_string(),
        Ok(Ok(never)) => match never {},
        Err(_) => "the process that starts the container failed; see the supervisor's log".to_owned(),
    };
    let mut message = vec![REPORT_ERROR];
    message.extend_from_slice(error.as_bytes());
    message.truncate(4096);
    let _ = net::send_with_fds(report, &message, &[]);
    process::exit_now(128)
}

/// Becomes a program in a running container, or says on its stderr why not and exits with code 126 or 127.
pub fn join(join: Join<'_>, report: OwnedFd) -> ! {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| enter(join, report.as_fd())));
    let error = match outcome {
        Ok(Err(error)) => error.to_string(),
        Ok(Ok(never)) => match never {},
        Err(_) => "the process that enters the container failed; see the supervisor's log".to_owned(),
    };
    let code = if error.contains("not found in $PATH") || error.contains("no such file") { 127 } else { 126 };
    let _ = io::stderr().write_all(format!("{error}\n").as_bytes());
    process::exit_now(code)
}

/// A type without values: a program that was executed does not return.
enum Never {}

fn start(launch: Launch<'_>, report: BorrowedFd<'_>) -> Result<Never, StepError> {
    let spec = launch.spec;
    begin(launch.entrances)?;
    let adjustment = spec.oom_score_adj.unwrap_or(0);
    // Lowering needs CAP_SYS_RESOURCE, which the host may not give; that must not keep a container from starting.
    let _ = std::fs::write("/proc/self/oom_score_adj", adjustment.to_string());
    unshare(CloneFlags::CLONE_NEWCGROUP).step(|| "cannot make a cgroup namespace".to_owned())?;
    let terminal = rootfs::enter(
        spec,
        &rootfs::Sources {
            mountpoint: launch.mountpoint,
            scratch: &launch.scratch,
            pod_mounts: launch.pod_mounts,
            termination_file: launch.termination_file.as_deref(),
        },
    )?;
    connect(launch.stdio, terminal, report)?;
    become_program(&Target {
        argv: &spec.argv,
        env: spec.env.clone(),
        cwd: &spec.cwd,
        user: &spec.user,
        capabilities: spec.capabilities,
        no_new_privileges: spec.no_new_privileges,
    })
}

fn enter(join: Join<'_>, report: BorrowedFd<'_>) -> Result<Never, StepError> {
    let (spec, exec) = (join.spec, join.exec);
    if let Some(stdio) = &join.stdio {
        // First, so that whatever fails from here on is seen by the caller.
        process::duplicate_onto(stdio.stderr.as_fd(), 2).step(|| "cannot set stderr".to_owned())?;
    }
    begin(join.entrances)?;
    let _ = std::fs::write("/proc/self/oom_score_adj", spec.oom_score_adj.unwrap_or(0).to_string());
    setns(join.target, CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWCGROUP)
        .step(|| format!("cannot enter container `{}`", spec.name))?;
    let terminal = if exec.tty { Some(devices::open_terminal(None)?) } else { None };
    connect(join.stdio, terminal, report)?;
    let mut env = spec.env.clone();
    env.extend(exec.env.iter().cloned());
    become_program(&Target {
        argv: &exec.argv,
        env,
        cwd: exec.cwd.as_deref().unwrap_or(&spec.cwd),
        user: &spec.user,
        capabilities: spec.capabilities,
        no_new_privileges: spec.no_new_privileges,
    })
}

/// Leaves the supervisor's session and enters the container's cgroup.
fn begin(entrances: Vec<File>) -> Result<(), StepError> {
    process::reset_signals();
    nix::unistd::setsid().step(|| "cannot make a session".to_owned())?;
    for mut entrance in entrances {
        entrance.write_all(b"0").step(|| "cannot join the container's cgroup".to_owned())?;
    }
    Ok(())
}

/// Sets the standard files, from a terminal (whose other side is reported) or from `stdio`.
fn connect(stdio: Option<Stdio>, terminal: Option<devices::Terminal>, report: BorrowedFd<'_>) -> Result<(), StepError> {
    let what = || "cannot set the standard files".to_owned();
    if let Some(terminal) = terminal {
        net::send_with_fds(report, &[REPORT_TERMINAL], &[terminal.master.as_fd()]).step(what)?;
        for target in 0..3 {
            process::duplicate_onto(terminal.slave.as_fd(), target).step(what)?;
        }
        process::take_terminal(terminal.slave.as_fd()).step(|| "cannot take the terminal".to_owned())?;
    } else if let Some(stdio) = stdio {
        for (source, target) in [(&stdio.stdin, 0), (&stdio.stdout, 1), (&stdio.stderr, 2)] {
            process::duplicate_onto(source.as_fd(), target).step(what)?;
        }
    }
    Ok(())
}

/// A program and the rights it gets. Paths are inside the container, which the process has entered.
struct Target<'a> {
    argv: &'a [String],
    env: Vec<(String, String)>,
    cwd: &'a str,
    user: &'a User,
    capabilities: Capabilities,
    no_new_privileges: bool,
}

/// Gives up what the program may not have, and executes it.
fn become_program(target: &Target<'_>) -> Result<Never, StepError> {
    let account = identity::resolve(target.user)?;
    nix::unistd::chdir(target.cwd).step(|| format!("cannot change to the working directory `{}`", target.cwd))?;
    // A link in `/proc/self/fd` could lead to a directory of the host (CVE-2024-21626); the kernel knows no path for one.
    nix::unistd::getcwd()
        .step(|| format!("cannot use the working directory `{}`: it is outside of the container", target.cwd))?;
    let program = program::Program::new(target.argv, &target.env, &account.home)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    if target.no_new_privileges {
        prctl::set_no_new_privs().step(|| "cannot set no_new_privs".to_owned())?;
    }
    identity::assume(&account, target.capabilities)?;
    process::close_on_exec_from(3).step(|| "cannot close inherited files".to_owned())?;
    Err(program.execute())
}
