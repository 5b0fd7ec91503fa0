//! A simulated host: the agent's own decisions and statuses over supervisors that only pretend to run programs.
//!
//! Binds nothing: pods come to it by `spec.nodeName`. Never decides itself what a pod needs or what its status says:
//! that is [`decide`] and [`status`] of the agent. What is written here is what the agent's worker and world do with
//! them, without tasks.

mod engine;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::api::kinds::{Container, Pod, PodStatus};
use crate::api::{Key, Object, Timestamp};
use crate::host::agent::decide::{Action, decide, grace_seconds, spec_hash};
use crate::host::agent::observed::{Observed, Sandbox, Trouble, Volumes};
use crate::host::agent::past::past_of;
use crate::host::agent::status::{NodeAddresses, status};
use crate::host::agent::translate::restart;
use crate::host::engine::{PodState, after_loss};
use crate::store::objects::{Context, DeleteOptions, Removal, prepare_delete, prepare_status};
use crate::store::{Op, Precondition, Snapshot, Store, Stored, Txn};

use super::{Fate, Programs};
use engine::{Engine, Start, system};

/// The first and the longest wait after an image could not be had.
const PULL_BACKOFF: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));

/// A host.
#[derive(Clone, Debug)]
pub struct SimHost {
    name: String,
    addresses: NodeAddresses,
    workers: BTreeMap<Key, Worker>,
    here: bool,
    /// How pods ended whose containers ended by themselves and for good, by uid.
    ends: BTreeMap<String, bool>,
}

/// What happens to the writes of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// They are carried out.
    Kept,
    /// They are not, as when another writer was faster.
    Lost,
}

/// One pod in the hands of the agent.
#[derive(Clone, Debug)]
struct Worker {
    uid: String,
    pod: Arc<Pod>,
    engine: Option<Engine>,
    lost: Option<PodState>,
    observed: Observed,
    /// Set while there is nothing to do: for which revision of the pod, and until when.
    asleep: Option<(u64, Option<Timestamp>)>,
    /// Whether the agent has not looked at it yet.
    is_new: bool,
}

impl SimHost {
    /// Returns a host without pods.
    pub fn new(name: &str) -> Self {
        let addresses = NodeAddresses { host_ip: "192.0.2.1".to_owned() };
        Self { name: name.to_owned(), addresses, workers: BTreeMap::new(), here: true, ends: BTreeMap::new() }
    }

    /// Returns the node's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the agent works.
    pub fn is_here(&self) -> bool {
        self.here
    }

    /// Ends the agent; the supervisors of its pods go on.
    pub fn leave(&mut self) {
        self.here = false;
    }

    /// Takes the power away: everything that ran is lost.
    pub fn lose_power(&mut self, now: Timestamp) {
        self.here = false;
        for worker in self.workers.values_mut() {
            if let Some(engine) = worker.engine.take() {
                let containers = engine.state().containers.into_iter();
                let containers = containers.map(|state| after_loss(state, system(now))).collect();
                worker.lost = Some(PodState { containers, stop_deadline: None });
            }
        }
    }

    /// Starts the agent again; it adopts what runs and finds what was lost, and has forgotten all else.
    pub fn come_back(&mut self) {
        self.here = true;
        for worker in self.workers.values_mut() {
            worker.observed = Observed::default();
            worker.asleep = None;
            worker.is_new = true;
        }
    }

    /// Returns the uids of the pods of which something is left on the host.
    pub fn running(&self) -> Vec<&str> {
        let left = self.workers.values().filter(|worker| worker.engine.is_some() || worker.lost.is_some());
        left.map(|worker| worker.uid.as_str()).collect()
    }

    /// Returns whether a pod succeeded whose containers all ended by themselves and for good.
    pub fn own_end(&self, uid: &str) -> Option<bool> {
        self.ends.get(uid).copied()
    }

    /// Lets programs end and start as is due.
    pub fn tick(&mut self, programs: &Programs, now: Timestamp) {
        for worker in self.workers.values_mut() {
            let Some(engine) = &mut worker.engine else { continue };
            if engine.tick(&worker.pod, programs, now) {
                worker.asleep = None;
                if let Some(succeeded) = engine.own_end(worker.pod.spec.containers.len()) {
                    self.ends.insert(worker.uid.clone(), succeeded);
                }
            }
        }
    }

