//! What to do about a Job.

use std::time::Duration;

use bowline_macros::controller;

use crate::api::kinds::{Job, JobStatus, Pod, UncountedTerminatedPods};
use crate::api::{Object, Time, Timestamp};
use crate::control::replica_set::to_json;
use crate::control::{Action, Blocker, Importance, Propagation, owner, pods};

use super::backoff::{Failures, restarted_too_often};
use super::conditions::{self, SUSPENDED, Verdict};
use super::observe::{self, Observed};
use super::tally::Tally;
use super::{indexes, make, manage};

/// Lists the steps that bring a Job closer to its end.
#[controller(name = "job-controller", kind = Job, owns(Pod), observe = observe::observe)]
pub fn decide(observed: &Observed, desired: &Job, now: Timestamp) -> Vec<Action> {
    if let Some(condition) = conditions::finished(desired) {
        let since = condition.last_transition_time.map_or(now, |time| time.0);
        return finished(observed, desired, since, now);
    }
    let mut actions = owner::settle(&observed.pods, desired);
    if actions.is_empty() {
        actions = Round::new(observed, desired, now).decide();
    }
    actions
}

/// Lets go of pods that ended late, and deletes the Job after its time to live.
fn finished(observed: &Observed, job: &Job, since: Timestamp, now: Timestamp) -> Vec<Action> {
    let mut actions: Vec<Action> =
        observed.pods.mine.iter().filter(|pod| make::is_tracked(pod)).map(|pod| make::release(pod)).collect();
    if job.metadata.deletion_timestamp.is_some() {
        return actions;
    }
    let Some(kept) = job.spec.ttl_seconds_after_finished.and_then(|secs| u64::try_from(secs).ok()) else {
        return actions;
    };
    let until = since + Duration::from_secs(kept);
    actions.push(if until <= now {
        let uid = owner::uid(&job.metadata).to_owned();
        Action::Delete { key: job.key(), uid, propagation: Propagation::Foreground }
    } else {
        Action::Wait { on: Blocker::TimeToLive, until: Some(until) }
    });
    actions
}

/// One decision in the making.
struct Round<'a> {
    job: &'a Job,
    all: &'a [std::sync::Arc<Pod>],
    tally: Tally,
    status: JobStatus,
    now: Timestamp,
    actions: Vec<Action>,
    waits: Vec<Action>,
}

impl<'a> Round<'a> {
    fn new(observed: &'a Observed, job: &'a Job, now: Timestamp) -> Self {
        let status = job.status.clone().unwrap_or_default();
        let ending = Verdict::of(&status).is_some();
        let all = &observed.pods.mine;
        Self { job, all, tally: Tally::of(job, all, ending), status, now, actions: vec![], waits: vec![] }
    }

    fn decide(mut self) -> Vec<Action> {
        let suspended = self.job.spec.suspend.unwrap_or(false);
        if self.status.start_time.is_none() && !suspended {
            self.status.start_time = Some(Time::from(self.now));
        }
        let news: Vec<Action> = self.tally.news.iter().map(|pod| make::release(pod)).collect();
        self.actions.extend(news);
        match Verdict::of(&self.status).or_else(|| self.failure()) {
            Some(verdict) => self.end(&verdict),
            None => self.go_on(suspended),
        }
        self.count();
        self.finish()
    }

