//! How a worker carries out actions. No policy: an action leaves nothing to choose.
//!
//! What does not depend on each other happens at the same time: volumes with the sandbox, containers with one another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::decide::{Action, grace_seconds};
use super::observed::{Sandbox, Trouble, Volumes};
use super::telling::Tale;
use super::worker::{Pulled, Worker, find};
use super::world::{Start, Started};
use crate::api::Timestamp;
use crate::api::kinds::{Container, Pod};
use crate::host::engine::{ContainerPhase, EngineError, PodHandle, PodState};

impl Worker {
    /// Carries out what can be done now; `false` when that was nothing, so that only waiting is left.
    pub(super) async fn perform(&mut self, pod: &Arc<Pod>, actions: &[Action], now: Timestamp) -> bool {
        let wants = |wanted: &Action| actions.contains(wanted);
        let mut acted = self.set_up(pod, wants(&Action::PrepareVolumes), wants(&Action::StartSandbox)).await;
        let mut starts = Vec::new();
        for action in actions {
            acted |= match action {
                Action::Start { container, attempt } => {
                    starts.push((container.as_str(), *attempt));
                    true
                }
                Action::Pull { container } => self.pull(pod, container),
                Action::Stop { container } => self.order_stop(pod, container),
                Action::StopAll { grace } => self.order_stop_all(pod, *grace, now),
                Action::Release => self.release().await,
                Action::RemoveLost => self.remove_lost().await,
                // An object that does not go yet waits for others.
                Action::ConfirmDeletion => self.confirm_deletion().await,
                Action::PrepareVolumes | Action::StartSandbox | Action::Wait { .. } => false,
            };
        }
        self.start(pod, &starts).await;
        acted
    }

    /// Makes volumes and sandbox, both at once.
    async fn set_up(&mut self, pod: &Arc<Pod>, volumes: bool, sandbox: bool) -> bool {
        let world = self.world.clone();
        let (made, started) =
            tokio::join!(async { if volumes { Some(world.prepare_volumes(pod).await) } else { None } }, async {
                if sandbox { Some(world.start_sandbox(pod).await) } else { None }
            },);
        match made {
            None => {}
            Some(Ok(volumes)) => {
                self.volumes = volumes;
                self.observed.volumes = Volumes::Ready;
            }
            Some(Err(trouble)) => {
                self.world.tell(pod, Tale::warning(None, "FailedMount", trouble.message.clone()));
                let before = match &self.observed.volumes {
                    Volumes::Failed(trouble) => Some(trouble),
                    Volumes::Unknown | Volumes::Ready => None,
                };
                self.observed.volumes = Volumes::Failed(self.again(before, trouble));
            }
        }
        match started {
            None => {}
            Some(Ok(handle)) => {
                self.events = Some(handle.events());
                self.handle = Some(handle);
                self.observed.sandbox = Sandbox::Alive(PodState::default());
                self.observed.sandbox_trouble = None;
            }
            Some(Err(message)) => {
                let text = format!("Failed to create pod sandbox: {message}");
                self.world.tell(pod, Tale::warning(None, "FailedCreatePodSandBox", text));
                let trouble = Trouble::retried("CreatePodSandboxError", message);
                self.observed.sandbox_trouble = Some(self.again(self.observed.sandbox_trouble.as_ref(), trouble));
            }
        }
        volumes || sandbox
    }

    fn pull(&mut self, pod: &Pod, name: &str) -> bool {
        let Some(container) = find(pod, name) else { return false };
        // What is here needs no task of its own: the common case starts at once.
        if let Some(image) = self.world.cached_image(container) {
            let text = format!("Container image \"{}\" already present on machine", image_of(container));
            self.world.tell(pod, Tale::normal(Some(name), "Pulled", text));
            let note = self.observed.note_mut(container);
            (note.image_ready, note.image_id, note.trouble) = (true, image.image_id.clone(), None);
            self.images.insert(name.to_owned(), image);
            return true;
        }
        self.observed.note_mut(container).pulling = true;
        self.world.tell(pod, Tale::normal(Some(name), "Pulling", format!("Pulling image \"{}\"", image_of(container))));
        let (world, container, sender) = (self.world.clone(), container.clone(), self.pulls.0.clone());
        let bell = self.bell.clone();
        self.tasks.spawn(async move {
            let begun = Instant::now();
            let outcome = world.pull(&container).await;
            let pulled = Pulled { container, outcome, took: begun.elapsed() };
            // The worker may have ended: then nobody waits for the image.
            let _unheard = sender.send(pulled).await;
            bell.pod_changed();
        });
        true
    }

    /// Takes in how a pull ended.
    pub(super) fn pulled(&mut self, pod: &Pod, pulled: Pulled) {
        let Pulled { container, outcome, took } = pulled;
        if find(pod, &container.name).map(image_of) != Some(image_of(&container)) {
            // Another image is wanted by now.
            return;
        }
        let (name, image_name) = (container.name.as_str(), image_of(&container).to_owned());
        self.observed.note_mut(&container).pulling = false;
        match outcome {
            Ok(image) => {
                let text = format!("Successfully pulled image \"{image_name}\" in {took:.3?}");
                self.world.tell(pod, Tale::normal(Some(name), "Pulled", text));
                let note = self.observed.note_mut(&container);
                (note.image_ready, note.image_id, note.trouble) = (true, image.image_id.clone(), None);
                self.images.insert(container.name, image);
            }
            Err(trouble) => {
                let text = format!("Failed to pull image \"{image_name}\": {}", trouble.message);
                self.world.tell(pod, Tale::warning(Some(name), "Failed", text));
                self.note_trouble(pod, &container, trouble);
            }
        }
    }

