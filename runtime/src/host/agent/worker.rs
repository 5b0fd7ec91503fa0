//! Keeps one pod as its object says: observe, decide, act, tell; then sleep until something happens.
//!
//! A worker owns its pod's sandbox handle and is the only one to act on the pod. It ends when the pod's object is gone
//! and nothing of it runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, broadcast, mpsc};

use super::decide::{Action, decide, grace_seconds};
use super::observed::{Note, Observed, Sandbox, Trouble};
use super::status::status;
use super::world::{Started, World};
use crate::api::kinds::{Container, Pod};
use crate::api::{Key, Timestamp};
use crate::host::engine::{PodEvent, PodHandle, PodState};
use crate::host::image::Image;

/// The first wait after a failed start or pull, doubled for each further one (kubelet: 10 s to 300 s).
const BACKOFF_MIN: Duration = Duration::from_secs(10);
/// The longest wait between starts or pulls that fail.
const BACKOFF_MAX: Duration = Duration::from_secs(300);
/// Name under which the sandbox's own trouble is noted: no container can be called so.
pub(super) const SANDBOX: &str = "";

/// What wakes a worker.
#[derive(Debug, Default)]
pub(super) struct Bell {
    ring: Notify,
    /// Set when a ConfigMap or Secret changed: what failed for want of one is tried at once.
    config_changed: AtomicBool,
}

impl Bell {
    pub(super) fn pod_changed(&self) {
        self.ring.notify_one();
    }
    pub(super) fn config_changed(&self) {
        self.config_changed.store(true, Ordering::Release);
        self.ring.notify_one();
    }
}

/// A pull that ended, for a container.
type Pulled = (String, Result<Image, Trouble>);

pub(super) struct Worker {
    world: Arc<World>,
    key: Key,
    uid: String,
    bell: Arc<Bell>,
    handle: Option<PodHandle>,
    events: Option<broadcast::Receiver<PodEvent>>,
    lost: Option<PodState>,
    observed: Observed,
    images: BTreeMap<String, Image>,
    pulls: (mpsc::Sender<Pulled>, mpsc::Receiver<Pulled>),
}

impl Worker {
    pub(super) fn new(world: Arc<World>, key: Key, uid: String, bell: Arc<Bell>) -> Self {
        let pulls = mpsc::channel(8);
        let (handle, lost) = world.adopted(&uid);
        let events = handle.as_ref().map(PodHandle::events);
        Self { world, key, uid, bell, handle, events, lost, observed: Observed::default(), images: BTreeMap::new(), pulls }
    }

    /// Runs until the pod is gone.
    pub(super) async fn run(mut self) {
        loop {
            let snapshot = self.world.snapshot();
            let stored = snapshot.get(&self.key).filter(|stored| stored.uid() == self.uid);
            let Some(pod) = stored.and_then(|stored| stored.typed::<Pod>().ok()) else {
                self.abandon().await;
                return;
            };
            self.observe().await;
            let now = self.world.now();
            let wanted = status(&self.observed, &pod, self.world.addresses(), now);
            self.observed.status_written = pod.status.as_ref() == Some(&wanted);
            let actions = decide(&self.observed, &pod, now);
            let mut until = None;
            let mut acted = false;
            for action in &actions {
                match action {
                    Action::Wait { until: Some(at), .. } => until = Some(until.map_or(*at, |known: Timestamp| known.min(*at))),
                    Action::Wait { .. } => {}
                    action => {
                        acted = true;
                        if !self.perform(&pod, action).await {
                            break;
                        }
                    }
                }
            }
            if acted {
                continue;
            }
            if !self.observed.status_written {
                self.world.write_status(&self.key, &self.uid, &wanted).await;
                self.age_troubles();
                continue;
            }
            self.sleep(until).await;
        }
    }

    /// Brings the picture up to date with what the supervisor says.
    async fn observe(&mut self) {
        if self.bell.config_changed.swap(false, Ordering::AcqRel) {
            for note in self.observed.notes.values_mut() {
                if note.trouble.as_ref().is_some_and(|trouble| trouble.reason == "CreateContainerConfigError") {
                    note.trouble = None;
                }
            }
        }
        while let Ok((container, outcome)) = self.pulls.1.try_recv() {
            self.pulled(container, outcome);
        }
        let state = match &self.handle {
            None => None,
            Some(handle) => match handle.status().await {
                Ok(state) => Some(state),
                Err(_) => {
                    (self.handle, self.lost) = self.world.find(&self.uid).await;
                    self.events = self.handle.as_ref().map(PodHandle::events);
                    match &self.handle {
                        Some(handle) => handle.status().await.ok(),
                        None => None,
                    }
                }
            },
        };
        self.observed.sandbox = match (state, &self.lost) {
            (Some(state), _) => Sandbox::Alive(state),
            (None, Some(lost)) => Sandbox::Lost(lost.clone()),
            (None, None) => Sandbox::None,
        };
    }

    fn pulled(&mut self, container: String, outcome: Result<Image, Trouble>) {
        let note = self.observed.notes.entry(container.clone()).or_default();
        note.pulling = false;
        match outcome {
            Ok(image) => {
                note.image_ready = true;
                note.image_id = image.image_id.clone();
                note.trouble = None;
                self.images.insert(container, image);
            }
            Err(trouble) => self.trouble(&container, trouble),
        }
    }

