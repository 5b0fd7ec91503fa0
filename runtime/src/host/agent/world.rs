//! The agent's only door to the engine, the images, the disk and the store.
//!
//! Holds no policy: an action leaves nothing to choose. Never retries; a failure is told and comes back as an
//! observation.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::env::Facts;
use super::observed::Trouble;
use super::status::NodeAddresses;
use super::telling::{Heard, Tale};
use super::translate::{self, TranslateError};
use crate::api::kinds::{Container, Pod, PodStatus};
use crate::api::{Key, Object as _, Timestamp};
use crate::host::engine::{Adopted, Engine, EngineError, PodHandle, PodState};
use crate::host::image::{Image, ImageReference, ImageStore, PullPolicy, PullStep, RegistryAuth, decide_pull};
use crate::host::volume::{self, Prepared, VolumeDirs, VolumeError};
use crate::store::objects::{Clock, Context, DeleteOptions, Entropy, Removal, prepare_delete, prepare_status};
use crate::store::{CommitError, Op, Outcome, Precondition, Snapshot, Store, Stored, Txn};

/// A container to be started.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    pub(super) container: &'a Container,
    pub(super) attempt: u32,
    pub(super) image: &'a Image,
    pub(super) volumes: &'a [Prepared],
}

/// How a container's start went.
pub(super) enum Started {
    /// It was executed, or its failure to is in the engine's state.
    Done,
    /// It could not be tried.
    Failed(Trouble),
    /// The supervisor is gone.
    Lost,
}

/// The real host.
pub(super) struct World {
    pub(super) store: Store,
    pub(super) engine: Engine,
    pub(super) images: ImageStore,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    pub(super) addresses: NodeAddresses,
    /// Capacity in millicores and bytes.
    pub(super) capacity: (i64, i64),
    /// Directory of pods' logs, `<namespace>_<name>_<uid>` each.
    pub(super) logs: PathBuf,
    /// Directory of pods' volumes, by uid.
    pub(super) volumes: PathBuf,
    /// Directory of pods' secrets, by uid; on a memory file system where the host has one at `/run`.
    pub(super) secrets: PathBuf,
    /// Pods found at the start, until their workers take them.
    pub(super) found: Mutex<BTreeMap<String, Adopted>>,
    /// The handles of running pods by uid, for exec and statistics.
    pub(super) handles: Mutex<BTreeMap<String, PodHandle>>,
    /// Where events go to be written.
    pub(super) told: mpsc::Sender<Heard>,
}