    /// Returns why the Job has failed, if it has.
    fn failure(&self) -> Option<Verdict> {
        let limit = self.job.spec.backoff_limit.unwrap_or(6);
        if self.tally.failed > limit || restarted_too_often(self.job, self.all) {
            return Some(Verdict::failure("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
        }
        let late = self.deadline().is_some_and(|deadline| deadline <= self.now);
        late.then(|| Verdict::failure("DeadlineExceeded", "Job was active longer than specified deadline"))
    }

    /// Returns when `activeDeadlineSeconds` are over; `None` where none runs.
    fn deadline(&self) -> Option<Timestamp> {
        if self.job.spec.suspend.unwrap_or(false) {
            return None;
        }
        let secs = u64::try_from(self.job.spec.active_deadline_seconds?).ok()?;
        Some(self.status.start_time?.0 + Duration::from_secs(secs))
    }

    /// Stops what still runs; the Job is over once nothing does.
    fn end(&mut self, verdict: &Verdict) {
        let (now_holds, at_last) = verdict.conditions();
        conditions::set(&mut self.status, now_holds, "True", &verdict.reason, &verdict.message, self.now);
        let stops: Vec<Action> = self.tally.active.iter().flat_map(|pod| make::stop(self.job, pod)).collect();
        self.actions.extend(stops);
        let left = self.tally.active.len() + self.tally.stopping.len();
        if left > 0 {
            self.waits.push(Action::Wait { on: Blocker::PodsStopping { pods: left }, until: None });
            return;
        }
        conditions::set(&mut self.status, at_last, "True", &verdict.reason, &verdict.message, self.now);
        if verdict.success {
            self.status.completion_time = Some(Time::from(self.now));
            self.tell(Importance::Normal, "Completed", "Job completed");
        } else {
            self.tell(Importance::Warning, &verdict.reason, &verdict.message);
        }
    }

    fn go_on(&mut self, suspended: bool) {
        if self.is_complete() {
            return self.end(&Verdict::success());
        }
        if self.job.metadata.deletion_timestamp.is_some() {
            return;
        }
        let failures = Failures::of(self.all);
        let steps = manage::manage(self.job, &self.tally, failures, self.now);
        let (waits, steps): (Vec<Action>, Vec<Action>) =
            steps.into_iter().partition(|step| matches!(step, Action::Wait { .. }));
        self.actions.extend(steps);
        self.waits.extend(waits);
        if suspended {
            if conditions::set(&mut self.status, SUSPENDED, "True", "JobSuspended", "Job suspended", self.now) {
                self.tell(Importance::Normal, "Suspended", "Job suspended");
            }
            self.status.start_time = None;
            self.waits.push(Action::Wait { on: Blocker::Suspended, until: None });
            return;
        }
        if conditions::set(&mut self.status, SUSPENDED, "False", "JobResumed", "Job resumed", self.now) {
            self.tell(Importance::Normal, "Resumed", "Job resumed");
            self.status.start_time = Some(Time::from(self.now));
        }
        if let Some(deadline) = self.deadline() {
            self.waits.push(Action::Wait { on: Blocker::ActiveDeadline, until: Some(deadline) });
        }
        if !self.tally.active.is_empty() {
            self.waits.push(Action::Wait { on: Blocker::PodsRunning { pods: self.tally.active.len() }, until: None });
        }
    }

    fn is_complete(&self) -> bool {
        let idle = self.tally.active.is_empty();
        match self.job.spec.completions {
            Some(completions) => self.tally.succeeded >= completions && idle,
            None => self.tally.succeeded > 0 && idle,
        }
    }

    fn count(&mut self) {
        let number = |count: usize| Some(i32::try_from(count).unwrap_or(i32::MAX));
        let active = &self.tally.active;
        self.status.active = number(active.len());
        self.status.ready = number(active.iter().filter(|pod| pods::ready(pod)).count());
        self.status.terminating = number(self.tally.stopping.len());
        self.status.succeeded = Some(self.tally.succeeded);
        self.status.failed = Some(self.tally.failed);
        self.status.uncounted_terminated_pods = Some(UncountedTerminatedPods::default());
        if indexes::is_indexed(self.job) {
            let indexes = indexes::write(&self.tally.indexes);
            self.status.completed_indexes = Some(indexes).filter(|indexes| !indexes.is_empty());
        }
    }

    fn tell(&mut self, importance: Importance, reason: &str, message: &str) {
        let event = Action::Event {
            on: self.job.key(),
            importance,
            reason: reason.to_owned().into(),
            message: message.to_owned(),
        };
        self.actions.push(event);
    }

    fn finish(mut self) -> Vec<Action> {
        if self.job.status.as_ref() != Some(&self.status) {
            self.actions.push(Action::Status { key: self.job.key(), status: to_json(&self.status) });
        }
        self.actions.append(&mut self.waits);
        self.actions
    }
}