    /// Returns when something happens next by itself.
    pub fn next_due(&self, programs: &Programs) -> Option<Timestamp> {
        let due = |worker: &Worker| {
            let engine = worker.engine.as_ref().and_then(|engine| engine.next_due(&worker.pod, programs));
            let agent = worker.asleep.and_then(|(_, until)| until).filter(|_| self.here);
            engine.into_iter().chain(agent).min()
        };
        self.workers.values().filter_map(due).min()
    }

    /// Returns the pods that the agent has something to do about.
    pub fn awake(&self, snapshot: &Snapshot, now: Timestamp) -> Vec<Key> {
        if !self.here {
            return vec![];
        }
        let asleep = |stored: &Stored| {
            let worker = self.workers.get(stored.key()).filter(|worker| worker.uid == stored.uid());
            let (revision, until) = worker?.asleep?;
            Some(revision == stored.revision() && until.is_none_or(|until| until > now))
        };
        let pods = snapshot.pods_on(&self.name).filter(|stored| asleep(stored) != Some(true));
        let gone = self.workers.keys().filter(|key| snapshot.get(key).is_none());
        pods.map(|stored| stored.key()).chain(gone).cloned().collect()
    }

    /// Takes one round about a pod, as the agent's worker does; `false` where there was nothing to do.
    pub fn round(&mut self, store: &Store, key: &Key, programs: &Programs, now: Timestamp, writes: Writes) -> bool {
        let snapshot = store.snapshot();
        let found = snapshot.get(key).filter(|stored| stored.node_name() == Some(self.name.as_str()));
        if self.workers.get(key).is_some_and(|worker| found.is_none_or(|stored| stored.uid() != worker.uid)) {
            // The object is gone: so is what ran of it. A new one of the same name waits until then.
            self.workers.remove(key);
            return true;
        }
        let Some(stored) = found else { return false };
        let Ok(pod) = stored.typed::<Pod>() else { return false };
        let worker = self.workers.entry(key.clone()).or_insert_with(|| Worker::new(&pod));
        worker.pod = Arc::clone(&pod);
        worker.observe(now);
        let wanted = status(&worker.observed, &pod, &self.addresses, now);
        worker.observed.status_written = pod.status.as_ref() == Some(&wanted);
        let (mut acted, mut until, mut confirm) = (false, None::<Timestamp>, false);
        for action in decide(&worker.observed, &pod, now) {
            until = until.into_iter().chain(action.until()).min();
            match action {
                Action::Wait { .. } => {}
                Action::ConfirmDeletion => confirm = true,
                action => acted |= worker.perform(&action, programs, now),
            }
        }
        if acted {
            worker.asleep = None;
            return true;
        }
        let confirmed = if confirm { confirmed(stored, now) } else { None };
        let told = confirmed.is_none() && !worker.observed.status_written;
        let op = if told { with_status(&snapshot, stored, &pod, &wanted, now) } else { confirmed };
        match op {
            Some(op) => {
                if told {
                    worker.hold_back();
                }
                if writes == Writes::Kept {
                    // Nothing comes between the snapshot and the write, so that nobody is faster.
                    store.commit(Txn::one(op)).is_ok()
                } else {
                    true
                }
            }
            None => {
                worker.asleep = Some((stored.revision(), until));
                false
            }
        }
    }
}

impl Worker {
    fn new(pod: &Arc<Pod>) -> Self {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let pod = Arc::clone(pod);
        Self { uid, pod, engine: None, lost: None, observed: Observed::default(), asleep: None, is_new: true }
    }

    fn observe(&mut self, now: Timestamp) {
        if let Some(status) = self.pod.status.as_ref().filter(|_| std::mem::take(&mut self.is_new)) {
            self.observed.past = past_of(status, now);
        }
        self.observed.sandbox = match (&self.engine, &self.lost) {
            (Some(engine), _) => Sandbox::Alive(engine.state()),
            (None, Some(lost)) => Sandbox::Lost(lost.clone()),
            (None, None) => Sandbox::None,
        };
    }

