//! The events that a node tells of its pods, in the kubelet's words.
//!
//! [`of_change`] is pure. [`keep`] writes what workers told, in the background and many at once: no start waits for an
//! event, and when too many wait the newest are dropped.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::api::Key;
use crate::api::kinds::Pod;
use crate::host::engine::{ContainerPhase, ContainerState, Exit};
use crate::store::events::{Importance, Recorder, Told};
use crate::store::objects::Clock;
use crate::store::{Op, Precondition, Snapshot, Store, Txn};

/// Who tells.
const COMPONENT: &str = "bowline";
/// How many events may wait; more are dropped.
pub(super) const WAITING_MAX: usize = 1024;
/// How long events are collected before they are written together: they must not compete with the start they tell of.
const COLLECT: Duration = Duration::from_millis(100);
/// How often events are decided anew because what they count on changed meanwhile.
const TRIES: usize = 3;

/// Something to tell about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tale {
    /// The container it is about, if it is about one.
    pub(super) container: Option<String>,
    pub(super) importance: Importance,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Tale {
    pub(super) fn normal(container: Option<&str>, reason: &'static str, message: String) -> Self {
        Self { container: container.map(str::to_owned), importance: Importance::Normal, reason, message }
    }
    pub(super) fn warning(container: Option<&str>, reason: &'static str, message: String) -> Self {
        Self { importance: Importance::Warning, ..Self::normal(container, reason, message) }
    }
}

/// Returns what is told of a container's change.
pub(super) fn of_change(pod: &Pod, old: Option<&ContainerState>, new: &ContainerState) -> Vec<Tale> {
    let name = new.name.as_str();
    let mut tales = Vec::new();
    let exit_told =
        |exit: &Exit| old.and_then(|old| old.last_exit.as_ref()).is_some_and(|known| known.attempt == exit.attempt);
    if let Some(exit) = new.last_exit.as_ref().filter(|exit| exit.reason == Exit::START_ERROR && !exit_told(exit)) {
        tales.push(Tale::warning(Some(name), "Failed", format!("Error: {}", exit.message)));
    }
    match &new.phase {
        ContainerPhase::Running { .. } => {
            let known = old
                .is_some_and(|old| old.attempt == new.attempt && matches!(old.phase, ContainerPhase::Running { .. }));
            if !known {
                tales.push(Tale::normal(Some(name), "Created", format!("Created container: {name}")));
                tales.push(Tale::normal(Some(name), "Started", format!("Started container {name}")));
            }
        }
        ContainerPhase::Waiting { reason, message, .. }
            if reason == "CrashLoopBackOff" && !message.starts_with("back-off 0s") =>
        {
            let meta = &pod.metadata;
            let (namespace, uid) =
                (meta.namespace.as_deref().unwrap_or_default(), meta.uid.as_deref().unwrap_or_default());
            let text = format!("Back-off restarting failed container {name} in pod {}_{namespace}({uid})", meta.name);
            tales.push(Tale::warning(Some(name), "BackOff", text));
        }
        ContainerPhase::Waiting { .. } | ContainerPhase::Exited(_) => {}
    }
    tales
}

/// A tale with the pod it is about.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    about: Value,
    field_path: Option<String>,
    tale: Tale,
}

impl Heard {
    pub(super) fn new(pod: &Pod, tale: Tale) -> Self {
        let meta = &pod.metadata;
        let about = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": meta.name,
                "namespace": meta.namespace,
                "uid": meta.uid,
                "resourceVersion": meta.resource_version,
            },
        });
        let field_path = tale.container.as_ref().map(|name| {
            let init = pod.spec.init_containers.iter().any(|known| known.name == *name);
            format!("spec.{}{{{name}}}", if init { "initContainers" } else { "containers" })
        });
        Self { about, field_path, tale }
    }

    fn namespace(&self) -> &str {
        self.about["metadata"]["namespace"].as_str().unwrap_or_default()
    }
}

/// Writes what is told until nobody is left to tell.
pub(super) async fn keep(store: Store, clock: Clock, node_name: String, mut told: mpsc::Receiver<Heard>) {
    let mut recorder = Recorder::default();
    while let Some(first) = told.recv().await {
        tokio::time::sleep(COLLECT).await;
        let mut batch = vec![first];
        while let Ok(next) = told.try_recv() {
            batch.push(next);
        }
        for try_number in 1..=TRIES {
            let txn = transaction(&store.snapshot(), &mut recorder, &batch, &node_name, &clock);
            match store.commit_async(txn).await {
                Ok(_) => break,
                Err(error) if try_number == TRIES => tracing::warn!(%error, "events are not recorded"),
                Err(error) => tracing::debug!(%error, "events are recorded anew"),
            }
        }
    }
}

/// Makes one transaction of all; those of a namespace that is going are left out, as the API server refuses them.
fn transaction(snapshot: &Snapshot, recorder: &mut Recorder, batch: &[Heard], node_name: &str, clock: &Clock) -> Txn {
    let mut events: BTreeMap<Key, Value> = BTreeMap::new();
    let mut namespaces = BTreeMap::new();
    for heard in batch {
        let key = Key { resource: "namespaces".into(), namespace: "".into(), name: heard.namespace().into() };
        let Some(namespace) = snapshot.get(&key).filter(|namespace| namespace.deletion_timestamp().is_none()) else {
            continue;
        };
        namespaces.insert(key, namespace.revision());
        let told = Told {
            component: COMPONENT,
            host: Some(node_name),
            field_path: heard.field_path.as_deref(),
            importance: heard.tale.importance,
            reason: heard.tale.reason,
            message: &heard.tale.message,
        };
        let known = |key: &Key| {
            events.get(key).cloned().or_else(|| snapshot.get(key).map(|stored| Value::clone(&stored.value())))
        };
        if let Some((key, value)) = recorder.record(known, &heard.about, &told, clock()) {
            events.insert(key, value);
        }
    }
    let held = namespaces.into_iter().map(|(key, revision)| Op::check(key, Precondition::Revision(revision)));
    let written = events.into_iter().map(|(key, value)| {
        let precondition =
            snapshot.get(&key).map_or(Precondition::Absent, |known| Precondition::Revision(known.revision()));
        Op::put(key, precondition, value)
    });
    Txn::from(held.chain(written).collect::<Vec<_>>())
}