impl World {
    pub(super) fn snapshot(&self) -> Snapshot {
        self.store.snapshot()
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(super) fn addresses(&self) -> &NodeAddresses {
        &self.addresses
    }

    /// Tells something about a pod; dropped where too much waits to be written.
    pub(super) fn tell(&self, pod: &Pod, tale: Tale) {
        if self.told.try_send(Heard::new(pod, tale)).is_err() {
            tracing::debug!(pod = pod.metadata.name, "an event is dropped: too many wait to be written");
        }
    }

    /// Takes what was found of a pod when the daemon started.
    pub(super) fn adopted(&self, uid: &str) -> (Option<PodHandle>, Option<PodState>) {
        match lock(&self.found).remove(uid) {
            Some(Adopted::Alive(handle)) => {
                lock(&self.handles).insert(uid.to_owned(), handle.clone());
                (Some(handle), None)
            }
            Some(Adopted::Lost(lost)) => (None, Some(lost.state)),
            None => (None, None),
        }
    }

    /// Looks for a pod whose supervisor did not answer: it may be there and only the connection broke.
    pub(super) async fn find(&self, uid: &str) -> (Option<PodHandle>, Option<PodState>) {
        lock(&self.handles).remove(uid);
        match self.engine.adopt_one(uid).await {
            Ok(Some(Adopted::Alive(handle))) => {
                lock(&self.handles).insert(uid.to_owned(), handle.clone());
                (Some(handle), None)
            }
            Ok(Some(Adopted::Lost(lost))) => (None, Some(lost.state)),
            Ok(None) => (None, Some(PodState::default())),
            Err(error) => {
                tracing::warn!(uid, %error, "nothing is known of the lost pod's containers");
                (None, Some(PodState::default()))
            }
        }
    }

    pub(super) async fn remove_lost(&self, uid: &str) {
        if let Err(error) = self.engine.remove_lost(uid).await {
            tracing::warn!(uid, %error, "cannot remove what is left of the pod");
        }
    }

    pub(super) async fn start_sandbox(&self, pod: &Pod) -> Result<PodHandle, String> {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let sandbox = translate::sandbox(pod, self.engine.run_dir(&uid), self.log_dir(pod));
        let handle = self.engine.start_pod(sandbox).await.map_err(|error| describe(&error))?;
        lock(&self.handles).insert(uid, handle.clone());
        Ok(handle)
    }

    /// Returns the directory of a pod's logs.
    pub(super) fn log_dir(&self, pod: &Pod) -> PathBuf {
        let meta = &pod.metadata;
        let (namespace, uid) = (meta.namespace.as_deref().unwrap_or_default(), meta.uid.as_deref().unwrap_or_default());
        self.logs.join(format!("{namespace}_{}_{uid}", meta.name))
    }

    fn volume_dirs(&self, uid: &str) -> VolumeDirs {
        VolumeDirs { disk: self.volumes.join(uid), memory: self.secrets.join(uid) }
    }

    /// Returns the image of a container if it is here and the pull policy is content with that.
    pub(super) fn cached_image(&self, container: &Container) -> Option<Image> {
        let reference = ImageReference::parse(container.image.as_deref().unwrap_or_default()).ok()?;
        let image = self.images.find(&reference).ok().flatten()?;
        let step = decide_pull(policy(container, &reference), true);
        (reference.is_host_rootfs() || matches!(step, PullStep::UseLocal)).then_some(image)
    }

    /// Sees that a container's image is here.
    pub(super) async fn pull(&self, container: &Container) -> Result<Image, Trouble> {
        let text = container.image.clone().unwrap_or_default();
        let policy = match ImageReference::parse(&text) {
            Ok(reference) => policy(container, &reference),
            Err(_) => PullPolicy::IfNotPresent,
        };
        let progress = std::sync::Arc::new(|_| {});
        self.images.pull(&text, policy, &RegistryAuth::Anonymous, progress).await.map_err(|error| {
            let hint = error.hint();
            let message = format!("{}{}{hint}", describe(&error), if hint.is_empty() { "" } else { "; " });
            match error.reason() {
                reason @ "InvalidImageName" => Trouble::lasting(reason, message),
                reason => Trouble::retried(reason, message),
            }
        })
    }

    /// Makes what a pod's containers mount, and brings what is there up to date.
    pub(super) async fn prepare_volumes(&self, pod: &Arc<Pod>) -> Result<Vec<Prepared>, Trouble> {
        if pod.spec.volumes.is_empty() {
            return Ok(Vec::new());
        }
        let (pod, snapshot) = (pod.clone(), self.snapshot());
        let dirs = self.volume_dirs(pod.metadata.uid.as_deref().unwrap_or_default());
        off_thread(move || volume::prepare(&pod, &snapshot, &dirs)).await.map_err(|error| match &error {
            VolumeError::NotYet { .. } => Trouble::retried("CreateContainerConfigError", error.to_string()),
            VolumeError::Refused { .. } | VolumeError::Io { .. } => {
                Trouble::retried("CreateContainerError", describe(&error))
            }
        })
    }

    pub(super) async fn start_container(&self, handle: &PodHandle, pod: &Pod, start: Start<'_>) -> Started {
        let snapshot = self.snapshot();
        let facts = Facts { pod, snapshot: &snapshot, host_ip: &self.addresses.host_ip, capacity: self.capacity };
        let spec = match translate::container(start.container, start.attempt, start.image, start.volumes, &facts) {
            Ok(spec) => spec,
            Err(error @ (TranslateError::Env(_) | TranslateError::WouldRunAsRoot)) => {
                return Started::Failed(Trouble::retried("CreateContainerConfigError", error.to_string()));
            }
            Err(error) => return Started::Failed(Trouble::retried("CreateContainerError", error.to_string())),
        };
        match handle.start(spec).await {
            Ok(_) => Started::Done,
            Err(EngineError::Lost { .. }) => Started::Lost,
            Err(error) => Started::Failed(Trouble::retried("CreateContainerError", describe(&error))),
        }
    }

    /// Removes a pod's sandbox and volumes; its logs stay until its object goes.
    pub(super) async fn release(&self, handle: &PodHandle, uid: &str) {
        if let Err(error) = handle.remove().await
            && !matches!(error, EngineError::Lost { .. })
        {
            tracing::warn!(uid, %error, "cannot remove the pod");
        }
        lock(&self.handles).remove(uid);
        let dirs = self.volume_dirs(uid);
        if let Err(error) = off_thread(move || volume::remove(&dirs)).await {
            tracing::warn!(uid, %error, "cannot remove the volumes of the pod");
        }
    }

    /// Removes what a pod leaves behind when its object is gone: volumes and logs.
    pub(super) async fn forget(&self, uid: &str) {
        let (dirs, logs, suffix) = (self.volume_dirs(uid), self.logs.clone(), format!("_{uid}"));
        let removed = off_thread(move || -> std::io::Result<()> {
            volume::remove(&dirs)?;
            let entries = match std::fs::read_dir(&logs) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                if entry.file_name().to_string_lossy().ends_with(&suffix) {
                    std::fs::remove_dir_all(entry.path())?;
                }
            }
            Ok(())
        });
        if let Err(error) = removed.await {
            tracing::warn!(uid, %error, "cannot remove the files of the pod");
        }
    }

