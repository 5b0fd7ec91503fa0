//! The health of one object, by the rules that operators know from `kubectl rollout status` and kstatus.
//!
//! Applications and GitRepositories count as healthy once they exist: each tells its own verdict, and a child that is
//! rejected must not take its parent's commit along.
//!
//! Differs from kstatus where kstatus misleads: a Failed pod is degraded, a Job is healthy when it is complete.

use bowline_runtime::api::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// How an object fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum State {
    /// It is as it is declared.
    Healthy,
    /// A person suspended it.
    Suspended,
    /// It is on its way.
    Progressing,
    /// It should exist and does not.
    Missing,
    /// It failed and will not get better by waiting.
    Degraded,
}

impl State {
    /// Returns the state's name, as statuses hold it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Suspended => "Suspended",
            Self::Progressing => "Progressing",
            Self::Missing => "Missing",
            Self::Degraded => "Degraded",
        }
    }
}

/// An object's state with a sentence for people; empty when healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The state.
    pub state: State,
    /// Why it is in that state.
    pub message: String,
}

impl Health {
    /// Nothing to say.
    pub const HEALTHY: Self = Self { state: State::Healthy, message: String::new() };

    fn new(state: State, message: impl Into<String>) -> Self {
        Self { state, message: message.into() }
    }
    fn progressing(message: impl Into<String>) -> Self {
        Self::new(State::Progressing, message)
    }
}

/// Returns the health of an object, from its JSON alone.
pub fn of(object: &Value) -> Health {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return Health::progressing("is being deleted");
    }
    let behind = number(object, "/status/observedGeneration") < number(object, "/metadata/generation");
    match kind {
        "Deployment" | "ReplicaSet" if behind => Health::progressing("the latest change has not been looked at yet"),
        "Deployment" => deployment(object),
        "ReplicaSet" => replica_set(object),
        "Job" => job(object),
        "Pod" => pod(object),
        "CronJob" if object.pointer("/spec/suspend") == Some(&Value::Bool(true)) => {
            Health::new(State::Suspended, "is suspended")
        }
        _ => Health::HEALTHY,
    }
}

/// Returns the health of an object for a commit that was applied at `applied`: a Deployment that exceeded its deadline
/// before that may still recover by what the commit changed around it, and counts as being on its way.
pub fn of_since(object: &Value, applied: Timestamp) -> Health {
    let mut health = of(object);
    if health.state == State::Degraded && object.get("kind").and_then(Value::as_str) == Some("Deployment") {
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let progressing =
            conditions.iter().find(|condition| condition.get("type").and_then(Value::as_str) == Some("Progressing"));
        let since =
            progressing.and_then(|condition| condition.get("lastTransitionTime")?.as_str()?.parse::<Timestamp>().ok());
        // Stored times have whole seconds: one of the same second is taken for a new one.
        if since.is_some_and(|since| since.secs() < applied.secs()) {
            health.state = State::Progressing;
        }
    }
    health
}

fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// Returns `(status, reason, message)` of a condition.
fn condition<'a>(object: &'a Value, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|condition| condition.get("type").and_then(Value::as_str) == Some(kind))?;
    let text = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default();
    Some((text("status"), text("reason"), text("message")))
}

/// `kubectl rollout status` (`kubectl/pkg/polymorphichelpers/rollout_status.go`).
fn deployment(object: &Value) -> Health {
    if let Some((_, "ProgressDeadlineExceeded", message)) = condition(object, "Progressing") {
        return Health::new(State::Degraded, message);
    }
    let wanted = object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let (total, updated, available) = (
        number(object, "/status/replicas"),
        number(object, "/status/updatedReplicas"),
        number(object, "/status/availableReplicas"),
    );
    let paused = object.pointer("/spec/paused") == Some(&Value::Bool(true));
    if updated < wanted {
        let message = format!("{updated} of {wanted} replicas are updated");
        return Health::new(if paused { State::Suspended } else { State::Progressing }, message);
    }
    if total > updated {
        let old = total - updated;
        let s = if old == 1 { " is" } else { "s are" };
        return Health::progressing(format!("{old} old replica{s} still there"));
    }
    if available < updated {
        return Health::progressing(format!("{available} of {updated} updated replicas are available"));
    }
    Health::HEALTHY
}

