//! What the agent sees of one pod: its sandbox, its containers, and what stands in the way of a start.
//!
//! Plain data and questions about it. Nothing here does I/O or reads a clock.

use std::collections::BTreeMap;

use super::probed::Probed;
use crate::api::Timestamp;
use crate::api::kinds::Container;
use crate::host::engine::{ContainerPhase, ContainerState, PodState};

/// Everything a decision about one pod may look at, besides the pod and the time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// Why the sandbox cannot be made.
    pub sandbox_trouble: Option<Trouble>,
    /// Whether what containers mount is there.
    pub volumes: Volumes,
    /// By container, what stands in the way of its start or is known of its image.
    pub notes: BTreeMap<String, Note>,
    /// By container, what its probes found; those without probes are not there.
    pub probed: BTreeMap<String, Probed>,
    /// What was known of containers of earlier sandboxes of the same pod.
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

/// The volumes of a pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Volumes {
    /// Nobody looked yet.
    #[default]
    Unknown,
    /// All can be mounted.
    Ready,
    /// One cannot be prepared.
    Failed(Trouble),
}

/// What is known of a container beside what the engine tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    /// The image it is about, as the pod names it: with another one nothing of the rest holds.
    pub image: String,
    /// Whether the image is here.
    pub image_ready: bool,
    /// Whether it is being fetched.
    pub pulling: bool,
    /// The image's own id, once it is here.
    pub image_id: String,
    /// Whether the container is stopped because its declaration changed, to be started anew.
    pub replacing: bool,
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

    /// Whether nothing is to be tried yet.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.retry.is_none_or(|retry| retry > now)
    }

    /// Returns how a failed pull is told once the failure itself was: the kubelet alternates between the two.
    pub fn held_back(&self, image: &str) -> Option<Self> {
        let pull = matches!(self.reason.as_str(), "ErrImagePull" | "RegistryUnavailable");
        pull.then(|| Self {
            reason: "ImagePullBackOff".to_owned(),
            message: format!("Back-off pulling image \"{image}\": {}: {}", self.reason, self.message),
            ..self.clone()
        })
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

    /// Returns the note on a container as it is declared now.
    pub fn note(&self, container: &Container) -> Option<&Note> {
        let image = container.image.as_deref().unwrap_or_default();
        self.notes.get(&container.name).filter(|note| note.image == image)
    }

    /// Returns the note on a container as it is declared now, a fresh one if there was none.
    pub fn note_mut(&mut self, container: &Container) -> &mut Note {
        let image = container.image.as_deref().unwrap_or_default();
        let note = self.notes.entry(container.name.clone()).or_default();
        if note.image != image {
            *note = Note { image: image.to_owned(), replacing: note.replacing, ..Note::default() };
        }
        note
    }

    /// Whether a container was stopped to be started anew.
    pub fn is_replaced(&self, name: &str) -> bool {
        self.notes.get(name).is_some_and(|note| note.replacing)
    }

    /// Returns what keeps a container from starting: its own trouble, else that of the pod's volumes or sandbox.
    pub fn trouble(&self, container: &Container) -> Option<&Trouble> {
        let own = self.note(container).and_then(|note| note.trouble.as_ref());
        let volumes = match &self.volumes {
            Volumes::Failed(trouble) => Some(trouble),
            Volumes::Unknown | Volumes::Ready => None,
        };
        own.or(volumes).or(self.sandbox_trouble.as_ref())
    }

    /// Keeps what is known of the containers of a sandbox that goes.
    pub fn remember(&mut self, state: &PodState) {
        for container in &state.containers {
            self.past.containers.retain(|known| known.name != container.name);
            self.past.containers.push(container.clone());
        }
    }

    /// Takes in the new state of a container of the sandbox.
    pub fn update(&mut self, state: ContainerState) {
        let Sandbox::Alive(pod) = &mut self.sandbox else { return };
        if matches!(state.phase, ContainerPhase::Running { .. })
            && let Some(note) = self.notes.get_mut(&state.name)
        {
            note.replacing = false;
        }
        match pod.containers.iter_mut().find(|known| known.name == state.name) {
            Some(known) => *known = state,
            None => pod.containers.push(state),
        }
    }
}