    fn note_trouble(&mut self, pod: &Pod, container: &Container, trouble: Trouble) {
        let text = match trouble.reason.as_str() {
            reason @ ("ErrImagePull" | "ErrImageNeverPull" | "InvalidImageName" | "RegistryUnavailable") => {
                format!("Error: {reason}")
            }
            _ => format!("Error: {}", trouble.message),
        };
        self.world.tell(pod, Tale::warning(Some(&container.name), "Failed", text));
        let before = self.observed.note_mut(container).trouble.clone();
        let trouble = self.again(before.as_ref(), trouble);
        self.observed.note_mut(container).trouble = Some(trouble);
    }

    /// Starts containers at the same time; they are asked for in their order.
    async fn start(&mut self, pod: &Arc<Pod>, starts: &[(&str, u32)]) {
        let Some(handle) = self.handle.clone().filter(|_| !starts.is_empty()) else { return };
        let found = starts.iter().filter_map(|(name, attempt)| {
            let (container, image) = (find(pod, name)?, self.images.get(*name)?);
            Some((container, Start { container, attempt: *attempt, image, volumes: &self.volumes }))
        });
        let (containers, starts): (Vec<&Container>, Vec<Start<'_>>) = found.unzip();
        let outcomes = join_all(starts.into_iter().map(|start| self.world.start_container(&handle, pod, start))).await;
        for (container, outcome) in containers.into_iter().zip(outcomes) {
            match outcome {
                Started::Done => {
                    let note = self.observed.note_mut(container);
                    (note.trouble, note.replacing) = (None, false);
                }
                Started::Failed(trouble) => self.note_trouble(pod, container, trouble),
                Started::Lost => self.unanswered = true,
            }
        }
    }

    /// Orders the stop of a container whose declaration changed, once.
    fn order_stop(&mut self, pod: &Pod, name: &str) -> bool {
        let (Some(container), Some(handle)) = (find(pod, name), self.handle.clone()) else { return false };
        let note = self.observed.note_mut(container);
        if std::mem::replace(&mut note.replacing, true) {
            return false;
        }
        let text = format!("Container {name} definition changed, will be restarted");
        self.world.tell(pod, Tale::normal(Some(name), "Killing", text));
        let (name, grace) = (name.to_owned(), Duration::from_secs(grace_seconds(pod)));
        self.spawn_stop(async move { handle.stop(&name, grace, None).await.map(drop) });
        false
    }

    /// Orders the stop of the whole pod, again only if it is to be sooner.
    fn order_stop_all(&mut self, pod: &Pod, grace: Duration, now: Timestamp) -> bool {
        let Some(handle) = self.handle.clone() else { return false };
        let end = now + grace;
        if self.stop_ordered.is_some_and(|ordered| ordered <= end) {
            return false;
        }
        if self.stop_ordered.replace(end).is_none()
            && let Sandbox::Alive(state) = &self.observed.sandbox
        {
            for container in
                state.containers.iter().filter(|known| matches!(known.phase, ContainerPhase::Running { .. }))
            {
                let text = format!("Stopping container {}", container.name);
                self.world.tell(pod, Tale::normal(Some(&container.name), "Killing", text));
            }
        }
        self.spawn_stop(async move { handle.stop_all(grace).await.map(drop) });
        false
    }

    /// Waits for a stop beside the worker, which hears of each container's end by itself.
    fn spawn_stop(&mut self, stop: impl Future<Output = Result<(), EngineError>> + Send + 'static) {
        let (uid, bell) = (self.uid.clone(), self.bell.clone());
        self.tasks.spawn(async move {
            match stop.await {
                Ok(()) | Err(EngineError::Lost { .. }) => {}
                Err(error) => tracing::error!(uid, %error, "the pod does not stop"),
            }
            bell.pod_changed();
        });
    }

    async fn release(&mut self) -> bool {
        if let Sandbox::Alive(state) = std::mem::take(&mut self.observed.sandbox) {
            self.observed.remember(&state);
        }
        self.events = None;
        self.forget_sandbox();
        let handle: Option<PodHandle> = self.handle.take();
        if let Some(handle) = handle {
            self.world.release(&handle, &self.uid).await;
        }
        true
    }

    async fn remove_lost(&mut self) -> bool {
        if let Sandbox::Lost(state) = std::mem::take(&mut self.observed.sandbox) {
            self.observed.remember(&state);
        }
        self.forget_sandbox();
        self.world.remove_lost(&self.uid).await;
        true
    }

    /// Forgets what held for a sandbox that is gone.
    fn forget_sandbox(&mut self) {
        self.observed.volumes = Volumes::Unknown;
        self.stop_ordered = None;
        self.observed.notes.values_mut().for_each(|note| note.replacing = false);
    }

    async fn confirm_deletion(&mut self) -> bool {
        self.world.confirm_deletion(self.key(), &self.uid).await;
        true
    }
}

/// Returns the name of a container's image as the pod has it.
fn image_of(container: &Container) -> &str {
    container.image.as_deref().unwrap_or_default()
}