fn replica_set(object: &Value) -> Health {
    if let Some(("True", _, message)) = condition(object, "ReplicaFailure") {
        return Health::new(State::Degraded, message);
    }
    let wanted = object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let available = number(object, "/status/availableReplicas");
    if available < wanted {
        return Health::progressing(format!("{available} of {wanted} replicas are available"));
    }
    Health::HEALTHY
}

fn job(object: &Value) -> Health {
    if let Some(("True", reason, message)) = condition(object, "Failed") {
        return Health::new(State::Degraded, format!("{reason}: {message}"));
    }
    if let Some(("True", ..)) = condition(object, "Complete") {
        return Health::HEALTHY;
    }
    if object.pointer("/spec/suspend") == Some(&Value::Bool(true)) {
        return Health::new(State::Suspended, "is suspended");
    }
    let succeeded = number(object, "/status/succeeded");
    let failed = number(object, "/status/failed");
    match object.pointer("/spec/completions").and_then(Value::as_i64) {
        Some(wanted) => Health::progressing(format!("{succeeded} of {wanted} completed, {failed} failed")),
        None => Health::progressing(format!("{succeeded} completed, {failed} failed")),
    }
}

fn pod(object: &Value) -> Health {
    let message = object.pointer("/status/message").and_then(Value::as_str).unwrap_or_default();
    match object.pointer("/status/phase").and_then(Value::as_str).unwrap_or("Pending") {
        "Succeeded" => Health::HEALTHY,
        "Failed" => Health::new(State::Degraded, if message.is_empty() { "has failed" } else { message }),
        "Running" if condition(object, "Ready").is_some_and(|(status, ..)| status == "True") => Health::HEALTHY,
        "Running" => Health::progressing("is not ready"),
        _ => Health::progressing("is pending"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(case: &str, object: &Value, state: State, message: &str) {
        let health = of(object);
        assert_eq!((health.state, health.message.as_str()), (state, message), "{case}");
    }

    #[test]
    fn a_deployment_is_healthy_when_every_replica_is_new_and_available() {
        let deployment = |total: i64, updated: i64, available: i64| {
            json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 3},
                "status": {"observedGeneration": 2, "replicas": total, "updatedReplicas": updated,
                    "availableReplicas": available}})
        };
        check("done", &deployment(3, 3, 3), State::Healthy, "");
        check("behind", &deployment(3, 1, 3), State::Progressing, "1 of 3 replicas are updated");
        check("old ones left", &deployment(4, 3, 3), State::Progressing, "1 old replica is still there");
        check("not up yet", &deployment(3, 3, 2), State::Progressing, "2 of 3 updated replicas are available");
    }

    #[test]
    fn a_status_of_an_older_generation_proves_nothing() {
        let object = json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 0},
            "status": {"observedGeneration": 1}});
        check("stale", &object, State::Progressing, "the latest change has not been looked at yet");
    }

    #[test]
    fn a_job_is_healthy_only_when_it_is_complete() {
        let job = |conditions: Value| {
            json!({"kind": "Job", "spec": {"completions": 2},
                "status": {"succeeded": 1, "conditions": conditions}})
        };
        check("running", &job(json!([])), State::Progressing, "1 of 2 completed, 0 failed");
        check("complete", &job(json!([{"type": "Complete", "status": "True"}])), State::Healthy, "");
        let failed = json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
            "message": "Job has reached the specified backoff limit"}]);
        let message = "BackoffLimitExceeded: Job has reached the specified backoff limit";
        check("failed", &job(failed), State::Degraded, message);
    }

    #[test]
    fn a_failed_pod_is_degraded() {
        check("failed", &json!({"kind": "Pod", "status": {"phase": "Failed"}}), State::Degraded, "has failed");
        check("done", &json!({"kind": "Pod", "status": {"phase": "Succeeded"}}), State::Healthy, "");
    }
}
