//! What the probes of a container found out about the attempt that runs now.
//!
//! Plain data: the probes fill it in, decisions and statuses read it. An entry is about one attempt; whoever fills it
//! removes it, or starts it anew, when another attempt begins. Nothing here runs a probe.

use super::observed::{Observed, Sandbox};
use crate::api::kinds::Container;
use crate::host::engine::ContainerPhase;

/// What is known of a container that has probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Whether its startup probe has succeeded; true where it has none.
    pub started: bool,
    /// Whether its readiness probe succeeds; true where it has none.
    pub ready: bool,
    /// Why it has to be killed.
    pub unhealthy: Option<Unhealthy>,
}

impl Default for Probed {
    fn default() -> Self {
        Self { started: true, ready: true, unhealthy: None }
    }
}

/// A probe that failed as often as it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unhealthy {
    /// Which one.
    pub probe: FatalProbe,
    /// What it found, for people.
    pub message: String,
    /// The probe's own `terminationGracePeriodSeconds`; `None` leaves it to the pod's.
    pub grace: Option<u64>,
}

/// A probe whose failure ends its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FatalProbe {
    /// The liveness probe.
    Liveness,
    /// The startup probe.
    Startup,
}

impl FatalProbe {
    /// Returns its name as events have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Liveness => "liveness",
            Self::Startup => "startup",
        }
    }
}

impl Observed {
    /// Whether a container runs and has started: its startup probe, if it has one, has succeeded, and its postStart
    /// hook has ended well.
    pub fn has_started(&self, container: &Container) -> bool {
        let probed = self.probed.get(&container.name);
        self.runs(&container.name) && probed.map_or(container.startup_probe.is_none(), |probed| probed.started)
    }

    /// Whether a container has started and its readiness probe, if it has one, succeeds.
    pub fn is_ready(&self, container: &Container) -> bool {
        let probed = self.probed.get(&container.name);
        self.has_started(container) && probed.map_or(container.readiness_probe.is_none(), |probed| probed.ready)
    }

    /// Returns why a container that runs has to be killed.
    pub fn unhealthy(&self, container: &str) -> Option<&Unhealthy> {
        self.probed.get(container).filter(|_| self.runs(container))?.unhealthy.as_ref()
    }

    /// Whether the program of a container is executed.
    pub fn runs(&self, container: &str) -> bool {
        let Sandbox::Alive(state) = &self.sandbox else { return false };
        matches!(state.container(container).map(|seen| &seen.phase), Some(ContainerPhase::Running { .. }))
    }
}