    /// Writes the status of the pod that it was decided from and returns the revision it then has; `None` where the
    /// pod changed meanwhile, so that the worker looks again.
    pub(super) async fn write_status(&self, stored: &Stored, pod: &Pod, status: &PodStatus) -> Option<u64> {
        let snapshot = self.snapshot();
        let next = Pod { status: Some(status.clone()), ..pod.clone() };
        let entropy = (self.entropy)();
        let context = Context { kind: Pod::kind(), snapshot: &snapshot, now: self.now(), entropy, manager: None };
        let key = stored.key();
        let value = match prepare_status(next.to_value(), &stored.value(), &context) {
            Ok(value) => value,
            Err(error) => {
                tracing::error!(pod = %key, %error, "the status is not valid");
                return Some(stored.revision());
            }
        };
        self.commit(key, Op::put(key.clone(), Precondition::Revision(stored.revision()), value)).await
    }

    /// Removes a deleted pod's object: nothing of it runs any more.
    pub(super) async fn confirm_deletion(&self, key: &Key, uid: &str) {
        let snapshot = self.snapshot();
        let Some(stored) = snapshot.get(key).filter(|stored| stored.uid() == uid) else { return };
        let options = DeleteOptions { grace: Some(0), uid: Some(uid.to_owned()), ..DeleteOptions::default() };
        let precondition = Precondition::Revision(stored.revision());
        let op = match prepare_delete(Pod::kind(), &stored.value(), &options, self.now()) {
            Ok(Removal::Now) => Op::delete(key.clone(), precondition),
            Ok(Removal::Later(value)) => Op::put(key.clone(), precondition, value),
            Ok(Removal::Already) | Err(_) => return,
        };
        self.commit(key, op).await;
    }

    /// Commits one change and returns the object's revision after it; `None` where it did not happen.
    async fn commit(&self, key: &Key, op: Op) -> Option<u64> {
        match self.store.commit_async(Txn::one(op)).await {
            Ok(committed) => committed.outcomes.first().and_then(Outcome::object).map(|stored| stored.revision()),
            Err(CommitError::Conflict { .. }) => None,
            Err(error) => {
                tracing::error!(pod = %key, %error, "the store did not take the pod's state");
                // A store that is full or broken heals by itself or not at all: do not spin.
                tokio::time::sleep(STORE_PAUSE).await;
                None
            }
        }
    }
}

/// How long a worker waits after the store refused to write.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Does what may wait for the disk beside the runtime's threads.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    crate::host::engine::off_thread(work).await
}

/// Returns the pull policy of a container: its own, else by the tag.
fn policy(container: &Container, reference: &ImageReference) -> PullPolicy {
    match container.image_pull_policy.as_deref() {
        Some("Always") => PullPolicy::Always,
        Some("IfNotPresent") => PullPolicy::IfNotPresent,
        Some("Never") => PullPolicy::Never,
        _ => PullPolicy::default_for(reference),
    }
}

/// Returns an error and its causes in one line.
pub(super) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = next.source();
    }
    text
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Maps are whole between any two statements, so a panic elsewhere does not spoil them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