    /// A pull that failed is told once as such and then as held back.
    fn hold_back(&mut self) {
        for note in self.observed.notes.values_mut() {
            let held = note.trouble.as_ref().and_then(|trouble| trouble.held_back(&note.image));
            note.trouble = held.or(note.trouble.take());
        }
    }

    /// Carries out one action on the host; `false` where it changes nothing.
    fn perform(&mut self, action: &Action, programs: &Programs, now: Timestamp) -> bool {
        let takes = (programs.stop_takes)(&self.pod);
        match action {
            Action::StartSandbox => self.engine = Some(Engine::default()),
            Action::PrepareVolumes => self.observed.volumes = Volumes::Ready,
            Action::RemoveLost => {
                if let Some(lost) = self.lost.take() {
                    self.observed.remember(&lost);
                }
            }
            Action::Pull { container } => self.pull(container, programs, now),
            Action::Start { container, attempt } => self.start(container, *attempt, now),
            Action::Stop { container } => {
                let grace = Duration::from_secs(grace_seconds(&self.pod));
                return self.engine.as_mut().is_some_and(|engine| engine.stop(Some(container), grace, takes, now));
            }
            Action::StopAll { grace } => {
                return self.engine.as_mut().is_some_and(|engine| engine.stop(None, *grace, takes, now));
            }
            Action::Release => {
                if let Some(engine) = self.engine.take() {
                    self.observed.remember(&engine.state());
                }
            }
            Action::ConfirmDeletion | Action::Wait { .. } => return false,
        }
        true
    }

    fn find(&self, name: &str) -> Option<(Container, bool)> {
        let spec = &self.pod.spec;
        let find = |list: &[Container]| list.iter().find(|container| container.name == name).cloned();
        let init = find(&spec.init_containers).map(|container| (container, true));
        init.or_else(|| find(&spec.containers).map(|container| (container, false)))
    }

    fn pull(&mut self, name: &str, programs: &Programs, now: Timestamp) {
        let Some((container, _)) = self.find(name) else { return };
        let note = self.observed.note_mut(&container);
        if (programs.fate)(&self.pod, 0) == Fate::NoImage {
            let failures = note.trouble.as_ref().map_or(0, |known| known.failures) + 1;
            let wait = PULL_BACKOFF.0.saturating_mul(1 << (failures - 1).min(8)).min(PULL_BACKOFF.1);
            let trouble = Trouble::retried("ErrImagePull", "the image does not exist");
            note.trouble = Some(Trouble { failures, retry: Some(now + wait), ..trouble });
        } else {
            note.image_ready = true;
            note.image_id = "sha256:0".to_owned();
            note.trouble = None;
        }
    }

    fn start(&mut self, name: &str, attempt: u32, now: Timestamp) {
        let (Some((container, init)), Some(engine)) = (self.find(name), &mut self.engine) else { return };
        let restart = restart(&self.pod, &container);
        let start = Start { name: name.to_owned(), attempt, spec_hash: spec_hash(&container), restart, init };
        engine.start(start, now);
    }
}

/// Returns the write that puts a status in.
fn with_status(snapshot: &Snapshot, stored: &Stored, pod: &Pod, wanted: &PodStatus, now: Timestamp) -> Option<Op> {
    let mut next = pod.clone();
    next.status = Some(wanted.clone());
    let context = Context { kind: Pod::kind(), snapshot, now, entropy: 0, manager: None };
    let value = prepare_status(next.to_value(), &stored.value(), &context).ok()?;
    Some(Op::put(stored.key().clone(), Precondition::Revision(stored.revision()), value))
}

/// Returns the write that tells that nothing of a deleted pod runs; `None` where that was told and finalizers hold it.
fn confirmed(stored: &Stored, now: Timestamp) -> Option<Op> {
    let options = DeleteOptions { grace: Some(0), uid: Some(stored.uid().to_owned()), ..DeleteOptions::default() };
    let (key, precondition) = (stored.key().clone(), Precondition::Revision(stored.revision()));
    match prepare_delete(Pod::kind(), &stored.value(), &options, now).ok()? {
        Removal::Now => Some(Op::delete(key, precondition)),
        Removal::Later(value) => Some(Op::put(key, precondition, value)),
        Removal::Already => None,
    }
}
