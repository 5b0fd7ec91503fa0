//! What clients ask for.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::Supervisor;
use super::backoff::Backoff;
use super::client::Ticket;
use super::container::{Container, Life, Now};
use crate::host::engine::protocol::{Reply, Request};
use crate::host::engine::spec::ContainerSpec;
use crate::host::engine::state::PodState;
use crate::host::sys::process;

impl Supervisor {
    /// Serves a connection that is ready.
    pub(super) fn serve(&mut self, token: u64, now: Now) {
        let Some(index) = self.clients.iter().position(|client| client.token == token) else { return };
        if !self.clients[index].flush() {
            self.clients.swap_remove(index);
            return;
        }
        match self.clients[index].receive() {
            None => {
                self.clients.swap_remove(index);
            }
            Some(requests) => {
                for (id, request, fds) in requests {
                    self.handle(Ticket { client: token, id }, request, fds, now);
                }
            }
        }
    }

    fn handle(&mut self, ticket: Ticket, request: Request, fds: Vec<OwnedFd>, now: Now) {
        let done = match request {
            Request::Start(spec) => self.start(spec, ticket, now),
            Request::Stop { name, grace, signal } => self.find(&name).map(|index| {
                self.stop(index, grace, signal, now);
                self.after_stop(index, ticket, now);
            }),
            Request::StopAll { grace } => {
                self.stop_all(grace, now);
                self.stopping.get_or_insert_default().push(ticket);
                self.check_stopped(now);
                Ok(())
            }
            Request::Signal { name, signal } => self.signal(&name, signal).map(|()| self.answer(ticket, &Reply::Done)),
            Request::Exec(spec) => self.exec(spec, fds, ticket, now),
            Request::Status => {
                let state = self.state(now);
                self.answer(ticket, &Reply::Pod(state));
                Ok(())
            }
            Request::Shutdown => {
                self.stop_all(Duration::ZERO, now);
                for exec in &self.execs {
                    let _ = process::pidfd_signal(exec.pidfd.as_fd(), libc::SIGKILL);
                }
                self.leaving = Some(ticket);
                Ok(())
            }
        };
        if let Err(message) = done {
            self.answer(ticket, &Reply::Refused(message));
        }
    }

    /// Starts a container or replaces one that has ended.
    ///
    /// Asking again for what runs already is answered with its state, so that a daemon may repeat itself.
    fn start(&mut self, spec: ContainerSpec, ticket: Ticket, now: Now) -> Result<(), String> {
        check_name(&spec.name)?;
        let name = spec.name.clone();
        if self.stopping.is_some() {
            return Err(format!("cannot start container `{name}`: the pod is being stopped"));
        }
        let Some(index) = self.containers.iter().position(|container| container.spec.name == name) else {
            let container = Container::new(spec, self.group.child(&name), now);
            self.containers.push(container);
            self.containers.last_mut().expect("invariant: just pushed").starters.push(ticket);
            return Ok(());
        };
        let container = &mut self.containers[index];
        let same = container.spec.spec_hash == spec.spec_hash;
        if container.is_alive() && !same {
            return Err(format!("cannot start container `{name}`: another version of it is running; stop it first"));
        }
        match container.life {
            Life::Running { .. } if container.stop.is_none() => {}
            Life::Running { .. } | Life::Starting { .. } if container.stop.is_some() => {
                return Err(format!("cannot start container `{name}`: it is being stopped"));
            }
            Life::Starting { .. } => {
                container.starters.push(ticket);
                return Ok(());
            }
            // A container that waits for its restart goes on waiting.
            Life::Waiting { .. } if same => {}
            _ => {
                if !same {
                    container.backoff = Backoff::default();
                    container.finished_ms = None;
                }
                let until_ms = container.finished_ms.map_or(now.ms, |finished| container.backoff.due(finished));
                container.restart_count = container.restart_count.max(spec.attempt);
                container.spec = spec;
                container.stop = None;
                container.restarting = false;
                container.life = Life::Waiting { until_ms };
                if until_ms <= now.ms {
                    container.starters.push(ticket);
                    return Ok(());
                }
                self.changed(index, now);
            }
        }
        let state = self.containers[index].state(&self.pod.sandbox, now);
        self.answer(ticket, &Reply::Container(state));
        Ok(())
    }

    fn after_stop(&mut self, index: usize, ticket: Ticket, now: Now) {
        let container = &mut self.containers[index];
        if container.is_alive() {
            container.stoppers.push(ticket);
        } else {
            let state = container.state(&self.pod.sandbox, now);
            self.answer(ticket, &Reply::Container(state));
        }
    }

    fn stop_all(&mut self, grace: Duration, now: Now) {
        self.stopping.get_or_insert_default();
        for index in 0..self.containers.len() {
            self.stop(index, grace, None, now);
        }
    }

    fn signal(&self, name: &str, signal: i32) -> Result<(), String> {
        let container = &self.containers[self.find(name)?];
        let Life::Running { pidfd, .. } = &container.life else {
            return Err(format!("cannot signal container `{name}`: it is not running"));
        };
        process::pidfd_signal(pidfd.as_fd(), signal)
            .map_err(|error| format!("cannot send signal {signal} to container `{name}`: {error}"))
    }

    fn find(&self, name: &str) -> Result<usize, String> {
        let found = self.containers.iter().position(|container| container.spec.name == name);
        found.ok_or_else(|| format!("there is no container `{name}`"))
    }

    /// Describes the pod.
    pub(super) fn state(&self, now: Now) -> PodState {
        let deadlines = self.containers.iter().filter_map(|container| container.stop).map(|stop| stop.deadline_ms);
        PodState {
            containers: self.containers.iter().map(|container| container.state(&self.pod.sandbox, now)).collect(),
            stop_deadline: self.stopping.as_ref().and_then(|_| deadlines.max()).map(|ms| now.date_of(ms)),
        }
    }

    /// Answers a request; one whose connection has gone is forgotten.
    pub(super) fn answer(&mut self, ticket: Ticket, reply: &Reply) {
        self.answer_with(ticket, reply, Vec::new());
    }

    /// Answers a request and hands over descriptors.
    pub(super) fn answer_with(&mut self, ticket: Ticket, reply: &Reply, fds: Vec<OwnedFd>) {
        if let Some(index) = self.clients.iter().position(|client| client.token == ticket.client)
            && !self.clients[index].send(ticket.id, reply, fds)
        {
            self.clients.swap_remove(index);
        }
    }
}

/// Refuses a name that could not be a file's.
fn check_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > 128 || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(format!("`{name}` is not a container name: use letters, digits, `-`, `_` and `.`"));
    }
    Ok(())
}
