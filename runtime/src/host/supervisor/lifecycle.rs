//! What happens to containers: started, reported, ended, restarted, stopped, recorded.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use super::child::{REPORT_ERROR, REPORT_TERMINAL};
use super::client::Ticket;
use super::container::{Container, Life, Now, Output, Stop};
use super::logs::Lines;
use super::{Supervisor, code_of, records, sandbox};
use crate::host::engine::protocol::{Reply, RunRecord};
use crate::host::engine::state::{Exit, PodEvent};
use crate::host::engine::wire::VERSION;
use crate::host::sys::{net, process};

/// How long after the kill a container that is still there is reported as stuck.
const STUCK_MS: u64 = 10_000;

impl Supervisor {
    /// The next moment at which [`Self::check_timers`] has something to do.
    pub(super) fn next_timer(&self) -> Option<u64> {
        let of_container = |container: &Container| {
            let life = match &container.life {
                Life::Waiting { until_ms } => Some(*until_ms),
                Life::Starting { deadline_ms, .. } => Some(*deadline_ms),
                _ => None,
            };
            let stop = container.stop.filter(|_| container.is_alive()).and_then(|stop| match stop.killed_ms {
                None => Some(stop.deadline_ms),
                Some(killed_ms) => (!container.stoppers.is_empty()).then_some(killed_ms + STUCK_MS),
            });
            [life, stop].into_iter().flatten().min()
        };
        let execs = self.execs.iter().filter(|exec| !exec.timed_out).filter_map(|exec| exec.deadline_ms);
        self.containers.iter().filter_map(of_container).chain(execs).min()
    }

    /// Does what is due: starts, kills, complaints.
    pub(super) fn check_timers(&mut self, now: Now) {
        self.check_execs(now);
        for index in 0..self.containers.len() {
            let container = &mut self.containers[index];
            match container.life {
                Life::Waiting { until_ms } if until_ms <= now.ms => self.start_attempt(index, now),
                Life::Starting { deadline_ms, .. } if deadline_ms <= now.ms => container.group.kill(),
                _ => {}
            }
            self.check_stop(index, now);
        }
    }

    fn check_stop(&mut self, index: usize, now: Now) {
        let container = &mut self.containers[index];
        let alive = container.is_alive();
        let Some(stop) = container.stop.as_mut().filter(|_| alive) else { return };
        match stop.killed_ms {
            None if stop.deadline_ms <= now.ms => {
                stop.killed_ms = Some(now.ms);
                self.kill(index);
            }
            Some(killed_ms) if killed_ms + STUCK_MS <= now.ms => {
                let pids = container.group.processes();
                let message = format!(
                    "container `{}` was killed but does not end; processes {pids:?} may be stuck in the kernel",
                    container.spec.name
                );
                for ticket in std::mem::take(&mut container.stoppers) {
                    self.answer(ticket, &Reply::Refused(message.clone()));
                }
            }
            _ => {}
        }
    }

    /// Kills everything in a container.
    fn kill(&mut self, index: usize) {
        let container = &self.containers[index];
        container.group.kill();
        // Also by its descriptor: a process that has not joined the cgroup yet is not reached through it.
        if let Some((_, pidfd)) = container.process() {
            let _ = process::pidfd_signal(pidfd.as_fd(), libc::SIGKILL);
        }
    }

    /// Starts the attempt that is due, counting it as a restart when another one went before.
    fn start_attempt(&mut self, index: usize, now: Now) {
        let container = &mut self.containers[index];
        if let Some(finished_ms) = container.finished_ms.take() {
            container.backoff = container.backoff.restarted(finished_ms, now.ms);
        }
        if std::mem::take(&mut container.restarting) {
            container.spec.attempt += 1;
            container.restart_count += 1;
        }
        container.life = Life::Exited;
        if let Err(message) = self.launch(index, now) {
            self.ended(index, Outcome { code: 128, signal: 0, started: None, error: Some(message) }, now);
        }
    }

