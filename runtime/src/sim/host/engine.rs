//! The simulated supervisor of one pod: containers that run, end, are held back and started again.
//!
//! Times of restarts come from the supervisor's own [`Backoff`]. Goes on while the agent is away, as the real one does.

use std::time::{Duration, SystemTime};

use crate::api::Timestamp;
use crate::api::kinds::Pod;
use crate::host::engine::{ContainerPhase, ContainerState, Exit, PodState, RestartPolicy};
use crate::host::supervisor::backoff::Backoff;
use crate::sim::{Fate, Programs};

/// The containers of a pod.
#[derive(Clone, Debug, Default)]
pub(super) struct Engine {
    containers: Vec<Container>,
    stopping: bool,
}

/// What is to be started.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) name: String,
    pub(super) attempt: u32,
    pub(super) spec_hash: String,
    pub(super) restart: RestartPolicy,
    pub(super) init: bool,
}

#[derive(Clone, Debug)]
struct Container {
    start: Start,
    life: Life,
    restarts: u32,
    backoff: Backoff,
    last_exit: Option<Exit>,
    /// Set once it was told to stop: when it ends by itself, and when it is killed.
    stop: Option<(Timestamp, Timestamp)>,
    /// Whether the end came by itself.
    own_end: bool,
}

#[derive(Clone, Debug)]
enum Life {
    Waiting { until: Timestamp },
    Running { since: Timestamp },
    Exited,
}

impl Engine {
    /// Starts a container, as another attempt where there was one.
    pub(super) fn start(&mut self, start: Start, now: Timestamp) {
        self.containers.retain(|known| known.start.name != start.name);
        self.containers.push(Container {
            restarts: start.attempt,
            start,
            life: Life::Running { since: now },
            backoff: Backoff::default(),
            last_exit: None,
            stop: None,
            own_end: false,
        });
    }

    /// Tells the containers to stop, or those of one name; `false` where that was done and is not to be hurried.
    pub(super) fn stop(&mut self, name: Option<&str>, grace: Duration, takes: Duration, now: Timestamp) -> bool {
        self.stopping |= name.is_none();
        let mut changed = false;
        for container in &mut self.containers {
            if name.is_none_or(|name| name == container.start.name) {
                changed |= container.stop(grace, takes, now);
            }
        }
        changed
    }

    /// Lets happen what is due; `true` where something was.
    pub(super) fn tick(&mut self, pod: &Pod, programs: &Programs, now: Timestamp) -> bool {
        let mut changed = false;
        for container in &mut self.containers {
            while let Some(at) = container.due(pod, programs).filter(|at| *at <= now) {
                container.happen(pod, programs, at, self.stopping);
                changed = true;
            }
        }
        changed
    }

    /// Returns when something happens next.
    pub(super) fn next_due(&self, pod: &Pod, programs: &Programs) -> Option<Timestamp> {
        self.containers.iter().filter_map(|container| container.due(pod, programs)).min()
    }

    /// Returns what the supervisor tells the agent.
    pub(super) fn state(&self) -> PodState {
        PodState { containers: self.containers.iter().map(Container::state).collect(), stop_deadline: None }
    }

    /// Returns how the containers that are no init containers ended, if all did so by themselves and for good.
    pub(super) fn own_end(&self, containers: usize) -> Option<bool> {
        let main = || self.containers.iter().filter(|container| !container.start.init);
        let ended = |container: &Container| container.own_end && matches!(container.life, Life::Exited);
        let all = main().count() == containers && main().all(ended);
        all.then(|| main().all(|container| container.last_exit.as_ref().is_some_and(Exit::succeeded)))
    }
}

impl Container {
    fn stop(&mut self, grace: Duration, takes: Duration, now: Timestamp) -> bool {
        match self.life {
            Life::Exited => false,
            Life::Waiting { .. } => {
                self.life = Life::Exited;
                true
            }
            Life::Running { .. } => {
                let (ends, kill) = self.stop.unwrap_or((now + takes, now + grace));
                let stop = Some((ends, kill.min(now + grace)));
                let changed = self.stop != stop;
                self.stop = stop;
                changed
            }
        }
    }

