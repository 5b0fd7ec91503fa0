//! What to do about a CronJob.

use std::time::Duration;

use bowline_macros::controller;
use chrono::{SecondsFormat, TimeZone};
use chrono_tz::Tz;

use crate::api::kinds::{CronJob, CronJobStatus, Job};
use crate::api::value::schedule::{Schedule, zone};
use crate::api::{Object, ObjectMeta, Time, Timestamp};
use crate::control::job::is_finished;
use crate::control::replica_set::to_json;
use crate::control::{Action, Blocker, Importance, owner_reference, pods};

use super::history::{clean_up, delete, follow, tell};
use super::observe::{self, Observed};

/// When a run was meant to start, on the Job that it made.
const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// Lists the steps that are due for a CronJob: what ended is noted, what is old deleted, what is due started.
#[controller(name = "cronjob-controller", kind = CronJob, owns(Job), observe = observe::observe)]
pub fn decide(observed: &Observed, desired: &CronJob, now: Timestamp) -> Vec<Action> {
    let mut status = desired.status.clone().unwrap_or_default();
    let mut actions = follow(desired, &observed.jobs, &mut status);
    actions.extend(clean_up(desired, &observed.jobs));
    let mut waits = Vec::new();
    if desired.metadata.deletion_timestamp.is_none() {
        let steps = run(observed, desired, &mut status, now);
        let (later, steps): (Vec<Action>, Vec<Action>) =
            steps.into_iter().partition(|step| matches!(step, Action::Wait { .. }));
        actions.extend(steps);
        waits = later;
    }
    if desired.status.clone().unwrap_or_default() != status {
        actions.push(Action::Status { key: desired.key(), status: to_json(&status) });
    }
    actions.extend(waits);
    actions
}

/// Starts what is due.
fn run(observed: &Observed, desired: &CronJob, status: &mut CronJobStatus, now: Timestamp) -> Vec<Action> {
    let zone = match zone(desired.spec.time_zone.as_deref().unwrap_or("UTC")) {
        Ok(zone) => zone,
        Err(error) => {
            let name = desired.spec.time_zone.as_deref().unwrap_or_default();
            return vec![tell(
                desired,
                Importance::Warning,
                "UnknownTimeZone",
                format!("invalid timeZone: \"{name}\": {error}"),
            )];
        }
    };
    if desired.spec.suspend.unwrap_or(false) {
        return vec![Action::Wait { on: Blocker::Suspended, until: None }];
    }
    let schedule = match Schedule::parse(&desired.spec.schedule) {
        Ok(schedule) => schedule,
        Err(error) => {
            let message = format!("unparseable schedule: \"{}\" : {error}", desired.spec.schedule);
            return vec![tell(desired, Importance::Warning, "UnparseableSchedule", message)];
        }
    };
    let wait = Action::Wait { on: Blocker::Schedule, until: next_run(&schedule, status, desired, zone, now) };
    let Some(due) = schedule.most_recent_before(earliest(desired, status, now), now, zone) else { return vec![wait] };
    let mut actions = Vec::new();
    if due.too_many() {
        let message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
        actions.push(tell(desired, Importance::Warning, "TooManyMissedTimes", message.to_owned()));
    }
    if deadline(desired).is_some_and(|deadline| due.at + deadline < now) {
        let message =
            format!("Missed scheduled time to start a job: {}", due.at.utc().format("%a, %d %b %Y %H:%M:%S +0000"));
        actions.push(tell(desired, Importance::Warning, "MissSchedule", message));
        actions.push(wait);
        return actions;
    }
    actions.extend(start(observed, desired, status, due.at, zone));
    actions.push(wait);
    actions
}

/// Starts the run of a time, as the policy for runs at the same time says.
fn start(observed: &Observed, desired: &CronJob, status: &mut CronJobStatus, at: Timestamp, zone: Tz) -> Vec<Action> {
    let name = format!("{}-{}", desired.metadata.name, at.secs() / 60);
    if status.last_schedule_time == Some(Time::from(at)) {
        return vec![];
    }
    if observed.jobs.iter().any(|job| job.metadata.name == name) {
        // Made already, by a decision whose note was lost to a restored store: noted again, not run again.
        status.last_schedule_time = Some(Time::from(at));
        return vec![];
    }
    let active = || observed.jobs.iter().filter(|job| !is_finished(job));
    let mut actions = Vec::new();
    match desired.spec.concurrency_policy.as_deref() {
        Some("Forbid") if active().next().is_some() => {
            let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
            let told = tell(desired, Importance::Normal, "JobAlreadyActive", message.to_owned());
            return vec![told, Action::Wait { on: Blocker::RunActive, until: None }];
        }
        Some("Replace") => {
            actions.extend(
                active().filter(|job| job.metadata.deletion_timestamp.is_none()).flat_map(|job| delete(desired, job)),
            );
        }
        _ => {}
    }
    actions.push(Action::Create { object: job(desired, &name, at, zone).to_value() });
    actions.push(tell(desired, Importance::Normal, "SuccessfulCreate", format!("Created job {name}")));
    status.last_schedule_time = Some(Time::from(at));
    actions
}

/// Makes the Job of a run.
fn job(desired: &CronJob, name: &str, at: Timestamp, zone: Tz) -> Job {
    let template = &desired.spec.job_template;
    let mut annotations = template.metadata.annotations.clone();
    let local = zone.from_utc_datetime(&at.utc().naive_utc());
    annotations.insert(SCHEDULED_AT.to_owned(), local.to_rfc3339_opts(SecondsFormat::Secs, true));
    let metadata = ObjectMeta {
        name: name.to_owned(),
        namespace: desired.metadata.namespace.clone(),
        labels: template.metadata.labels.clone(),
        annotations,
        finalizers: template.metadata.finalizers.clone(),
        owner_references: vec![owner_reference(desired)],
        ..ObjectMeta::default()
    };
    Job { metadata, spec: template.spec.clone(), status: None }
}

fn deadline(desired: &CronJob) -> Option<Duration> {
    desired.spec.starting_deadline_seconds.and_then(|secs| u64::try_from(secs).ok()).map(Duration::from_secs)
}

/// Returns the time after which runs are looked for: the last one, or the creation, or the deadline if that is later.
fn earliest(desired: &CronJob, status: &CronJobStatus, now: Timestamp) -> Timestamp {
    let last = status.last_schedule_time.map_or_else(|| pods::created(&desired.metadata), |time| time.0);
    deadline(desired).map_or(last, |deadline| last.max(now - deadline))
}

/// Returns when the next run is due. `@every` counts from the last run, not from now.
fn next_run(
    schedule: &Schedule,
    status: &CronJobStatus,
    desired: &CronJob,
    zone: Tz,
    now: Timestamp,
) -> Option<Timestamp> {
    let last = status.last_schedule_time.map_or_else(|| pods::created(&desired.metadata), |time| time.0);
    let latest = schedule.most_recent_before(last, now, zone).map_or(last, |due| due.at);
    schedule.next_after(latest, zone)
}
