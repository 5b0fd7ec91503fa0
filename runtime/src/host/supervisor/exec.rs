//! Programs that join a running container.

use std::os::fd::{AsFd, OwnedFd};

use nix::sched::{CloneFlags, setns};

use super::child::{self, Join, REPORT_TERMINAL, Stdio};
use super::client::Ticket;
use super::container::{Life, Now};
use super::{Supervisor, code_of};
use crate::host::engine::protocol::Reply;
use crate::host::engine::spec::ExecSpec;
use crate::host::engine::state::ExecExit;
use crate::host::sys::net;
use crate::host::sys::process::{self, Clone};

/// A program that runs in a container at a client's request.
#[derive(Debug)]
pub(super) struct Exec {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub ticket: Ticket,
    /// Delivers the terminal, when one was asked for.
    pub report: Option<OwnedFd>,
    pub deadline_ms: Option<u64>,
    pub timed_out: bool,
}

impl Supervisor {
    /// Starts a program in a container. An error is the sentence for the client.
    pub(super) fn exec(&mut self, spec: ExecSpec, fds: Vec<OwnedFd>, ticket: Ticket, now: Now) -> Result<(), String> {
        let name = &spec.container;
        let container = self.containers.iter().find(|container| container.spec.name == *name);
        let Some(Life::Running { pidfd: target, .. }) = container.map(|container| &container.life) else {
            return Err(format!("cannot exec in container `{name}`: it is not running"));
        };
        let container = container.expect("invariant: matched above");
        let stdio = if spec.tty {
            None
        } else {
            let [stdin, stdout, stderr] = <[OwnedFd; 3]>::try_from(fds)
                .map_err(|fds| format!("exec needs three files, {} were sent", fds.len()))?;
            Some(Stdio { stdin, stdout, stderr })
        };
        let entrances = container.group.entrances().map_err(|error| error.to_string())?;
        let (report, child_report) = super::launch::report_pair()?;
        // Processes are born in the process namespace that is set for children: set the container's, fork, set back.
        let enter = |fd: &OwnedFd| {
            setns(fd.as_fd(), CloneFlags::CLONE_NEWPID)
                .map_err(|error| format!("cannot enter container `{name}`: {error}"))
        };
        let own_space = !self.pod.sandbox.host_pid && self.init.is_none();
        if own_space {
            enter(target)?;
        }
        let cloned = process::clone_into(0);
        if let Ok(Clone::Child) = cloned {
            let exec = &spec;
            child::join(Join { spec: &container.spec, exec, target: target.as_fd(), entrances, stdio }, child_report);
        }
        if own_space {
            enter(&self.pid_namespace)?;
        }
        match cloned.map_err(|error| format!("cannot fork: {error}"))? {
            Clone::Child => unreachable!("the child has become the program"),
            Clone::Parent { pid, pidfd } => {
                let deadline_ms =
                    spec.timeout.map(|timeout| now.ms + u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX / 2));
                let report = spec.tty.then_some(report);
                self.execs.push(Exec { pid, pidfd, ticket, report, deadline_ms, timed_out: false });
                Ok(())
            }
        }
    }

    /// Hands a program's terminal to the client that asked for it.
    pub(super) fn exec_reported(&mut self, index: usize) {
        let Some(report) = self.execs[index].report.take() else { return };
        let (mut buffer, mut fds) = ([0; 1], Vec::new());
        let received = net::receive_with_fds(&report, &mut buffer, &mut fds);
        if matches!(received, Ok(1)) && buffer[0] == REPORT_TERMINAL && fds.len() == 1 {
            let ticket = self.execs[index].ticket;
            self.answer_with(ticket, &Reply::Terminal, fds);
        }
    }

    /// Answers for a program that ended. Returns whether `pid` was one.
    pub(super) fn exec_reaped(&mut self, pid: i32, code: i32, signal: i32) -> bool {
        let Some(index) = self.execs.iter().position(|exec| exec.pid == pid) else { return false };
        self.exec_reported(index);
        let exec = self.execs.swap_remove(index);
        let exit = ExecExit { code: code_of(code, signal), timed_out: exec.timed_out };
        self.answer(exec.ticket, &Reply::Exec(exit));
        true
    }

    /// Kills programs whose time is over, and those whose client has gone.
    pub(super) fn check_execs(&mut self, now: Now) {
        for exec in &mut self.execs {
            let late = exec.deadline_ms.is_some_and(|deadline| deadline <= now.ms);
            let orphan = !self.clients.iter().any(|client| client.token == exec.ticket.client);
            if (late || orphan) && !exec.timed_out {
                exec.timed_out = true;
                let _ = process::pidfd_signal(exec.pidfd.as_fd(), libc::SIGKILL);
            }
        }
    }
}