    /// Reads what the process that starts a container reports; its closing means that the program was executed.
    pub(super) fn reported(&mut self, index: usize, now: Now) {
        let Life::Starting { report, .. } = &self.containers[index].life else { return };
        let (mut buffer, mut fds) = ([0; 4096], Vec::new());
        match net::receive_with_fds(report, &mut buffer, &mut fds) {
            Ok(0) => self.running(index, now),
            Ok(_) if buffer[0] == REPORT_TERMINAL => {
                if let Some(fd) = fds.pop().filter(|fd| rustix::io::ioctl_fionbio(fd, true).is_ok()) {
                    self.containers[index].outputs = vec![Output { fd, lines: Lines::new("stdout") }];
                }
            }
            // An error stays to be read when the process's end is noted.
            Ok(count) if buffer[0] == REPORT_ERROR => {
                self.failed_starts.push((index, String::from_utf8_lossy(&buffer[1..count]).into_owned()));
            }
            _ => {}
        }
    }

    fn running(&mut self, index: usize, now: Now) {
        if self.failed_starts.iter().any(|(failed, _)| *failed == index) {
            return;
        }
        let container = &mut self.containers[index];
        let Life::Starting { pid, pidfd, .. } = std::mem::replace(&mut container.life, Life::Exited) else { return };
        container.life = Life::Running { pid, pidfd, started: now.wall };
        self.changed(index, now);
        let tickets = std::mem::take(&mut self.containers[index].starters);
        self.answer_state(&tickets, index, now);
    }