    fn fate(&self, pod: &Pod, programs: &Programs) -> Fate {
        if self.start.init { Fate::SUCCEEDS } else { (programs.fate)(pod, self.start.attempt) }
    }

    /// Returns when the container ends by itself.
    fn own_end_at(&self, since: Timestamp, pod: &Pod, programs: &Programs) -> Option<(Timestamp, i32)> {
        match self.fate(pod, programs) {
            Fate::Ends { code, after } => Some((since + after, code)),
            Fate::Runs | Fate::NoImage => None,
        }
    }

    fn due(&self, pod: &Pod, programs: &Programs) -> Option<Timestamp> {
        match self.life {
            Life::Exited => None,
            Life::Waiting { until } => Some(until),
            Life::Running { since } => {
                let own = self.own_end_at(since, pod, programs).map(|(at, _)| at);
                own.into_iter().chain(self.stop.map(|(ends, kill)| ends.min(kill))).min()
            }
        }
    }

    fn happen(&mut self, pod: &Pod, programs: &Programs, at: Timestamp, stopping: bool) {
        match self.life {
            Life::Exited => {}
            Life::Waiting { .. } => {
                let finished = self.last_exit.as_ref().map_or(at, |exit| Timestamp::from_system(exit.finished));
                self.backoff = self.backoff.restarted(millis(finished), millis(at));
                self.start.attempt += 1;
                self.restarts += 1;
                self.life = Life::Running { since: at };
            }
            Life::Running { since } => {
                let own = self.own_end_at(since, pod, programs).filter(|(own, _)| *own <= at);
                let (code, signal) = match (own, self.stop) {
                    (Some((_, code)), _) => (code, 0),
                    (None, Some((ends, kill))) if ends <= kill => (143, 15),
                    (None, _) => (137, 9),
                };
                self.end(code, signal, since, at, stopping);
                self.own_end = own.is_some();
            }
        }
    }

    fn end(&mut self, code: i32, signal: i32, started: Timestamp, at: Timestamp, stopping: bool) {
        let exit = Exit {
            attempt: self.start.attempt,
            code,
            signal,
            oom: false,
            started: system(started),
            finished: system(at),
            reason: if code == 0 { Exit::COMPLETED } else { Exit::ERROR }.to_owned(),
            message: String::new(),
        };
        let again = self.stop.is_none()
            && !stopping
            && match self.start.restart {
                RestartPolicy::Always => true,
                RestartPolicy::OnFailure => !exit.succeeded(),
                RestartPolicy::Never => false,
            };
        let until = Timestamp::from_micros(i64::try_from(self.backoff.due(millis(at)) * 1000).unwrap_or(i64::MAX));
        self.life = if again { Life::Waiting { until } } else { Life::Exited };
        self.last_exit = Some(exit);
    }

    fn state(&self) -> ContainerState {
        let phase = match (&self.life, &self.last_exit) {
            (Life::Running { since }, _) => ContainerPhase::Running { pid: 1, started: system(*since) },
            (Life::Exited, Some(exit)) => ContainerPhase::Exited(exit.clone()),
            (Life::Waiting { until }, Some(exit)) => {
                let secs = self.backoff.delay(millis(Timestamp::from_system(exit.finished))) / 1000;
                let message = format!("back-off {secs}s restarting failed container");
                ContainerPhase::Waiting { reason: "CrashLoopBackOff".to_owned(), message, until: Some(system(*until)) }
            }
            (_, None) => {
                ContainerPhase::Waiting { reason: "ContainerCreating".to_owned(), message: String::new(), until: None }
            }
        };
        ContainerState {
            name: self.start.name.clone(),
            attempt: self.start.attempt,
            spec_hash: self.start.spec_hash.clone(),
            phase,
            restart_count: self.restarts,
            last_exit: self.last_exit.clone(),
        }
    }
}

fn millis(time: Timestamp) -> u64 {
    u64::try_from(time.micros() / 1000).unwrap_or(0)
}

/// Returns a time as the engine's records hold it.
pub(super) fn system(time: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(time.micros()).unwrap_or(0))
}
