//! The conditions and counts of an Application's status: what a person reads first.
//!
//! `Ready` is true when the newest commit is applied and healthy. `Reconciling` is true while something is on its way,
//! `Stalled` when only a person can help, `Healthy` is about the objects alone. All four are always there.

use bowline_runtime::api::kinds::{ApplicationResource, ApplicationStatus, ApplicationSummary};
use bowline_runtime::api::meta::Condition;
use bowline_runtime::api::{Kinds, Timestamp};

use super::decide::Blocker;
use super::memory::Memory;
use super::status;
use crate::verdict::{Health, State};

/// How many healthy objects a status lists one by one; beyond it only the others are listed.
pub(super) const RESOURCES_MAX: usize = 200;

/// Where an Application stands, in one word.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// The newest commit is applied and healthy.
    Ready,
    /// Something is on its way.
    Working { reason: &'static str, message: String },
    /// The newest commit was rejected; `back` tells whether the way back is still being made.
    Rejected { back: bool },
    /// A person has to agree or repair.
    Stalled { reason: String, message: String },
    /// A person suspended it.
    Suspended,
}

impl Phase {
    /// Returns the phase of an Application that waits.
    pub(super) fn waiting(blocker: &Blocker, rejected: bool) -> Self {
        let working = |message: String| Self::Working { reason: blocker.reason(), message };
        match blocker {
            Blocker::Suspended => Self::Suspended,
            Blocker::Rejected => Self::Rejected { back: false },
            Blocker::Health(_) if rejected => Self::Rejected { back: true },
            Blocker::Source(why) => working(format!("the source cannot be read: {why}")),
            Blocker::Dependency(why) => working(format!("waits: {why}")),
            Blocker::Health(why) if why.is_empty() => working("waits for objects to become healthy".to_owned()),
            Blocker::Health(why) => working(why.clone()),
        }
    }
}

/// Writes the conditions, the health of the objects and the counts.
pub(super) fn describe(
    status: &mut ApplicationStatus,
    phase: &Phase,
    memory: &Memory,
    kinds: &Kinds,
    generation: Option<i64>,
    now: Timestamp,
) {
    let (resources, summary) = resources(memory, kinds);
    (status.resources, status.summary) = (resources, Some(summary));
    let worst = memory.worst().map_or((None, Health::HEALTHY), |(key, health)| (Some(key), health.clone()));
    let (key, health) = worst;
    status.health = Some(health.state.name().to_owned());
    status.observed_generation = generation;
    let plural = key.map_or("", |key| key.resource.split('.').next().unwrap_or_default());
    let message = match key {
        Some(key) if !health.message.is_empty() => format!("{plural} {}: {}", key.name, health.message),
        _ => "every object is healthy".to_owned(),
    };
    let mut set = |kind: &str, holds: bool, reason: &str, message: &str| {
        let condition = Condition {
            type_: kind.into(),
            status: if holds { "True" } else { "False" }.into(),
            observed_generation: generation,
            reason: Some(reason.into()),
            message: Some(message.into()),
            ..Condition::default()
        };
        status::set(&mut status.conditions, condition, now);
    };
    set("Healthy", health.state <= State::Suspended, health.state.name(), &message);
    let revision = status.revision.clone().unwrap_or_default();
    match phase {
        Phase::Ready => {
            let commit = revision.healthy.as_deref().unwrap_or_default();
            set("Ready", true, "Healthy", &format!("everything is as {} says", short(commit)));
            set("Reconciling", false, "Done", "");
            set("Stalled", false, "Done", "");
        }
        Phase::Working { reason, message } => {
            set("Ready", false, reason, message);
            set("Reconciling", true, reason, message);
            set("Stalled", false, reason, "");
        }
        Phase::Suspended => {
            set("Ready", false, "Suspended", "suspended by `spec.suspend`");
            set("Reconciling", false, "Suspended", "");
            set("Stalled", false, "Suspended", "");
        }
        Phase::Stalled { reason, message } => {
            set("Ready", false, reason, message);
            set("Reconciling", false, reason, "");
            set("Stalled", true, reason, message);
        }
        Phase::Rejected { back } => {
            let rejected = revision.rejected.unwrap_or_default();
            let reason = rejected.reason.unwrap_or_else(|| "Rejected".to_owned());
            let why = rejected.message.unwrap_or_default();
            let left = match (&revision.healthy, back) {
                (None, _) => "there is no healthy commit to go back to".to_owned(),
                (Some(healthy), true) => format!("going back to {}", short(healthy)),
                (Some(healthy), false) => format!("{} is kept", short(healthy)),
            };
            let message = format!("{} was rejected, {left}: {reason}: {why}", short(&rejected.commit));
            set("Ready", false, "Rejected", &message);
            set("Reconciling", *back, if *back { "RollingBack" } else { "Rejected" }, if *back { &left } else { "" });
            set("Stalled", true, &reason, &why);
        }
    }
}

fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

/// Lists the objects with their health: all of a small Application, the troubled ones of a large one.
fn resources(memory: &Memory, kinds: &Kinds) -> (Vec<ApplicationResource>, ApplicationSummary) {
    let mut summary = ApplicationSummary::default();
    let mut list = Vec::new();
    let all = memory.seen.len() <= RESOURCES_MAX;
    for (key, seen) in &memory.seen {
        summary.total += 1;
        let counter = match seen.health.state {
            State::Healthy => &mut summary.healthy,
            State::Suspended => &mut summary.suspended,
            State::Progressing => &mut summary.progressing,
            State::Missing => &mut summary.missing,
            State::Degraded => &mut summary.degraded,
        };
        *counter += 1;
        if (all || seen.health.state > State::Suspended) && list.len() < RESOURCES_MAX {
            let Some(kind) = kinds.resource(&key.resource) else { continue };
            list.push(ApplicationResource {
                group: Some(kind.group.to_owned()),
                kind: kind.kind.to_owned(),
                namespace: (!key.namespace.is_empty()).then(|| key.namespace.to_string()),
                name: key.name.to_string(),
                health: Some(seen.health.state.name().to_owned()),
                message: (!seen.health.message.is_empty()).then(|| seen.health.message.clone()),
            });
        }
    }
    (list, summary)
}
