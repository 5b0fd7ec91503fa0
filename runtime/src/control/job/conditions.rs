//! A Job's conditions.

use crate::api::kinds::{Job, JobCondition, JobStatus};
use crate::api::{Time, Timestamp};

pub(super) const COMPLETE: &str = "Complete";
pub(super) const FAILED: &str = "Failed";
/// The Job has enough successes, but pods that still stop.
pub(super) const SUCCESS_CRITERIA_MET: &str = "SuccessCriteriaMet";
/// The Job has failed, but has pods that still stop.
pub(super) const FAILURE_TARGET: &str = "FailureTarget";
pub(super) const SUSPENDED: &str = "Suspended";

/// Why a Job comes to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Whether it succeeded.
    pub(super) success: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Verdict {
    pub(super) fn failure(reason: &str, message: &str) -> Self {
        Self { success: false, reason: reason.to_owned(), message: message.to_owned() }
    }

    pub(super) fn success() -> Self {
        let (reason, message) =
            ("CompletionsReached".to_owned(), "Reached expected number of succeeded pods".to_owned());
        Self { success: true, reason, message }
    }

    /// Returns the verdict that a status holds already: it is never taken back.
    pub(super) fn of(status: &JobStatus) -> Option<Self> {
        let held = |name: &str, success: bool| {
            let condition = get(status, name)?;
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            Some(Self { success, reason: text(&condition.reason), message: text(&condition.message) })
        };
        held(SUCCESS_CRITERIA_MET, true).or_else(|| held(FAILURE_TARGET, false))
    }

    /// Returns the names of the conditions for now and for when the last pod has stopped.
    pub(super) fn conditions(&self) -> (&'static str, &'static str) {
        if self.success { (SUCCESS_CRITERIA_MET, COMPLETE) } else { (FAILURE_TARGET, FAILED) }
    }
}

/// Returns the condition of a status that holds.
pub(super) fn get<'a>(status: &'a JobStatus, name: &str) -> Option<&'a JobCondition> {
    status.conditions.iter().find(|condition| condition.type_ == name && condition.status == "True")
}

/// Returns the condition by which a Job is over, `Complete` or `Failed`.
pub fn finished(job: &Job) -> Option<&JobCondition> {
    let status = job.status.as_ref()?;
    get(status, COMPLETE).or_else(|| get(status, FAILED))
}

/// Whether a Job is over.
pub fn is_finished(job: &Job) -> bool {
    finished(job).is_some()
}

/// Sets a condition; `false` where it said so before.
pub(super) fn set(
    status: &mut JobStatus,
    name: &str,
    value: &str,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> bool {
    let new = JobCondition {
        type_: name.to_owned(),
        status: value.to_owned(),
        last_probe_time: Some(Time::from(now)),
        last_transition_time: Some(Time::from(now)),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
    };
    match status.conditions.iter_mut().find(|condition| condition.type_ == name) {
        // What was never true needs no condition to say that it is not.
        None if value == "False" => false,
        None => {
            status.conditions.push(new);
            true
        }
        Some(old) if old.status == value && old.reason.as_deref() == Some(reason) => false,
        Some(old) => {
            *old = new;
            true
        }
    }
}
