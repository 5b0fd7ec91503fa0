//! Keeps one pod as its object says: observe, decide, act, tell; then sleep until something happens.
//!
//! A worker owns its pod's sandbox handle and is the only one to act on the pod. It ends when the pod's object is gone
//! and nothing of it runs. How actions are carried out is in `perform`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Notify, broadcast, mpsc};
use tokio::task::JoinSet;

use super::decide::{Action, decide};
use super::observed::{Observed, Sandbox, Trouble, Volumes};
use super::past::past_of;
use super::status::status;
use super::telling::{Tale, of_change};
use super::world::World;
use crate::api::kinds::{Container, Pod, PodStatus};
use crate::api::{Key, Timestamp};
use crate::host::engine::{ContainerState, PodEvent, PodHandle};
use crate::host::image::Image;
use crate::host::volume::Prepared;
use crate::store::Stored;

/// The first wait after a failed start or pull, doubled for each further one (kubelet: 10 s to 300 s).
const BACKOFF_MIN: Duration = Duration::from_secs(10);
/// The longest wait between starts or pulls that fail.
const BACKOFF_MAX: Duration = Duration::from_secs(300);
/// The longest sleep: a clock that is set forward is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

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

/// A pull that ended: the container as it was declared then, how it went, and how long it took.
pub(super) struct Pulled {
    pub(super) container: Container,
    pub(super) outcome: Result<Image, Trouble>,
    pub(super) took: Duration,
}

pub(super) struct Worker {
    pub(super) world: Arc<World>,
    key: Key,
    pub(super) uid: String,
    pub(super) bell: Arc<Bell>,
    pub(super) handle: Option<PodHandle>,
    pub(super) events: Option<broadcast::Receiver<PodEvent>>,
    /// Set when a request was not answered: the supervisor may be gone.
    pub(super) unanswered: bool,
    pub(super) observed: Observed,
    pub(super) images: BTreeMap<String, Image>,
    pub(super) volumes: Vec<Prepared>,
    pub(super) pulls: (mpsc::Sender<Pulled>, mpsc::Receiver<Pulled>),
    /// Pulls and stops under way; they end with the worker.
    pub(super) tasks: JoinSet<()>,
    /// When everything is to have ended by the stop that was ordered.
    pub(super) stop_ordered: Option<Timestamp>,
    /// What the supervisor said while the worker slept.
    heard: Option<ContainerState>,
    /// Whether more was said than was kept.
    lagged: bool,
    /// The status that was written last, and the pod's revision since.
    written: Option<(u64, PodStatus)>,
}

