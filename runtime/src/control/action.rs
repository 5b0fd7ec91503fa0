//! What a decision asks for, as data.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::api::{Key, Timestamp};
use crate::store::events::Importance;

/// One step of a decision. All steps of one decision happen together, or none.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates an object, by the same rules as a write through the API; it may have a `generateName` only.
    Create {
        /// The object with `apiVersion` and `kind`.
        object: Value,
    },
    /// Changes everything but the status, by a JSON merge patch.
    Patch {
        /// The object.
        key: Key,
        /// The fields to change; `null` removes one.
        patch: Value,
    },
    /// Replaces the status.
    Status {
        /// The object.
        key: Key,
        /// The whole new status.
        status: Value,
    },
    /// Sets annotations that say what was found out, not what is wanted: the generation stays.
    Annotate {
        /// The object.
        key: Key,
        /// The annotations to set; the others stay.
        annotations: BTreeMap<String, String>,
    },
    /// Lets a namespace go, once it is empty.
    Finalize {
        /// The namespace.
        key: Key,
    },
    /// Gives a pod to a node, for good.
    Bind {
        /// The pod.
        pod: Key,
        /// The node's name.
        node: String,
    },
    /// Deletes an object: gracefully where it is a pod, at the end of its finalizers where it has some.
    Delete {
        /// The object.
        key: Key,
        /// The identity that is meant; a later object of the same name stays.
        uid: String,
        /// What becomes of the objects it owns.
        propagation: Propagation,
    },
    /// Does nothing, for a reason.
    Wait {
        /// The reason.
        on: Blocker,
        /// When to look again at the latest; `None` where only a change can end the wait.
        until: Option<Timestamp>,
    },
    /// Tells people about something, as an Event object.
    Event {
        /// The object it is about.
        on: Key,
        /// Whether it is trouble.
        importance: Importance,
        /// One word for programs.
        reason: Cow<'static, str>,
        /// One sentence for people.
        message: String,
    },
}

/// What becomes of the objects that a deleted one owns (`propagationPolicy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted after it.
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay and lose their reference to it.
    Orphan,
}

/// Why nothing (more) is done about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// Pods are ready, but not for long enough.
    MinReady {
        /// How many.
        pods: usize,
    },
    /// Pods are not ready yet.
    PodsNotReady {
        /// How many are.
        ready: usize,
        /// How many should be.
        wanted: usize,
    },
    /// A rolling update goes on once its new pods are available.
    Rollout {
        /// The new ReplicaSet.
        replica_set: String,
        /// How many of its pods are available.
        available: i32,
        /// How many are wanted.
        wanted: i32,
    },
    /// The next version starts once the last pod of the old one is gone.
    OldPods {
        /// How many there are.
        pods: usize,
    },
    /// A rollout may not take longer than `progressDeadlineSeconds` without progress.
    ProgressDeadline,
    /// A Deployment is paused.
    Paused,
    /// A Job or CronJob is suspended.
    Suspended,
    /// Failed pods are tried again after a growing delay.
    Backoff {
        /// How many failed in a row.
        failures: u32,
    },
    /// A Job's pods are at work.
    PodsRunning {
        /// How many.
        pods: usize,
    },
    /// Pods that were told to stop are not gone.
    PodsStopping {
        /// How many.
        pods: usize,
    },
    /// A Job may not run longer than `activeDeadlineSeconds`.
    ActiveDeadline,
    /// A finished object is kept for a while.
    TimeToLive,
    /// The next run of a schedule is not due.
    Schedule,
    /// The last run goes on and the policy is Forbid.
    RunActive,
    /// No node takes the pod.
    NoNode {
        /// Why, as the event says it.
        message: String,
    },
    /// A foreground deletion waits for the objects that are owned.
    Dependents {
        /// How many hold it.
        objects: usize,
    },
    /// A namespace goes once it is empty.
    NamespaceContent {
        /// What is left, as `pods: 3, secrets: 1`.
        left: String,
    },
    /// Something else must let go of the object first.
    Finalizers {
        /// The names of the finalizers.
        names: String,
    },
}