    /// Collects children that ended.
    pub(super) fn reap(&mut self, now: Now) {
        while let Ok(Some(_)) = self.signals.read_signal() {}
        loop {
            let (pid, code, signal) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid.as_raw(), code, 0),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid.as_raw(), 0, signal as i32),
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => continue,
            };
            if self.exec_reaped(pid, code, signal) || self.init_reaped(pid) {
                continue;
            }
            let found = self.containers.iter().position(|c| c.process().is_some_and(|(known, _)| known == pid));
            if let Some(index) = found {
                self.container_reaped(index, code, signal, now);
            }
        }
    }

    /// Replaces the first process of the pod's shared process namespace when it was killed, with all in it.
    fn init_reaped(&mut self, pid: i32) -> bool {
        if self.init.as_ref().is_none_or(|init| init.pid != pid) {
            return false;
        }
        if self.leaving.is_none() {
            match sandbox::Init::start(&self.pid_namespace) {
                Ok(init) => self.init = Some(init),
                Err(error) => eprintln!("{error}"),
            }
        }
        true
    }

    fn container_reaped(&mut self, index: usize, code: i32, signal: i32, now: Now) {
        // What the child reported before its end counts first.
        while let Life::Starting { report, .. } = &self.containers[index].life {
            let fd = report.as_fd();
            let mut pending = [rustix::event::PollFd::from_borrowed_fd(fd, rustix::event::PollFlags::IN)];
            let none = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
            if !matches!(rustix::event::poll(&mut pending, Some(&none)), Ok(1)) || self.has_failed(index) {
                break;
            }
            self.reported(index, now);
        }
        let error = self.take_failure(index);
        let container = &mut self.containers[index];
        let (started, error) = match (&container.life, error) {
            (Life::Running { started, .. }, _) => (Some(*started), None),
            (_, Some(error)) => (None, Some(error)),
            (_, None) => (None, Some("the process that starts the container was killed".to_owned())),
        };
        // Programs that joined the container, or with a shared process namespace its other processes, go with it.
        container.group.kill();
        for stream in (0..container.outputs.len()).rev() {
            container.copy_output(stream, usize::MAX, now);
        }
        let time = super::logs::Civil::of(now.wall).rfc3339();
        let mut rest = Vec::new();
        container.outputs.drain(..).for_each(|mut output| output.lines.finish(&time, &mut rest));
        if let Some(log) = container.log.as_mut().filter(|_| !rest.is_empty()) {
            let _ = log.write(&rest, now.wall);
        }
        self.ended(index, Outcome { code, signal, started, error }, now);
    }

    fn has_failed(&self, index: usize) -> bool {
        self.failed_starts.iter().any(|(failed, _)| *failed == index)
    }

    fn take_failure(&mut self, index: usize) -> Option<String> {
        let at = self.failed_starts.iter().position(|(failed, _)| *failed == index)?;
        Some(self.failed_starts.swap_remove(at).1)
    }

    /// Notes an end: first on disk, then to whoever listens, then what follows from it.
    fn ended(&mut self, index: usize, outcome: Outcome, now: Now) {
        let termination_file = self.termination_file(index);
        let container = &mut self.containers[index];
        let oom = outcome.error.is_none() && container.group.oom_kills() > container.oom_before;
        let code = if outcome.error.is_some() { 128 } else { code_of(outcome.code, outcome.signal) };
        let reason = match (&outcome.error, oom, code) {
            (Some(_), ..) => Exit::START_ERROR,
            (None, true, _) => Exit::OOM_KILLED,
            (None, false, 0) => Exit::COMPLETED,
            (None, false, _) => Exit::ERROR,
        };
        let message = outcome.error.unwrap_or_else(|| container.termination_message(&termination_file, code != 0));
        let exit = Exit {
            attempt: container.spec.attempt,
            code,
            signal: outcome.signal,
            oom,
            started: outcome.started.unwrap_or(now.wall),
            finished: now.wall,
            reason: reason.to_owned(),
            message,
        };
        let name = format!("{}.{}", container.spec.name, exit.attempt);
        let path = self.pod.sandbox.run_dir.join(records::EXITS).join(name);
        if let Err(error) = records::write(&path, &exit) {
            eprintln!("cannot write `{}`: {error}", path.display());
        }
        container.log = None;
        container.finished_ms = Some(now.ms);
        let restarts = container.restarts_after(&exit) && self.stopping.is_none();
        container.last_exit = Some(exit);
        container.life = Life::Exited;
        if restarts {
            container.restarting = true;
            container.life = Life::Waiting { until_ms: container.backoff.due(now.ms) };
        }
        self.changed(index, now);
        let container = &mut self.containers[index];
        let mut tickets = std::mem::take(&mut container.starters);
        tickets.append(&mut container.stoppers);
        self.answer_state(&tickets, index, now);
        self.check_stopped(now);
    }

    /// Orders a container to stop within `grace`; a second order can only be shorter.
    pub(super) fn stop(&mut self, index: usize, grace: Duration, signal: Option<i32>, now: Now) {
        let container = &mut self.containers[index];
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX / 4);
        let deadline_ms = now.ms.saturating_add(grace_ms);
        let first = container.stop.is_none();
        let stop = container.stop.get_or_insert(Stop { deadline_ms, killed_ms: None });
        stop.deadline_ms = stop.deadline_ms.min(deadline_ms);
        match &container.life {
            Life::Running { pidfd, .. } if first && grace_ms > 0 => {
                let signal = signal.unwrap_or(container.spec.stop_signal);
                let _ = process::pidfd_signal(pidfd.as_fd(), signal);
            }
            // No program is there yet that could end gracefully.
            Life::Starting { .. } => stop.deadline_ms = now.ms,
            Life::Waiting { .. } => {
                container.restarting = false;
                container.life = Life::Exited;
                self.changed(index, now);
            }
            _ => {}
        }
        self.check_stop(index, now);
    }

    /// Answers those who wait for the end of the whole pod, once it has come.
    pub(super) fn check_stopped(&mut self, now: Now) {
        if self.containers.iter().any(Container::is_alive) {
            return;
        }
        let tickets = self.stopping.as_mut().map(std::mem::take).unwrap_or_default();
        let state = self.state(now);
        for ticket in tickets {
            self.answer(ticket, &Reply::Pod(state.clone()));
        }
    }

    /// Records a container's state and tells everyone.
    pub(super) fn changed(&mut self, index: usize, now: Now) {
        let container = &self.containers[index];
        let state = container.state(&self.pod.sandbox, now);
        let start_ticks = container.process().and_then(|(pid, _)| records::start_ticks(pid as u32).ok());
        let record = RunRecord {
            version: VERSION,
            boot_id: self.boot_id.clone(),
            start_ticks: start_ticks.unwrap_or(0),
            cgroup: container.group.path().to_owned(),
            state: state.clone(),
        };
        let path = self.pod.sandbox.run_dir.join(records::STATES).join(&container.spec.name);
        if let Err(error) = records::write(&path, &record) {
            eprintln!("cannot write `{}`: {error}", path.display());
        }
        let event = Reply::Event(PodEvent::Container(state));
        self.clients.retain_mut(|client| client.send(0, &event, Vec::new()));
    }

    fn answer_state(&mut self, tickets: &[Ticket], index: usize, now: Now) {
        for ticket in tickets {
            let state = self.containers[index].state(&self.pod.sandbox, now);
            self.answer(*ticket, &Reply::Container(state));
        }
    }
}

/// How an attempt ended.
struct Outcome {
    code: i32,
    signal: i32,
    started: Option<std::time::SystemTime>,
    error: Option<String>,
}