    /// Notes a failure; each further one in a row doubles the wait.
    fn trouble(&mut self, container: &str, mut trouble: Trouble) {
        let note = self.observed.notes.entry(container.to_owned()).or_default();
        trouble.failures = note.trouble.as_ref().map_or(0, |known| known.failures) + 1;
        if trouble.retry.is_some() {
            let wait = BACKOFF_MIN.saturating_mul(1 << (trouble.failures - 1).min(8)).min(BACKOFF_MAX);
            trouble.retry = Some(self.world.now() + wait);
        }
        note.trouble = Some(trouble);
    }

    /// A pull that failed is reported once as such and then as held back, as the kubelet alternates.
    fn age_troubles(&mut self) {
        for trouble in self.observed.notes.values_mut().filter_map(|note| note.trouble.as_mut()) {
            if matches!(trouble.reason.as_str(), "ErrImagePull" | "RegistryUnavailable") {
                trouble.message = format!("Back-off pulling image: {}: {}", trouble.reason, trouble.message);
                trouble.reason = "ImagePullBackOff".to_owned();
            }
        }
    }

    /// Carries out one action; `false` ends the round, because what follows was decided for another state.
    async fn perform(&mut self, pod: &Pod, action: &Action) -> bool {
        match action {
            Action::StartSandbox => match self.world.start_sandbox(pod).await {
                Ok(handle) => {
                    self.events = Some(handle.events());
                    self.handle = Some(handle);
                    self.observed.notes.remove(SANDBOX);
                }
                Err(message) => {
                    self.trouble(SANDBOX, Trouble::retried("CreatePodSandboxError", message));
                    return false;
                }
            },
            Action::RemoveLost => {
                if let Some(lost) = self.lost.take() {
                    self.observed.past = lost;
                }
                self.world.remove_lost(&self.uid).await;
                self.observed.sandbox = Sandbox::None;
            }
            Action::Pull { container } => return self.pull(pod, container).await,
            Action::Start { container, attempt } => return self.start(pod, container, *attempt).await,
            Action::Stop { container } => {
                if let Some(handle) = &self.handle {
                    let _lost = handle.stop(container, Duration::from_secs(grace_seconds(pod)), None).await;
                }
                return false;
            }
            Action::StopAll { grace } => {
                if let Some(handle) = &self.handle {
                    // A shorter grace may be ordered meanwhile: the bell leads to a new decision.
                    tokio::select! {
                        _stopped = handle.stop_all(*grace) => {}
                        () = self.bell.ring.notified() => {}
                    }
                }
                return false;
            }
            Action::Release => {
                if let Sandbox::Alive(state) = &self.observed.sandbox {
                    self.observed.past = state.clone();
                }
                if let Some(handle) = self.handle.take() {
                    self.world.release(&handle, &self.uid).await;
                }
                self.events = None;
                self.observed.sandbox = Sandbox::None;
            }
            Action::ConfirmDeletion => {
                self.world.confirm_deletion(&self.key, &self.uid).await;
                return false;
            }
            Action::Wait { .. } => {}
        }
        true
    }

    async fn pull(&mut self, pod: &Pod, name: &str) -> bool {
        let Some(container) = find(pod, name) else { return false };
        // What is here needs no task of its own: the common case starts at once.
        if let Some(image) = self.world.cached_image(container) {
            self.pulled(name.to_owned(), Ok(image));
            return true;
        }
        self.observed.notes.entry(name.to_owned()).or_insert_with(Note::default).pulling = true;
        let (world, container, sender) = (self.world.clone(), container.clone(), self.pulls.0.clone());
        let bell = self.bell.clone();
        tokio::spawn(async move {
            let outcome = world.pull(&container).await;
            // The worker may have ended: then nobody waits for the image.
            let _unheard = sender.send((container.name, outcome)).await;
            bell.pod_changed();
        });
        true
    }

    async fn start(&mut self, pod: &Pod, name: &str, attempt: u32) -> bool {
        let (Some(container), Some(image), Some(handle)) = (find(pod, name), self.images.get(name), self.handle.clone()) else {
            return false;
        };
        match self.world.start_container(&handle, pod, container, attempt, image).await {
            Started::Done => {
                if let Some(note) = self.observed.notes.get_mut(name) {
                    note.trouble = None;
                }
            }
            Started::Failed(trouble) => self.trouble(name, trouble),
            // The sandbox broke under us: look again.
            Started::Lost => return false,
        }
        true
    }

    /// Ends what runs of a pod whose object is gone.
    async fn abandon(&mut self) {
        if let Some(handle) = self.handle.take() {
            let _lost = handle.stop_all(Duration::ZERO).await;
            self.world.release(&handle, &self.uid).await;
        } else {
            self.world.remove_lost(&self.uid).await;
        }
        self.world.forget(&self.uid);
    }

    async fn sleep(&mut self, until: Option<Timestamp>) {
        let pause = until.map_or(Duration::from_secs(3600), |at| at.since(self.world.now()));
        let events = async {
            match &mut self.events {
                Some(events) => {
                    let _any = events.recv().await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.bell.ring.notified() => {}
            () = events => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Finds a container, init ones included.
pub(super) fn find<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    pod.spec.init_containers.iter().chain(&pod.spec.containers).find(|container| container.name == name)
}