impl Blocker {
    /// Returns the reason as one word.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MinReady { .. } => "MinReadySeconds",
            Self::PodsNotReady { .. } => "PodsNotReady",
            Self::Rollout { .. } => "RolloutInProgress",
            Self::OldPods { .. } => "OldPodsStopping",
            Self::ProgressDeadline => "ProgressDeadline",
            Self::Paused => "Paused",
            Self::Suspended => "Suspended",
            Self::Backoff { .. } => "Backoff",
            Self::PodsRunning { .. } => "PodsRunning",
            Self::PodsStopping { .. } => "PodsStopping",
            Self::ActiveDeadline => "ActiveDeadline",
            Self::TimeToLive => "TimeToLive",
            Self::Schedule => "Schedule",
            Self::RunActive => "JobAlreadyActive",
            Self::NoNode { .. } => "FailedScheduling",
            Self::Dependents { .. } => "Dependents",
            Self::NamespaceContent { .. } => "NamespaceContentRemaining",
            Self::Finalizers { .. } => "Finalizers",
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinReady { pods } => write!(f, "{pods} pod(s) are ready, but not for `minReadySeconds` yet"),
            Self::PodsNotReady { ready, wanted } => write!(f, "{ready} of {wanted} pods are ready"),
            Self::Rollout { replica_set, available, wanted } => {
                write!(
                    f,
                    "{available} of {wanted} pods of the new ReplicaSet `{replica_set}` are available; old pods stay until more are"
                )
            }
            Self::OldPods { pods } => {
                write!(f, "{pods} pod(s) of the old version have to stop first (strategy Recreate)")
            }
            Self::ProgressDeadline => f.write_str("the rollout has to make progress within `progressDeadlineSeconds`"),
            Self::Paused => f.write_str("the Deployment is paused: `spec.paused` is true"),
            Self::Suspended => f.write_str("it is suspended: `spec.suspend` is true"),
            Self::Backoff { failures } => write!(f, "{failures} pod(s) failed in a row; the next starts after a delay"),
            Self::PodsRunning { pods } => write!(f, "{pods} pod(s) are at work"),
            Self::PodsStopping { pods } => write!(f, "{pods} pod(s) were told to stop and are not gone"),
            Self::ActiveDeadline => f.write_str("the Job has to end within `activeDeadlineSeconds`"),
            Self::TimeToLive => f.write_str("it is finished and kept for its time to live"),
            Self::Schedule => f.write_str("the next run is not due yet"),
            Self::RunActive => f.write_str("the last run is not over and `concurrencyPolicy` is Forbid"),
            Self::NoNode { message } => f.write_str(message),
            Self::Dependents { objects } => {
                write!(f, "{objects} object(s) that it owns have to go first (foreground deletion)")
            }
            Self::NamespaceContent { left } => write!(f, "the namespace is not empty: {left}"),
            Self::Finalizers { names } => write!(f, "finalizers hold it: {names}"),
        }
    }
}

impl Action {
    /// Returns the object that the action changes, if it changes one that exists.
    pub fn target(&self) -> Option<&Key> {
        match self {
            Self::Patch { key, .. }
            | Self::Status { key, .. }
            | Self::Annotate { key, .. }
            | Self::Finalize { key }
            | Self::Bind { pod: key, .. }
            | Self::Delete { key, .. } => Some(key),
            Self::Create { .. } | Self::Wait { .. } | Self::Event { .. } => None,
        }
    }
}

/// Writes actions in one line each, for the tables of tests and for logs.
pub fn render(actions: &[Action]) -> String {
    actions.iter().map(Action::to_string).collect::<Vec<_>>().join("\n")
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { object } => {
                let metadata = &object["metadata"];
                let name = metadata["name"].as_str().filter(|name| !name.is_empty());
                let kind = object["kind"].as_str().unwrap_or("?");
                match name {
                    Some(name) => write!(f, "create {kind} {name}"),
                    None => write!(f, "create {kind} {}*", metadata["generateName"].as_str().unwrap_or("")),
                }
            }
            Self::Patch { key, patch } => write!(f, "patch {} {} {patch}", key.resource, key.name),
            Self::Status { key, status } => write!(f, "status {} {} {status}", key.resource, key.name),
            Self::Annotate { key, annotations } => write!(f, "annotate {} {} {annotations:?}", key.resource, key.name),
            Self::Finalize { key } => write!(f, "finalize {}", key.name),
            Self::Bind { pod, node } => write!(f, "bind {} to {node}", pod.name),
            Self::Delete { key, propagation, .. } => {
                write!(f, "delete {} {}", key.resource, key.name)?;
                if *propagation == Propagation::Background { Ok(()) } else { write!(f, " ({propagation:?})") }
            }
            Self::Wait { on, until: Some(until) } => write!(f, "wait {} until {until}", on.reason()),
            Self::Wait { on, until: None } => write!(f, "wait {}", on.reason()),
            Self::Event { on, importance, reason, message } => {
                write!(f, "event {} {} {reason}: {message}", on.name, importance.as_str())
            }
        }
    }
}
