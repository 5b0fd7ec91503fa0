//! What the agent sees of one pod: its sandbox, its containers, and what stands in the way of a start.

use std::collections::BTreeMap;

use crate::api::Timestamp;
use crate::host::engine::{ContainerState, PodState};

/// Everything a decision about one pod may look at, besides the pod and the time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// By container, what stands in the way of its start or is known of its image.
    pub notes: BTreeMap<String, Note>,
    /// What was known of containers of an earlier sandbox of the same pod.
    pub past: PodState,
    /// Whether the status in the store is what [`super::status::status`] gives.
    pub status_written: bool,
}

/// The sandbox of a pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Sandbox {
    /// There is none.
    #[default]
    None,
    /// Its supervisor answers; the states of its containers.
    Alive(PodState),
    /// Its supervisor is gone; the last known states.
    Lost(PodState),
}

/// What is known of a container beside what the engine tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    /// Whether the image is here.
    pub image_ready: bool,
    /// Whether it is being fetched.
    pub pulling: bool,
    /// The image's own id, once it is here.
    pub image_id: String,
    /// Why the container cannot start, and when it is tried again.
    pub trouble: Option<Trouble>,
}

/// Why a container cannot start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The kubelet's word: `ErrImagePull`, `CreateContainerConfigError`, …
    pub reason: String,
    /// A sentence for people.
    pub message: String,
    /// How often it failed in a row.
    pub failures: u32,
    /// When it is tried again; `None` when only a changed pod helps.
    pub retry: Option<Timestamp>,
}

impl Trouble {
    /// Returns trouble that time may heal; the worker says when it is tried again.
    pub fn retried(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into(), failures: 0, retry: Some(Timestamp::EPOCH) }
    }
    /// Returns trouble that only a changed pod ends.
    pub fn lasting(reason: &str, message: impl Into<String>) -> Self {
        Self { retry: None, ..Self::retried(reason, message) }
    }
}

impl Observed {
    /// Returns what the engine tells of a container, or what was known of it before its sandbox was lost.
    pub fn container(&self, name: &str) -> Option<&ContainerState> {
        let now = match &self.sandbox {
            Sandbox::Alive(state) | Sandbox::Lost(state) => state.container(name),
            Sandbox::None => None,
        };
        now.or_else(|| self.past.container(name))
    }

    /// Returns the trouble of a container.
    pub fn trouble(&self, name: &str) -> Option<&Trouble> {
        self.notes.get(name)?.trouble.as_ref()
    }
}