impl Worker {
    pub(super) fn new(world: Arc<World>, key: Key, uid: String, bell: Arc<Bell>) -> Self {
        Self {
            world,
            key,
            uid,
            bell,
            handle: None,
            events: None,
            unanswered: false,
            observed: Observed::default(),
            images: BTreeMap::new(),
            volumes: Vec::new(),
            pulls: mpsc::channel(8),
            tasks: JoinSet::new(),
            stop_ordered: None,
            heard: None,
            lagged: false,
            written: None,
        }
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Runs until the pod is gone.
    pub(super) async fn run(mut self) {
        self.take_over().await;
        let mut is_first = true;
        loop {
            let snapshot = self.world.snapshot();
            let Some(stored) = snapshot.get(&self.key).filter(|stored| stored.uid() == self.uid) else {
                return self.abandon().await;
            };
            let pod = match stored.typed::<Pod>() {
                Ok(pod) => pod,
                Err(error) => {
                    // Nothing is ended for want of understanding.
                    tracing::error!(pod = %self.key, %error, "the pod is left as it is");
                    self.bell.ring.notified().await;
                    continue;
                }
            };
            if std::mem::take(&mut is_first)
                && let Some(status) = &pod.status
            {
                self.observed.past = past_of(status, self.world.now());
            }
            let until = self.round(stored, &pod).await;
            if let Next::Sleep(until) = until {
                self.sleep(until).await;
            }
        }
    }

    /// Does one round: everything that can be done at once, else the status, else nothing.
    async fn round(&mut self, stored: &Stored, pod: &Arc<Pod>) -> Next {
        self.observe(pod).await;
        let now = self.world.now();
        let wanted = status(&self.observed, pod, self.world.addresses(), now);
        self.observed.status_written = self.is_written(stored.revision(), pod, &wanted);
        let actions = decide(&self.observed, pod, now);
        if self.perform(pod, &actions, now).await {
            return Next::Again;
        }
        if !self.observed.status_written {
            let revision = self.world.write_status(stored, pod, &wanted).await;
            self.written = revision.map(|revision| (revision, wanted));
            self.hold_back(pod);
            return Next::Again;
        }
        Next::Sleep(actions.iter().filter_map(Action::until).min())
    }

    /// Whether the store has this status. What the store made of it when it was written counts as the same.
    fn is_written(&self, revision: u64, pod: &Pod, wanted: &PodStatus) -> bool {
        pod.status.as_ref() == Some(wanted)
            || self.written.as_ref().is_some_and(|(since, written)| *since == revision && written == wanted)
    }

    /// Takes over what was found of the pod when the daemon started.
    async fn take_over(&mut self) {
        let (handle, lost) = self.world.adopted(&self.uid);
        self.set_sandbox(handle, lost.map_or(Sandbox::None, Sandbox::Lost)).await;
    }

    /// Looks again for a pod whose supervisor does not answer: it may be gone, or only the connection.
    async fn look_again(&mut self) {
        let (handle, lost) = self.world.find(&self.uid).await;
        self.set_sandbox(handle, Sandbox::Lost(lost.unwrap_or_default())).await;
        self.stop_ordered = None;
        self.observed.notes.values_mut().for_each(|note| note.replacing = false);
    }

    async fn set_sandbox(&mut self, handle: Option<PodHandle>, otherwise: Sandbox) {
        // Subscribed before asked: what happens in between is seen twice, never missed.
        self.events = handle.as_ref().map(PodHandle::events);
        self.observed.sandbox = match &handle {
            Some(handle) => match handle.status().await {
                Ok(state) => Sandbox::Alive(state),
                Err(error) => {
                    tracing::warn!(uid = self.uid, %error, "the pod's supervisor went away while it was asked");
                    self.unanswered = true;
                    Sandbox::Alive(crate::host::engine::PodState::default())
                }
            },
            None => otherwise,
        };
        self.handle = handle;
    }

    /// Brings the picture up to date with what happened.
    async fn observe(&mut self, pod: &Arc<Pod>) {
        if self.bell.config_changed.swap(false, Ordering::AcqRel) {
            self.reread_config(pod).await;
        }
        while let Ok(pulled) = self.pulls.1.try_recv() {
            self.pulled(pod, pulled);
        }
        while self.tasks.try_join_next().is_some() {}
        if let Some(state) = self.heard.take() {
            self.changed(pod, state);
        }
        while let Some(events) = &mut self.events {
            match events.try_recv() {
                Ok(PodEvent::Container(state)) => self.changed(pod, state),
                Ok(PodEvent::Lost) | Err(TryRecvError::Closed) => {
                    self.unanswered = true;
                    break;
                }
                Err(TryRecvError::Lagged(_)) => self.lagged = true,
                Err(TryRecvError::Empty) => break,
            }
        }
        let lagged = std::mem::take(&mut self.lagged);
        if std::mem::take(&mut self.unanswered) {
            self.look_again().await;
        } else if lagged {
            let handle = self.handle.take();
            self.set_sandbox(handle, Sandbox::None).await;
        }
    }

    fn changed(&mut self, pod: &Pod, state: ContainerState) {
        for tale in of_change(pod, self.observed.container(&state.name), &state) {
            self.world.tell(pod, tale);
        }
        self.observed.update(state);
    }

    /// Tries again at once what failed for want of a ConfigMap or Secret, and brings mounted ones up to date.
    async fn reread_config(&mut self, pod: &Arc<Pod>) {
        let notes = self.observed.notes.values_mut().filter_map(|note| note.trouble.as_mut());
        let volumes = match &mut self.observed.volumes {
            Volumes::Failed(trouble) => Some(trouble),
            Volumes::Unknown | Volumes::Ready => None,
        };
        for trouble in notes.chain(volumes).filter(|trouble| trouble.reason == "CreateContainerConfigError") {
            trouble.retry = Some(Timestamp::EPOCH);
        }
        if self.observed.volumes == Volumes::Ready && matches!(self.observed.sandbox, Sandbox::Alive(_)) {
            match self.world.prepare_volumes(pod).await {
                Ok(volumes) => self.volumes = volumes,
                // What is mounted stays as it was, as long as the pod lives.
                Err(trouble) => tracing::debug!(pod = %self.key, trouble.message, "volumes stay as they are"),
            }
        }
    }

    /// Returns trouble with the time of the next try; each further failure in a row doubles the wait.
    pub(super) fn again(&self, before: Option<&Trouble>, mut trouble: Trouble) -> Trouble {
        trouble.failures = before.map_or(0, |known| known.failures) + 1;
        if trouble.retry.is_some() {
            let wait = BACKOFF_MIN.saturating_mul(1 << (trouble.failures - 1).min(8)).min(BACKOFF_MAX);
            trouble.retry = Some(self.world.now() + wait);
        }
        trouble
    }

    /// A pull that failed is told once as such and then as held back.
    fn hold_back(&mut self, pod: &Pod) {
        for (name, note) in &mut self.observed.notes {
            let held = note.trouble.as_ref().and_then(|trouble| trouble.held_back(&note.image));
            if let Some(held) = held {
                let text = format!("Back-off pulling image \"{}\"", note.image);
                self.world.tell(pod, Tale::normal(Some(name), "BackOff", text));
                note.trouble = Some(held);
            }
        }
    }

    /// Ends what runs of a pod whose object is gone.
    async fn abandon(&mut self) {
        if let Some(handle) = self.handle.take() {
            self.world.release(&handle, &self.uid).await;
        } else if self.observed.sandbox != Sandbox::None {
            self.world.remove_lost(&self.uid).await;
        }
        self.world.forget(&self.uid).await;
    }

    /// Sleeps until a bell rings, the pod's supervisor says something, or `until`.
    async fn sleep(&mut self, until: Option<Timestamp>) {
        let pause = until.map_or(SLEEP_MAX, |at| at.since(self.world.now()).min(SLEEP_MAX));
        let events = async {
            match &mut self.events {
                Some(events) => events.recv().await,
                None => std::future::pending().await,
            }
        };
        let heard = tokio::select! {
            () = self.bell.ring.notified() => None,
            heard = events => Some(heard),
            () = tokio::time::sleep(pause) => None,
        };
        match heard {
            None => {}
            Some(Ok(PodEvent::Container(state))) => self.heard = Some(state),
            Some(Ok(PodEvent::Lost) | Err(RecvError::Closed)) => self.unanswered = true,
            Some(Err(RecvError::Lagged(_))) => self.lagged = true,
        }
    }
}

/// What follows a round.
enum Next {
    /// Another one at once.
    Again,
    /// A pause, until then at most.
    Sleep(Option<Timestamp>),
}

/// Finds a container, init ones included.
pub(super) fn find<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    pod.spec.init_containers.iter().chain(&pod.spec.containers).find(|container| container.name == name)
}
