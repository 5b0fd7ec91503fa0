use serde_json::{Value, json};

use crate::api::kinds::{CronJob, Event, Job, Pod};
use crate::control::testkit::{Fate, World, job};
use crate::control::{Propagation, builtin};

/// A world at midnight of 1 January 2026 with one CronJob.
fn world(schedule: &str, more: Value) -> World {
    let mut world = World::new(builtin(), 1);
    let template = job("x", json!({}))["spec"].clone();
    let mut spec = json!({ "schedule": schedule, "jobTemplate": { "spec": template } });
    json_patch::merge(&mut spec, &more);
    world.put(CronJob::kind(), json!({ "metadata": { "name": "tick", "namespace": "default" }, "spec": spec }));
    world.settle();
    world
}

fn jobs(world: &World) -> String {
    let jobs = world.list::<Job>();
    jobs.iter().map(|job| job.metadata.name.trim_start_matches("tick-").to_owned()).collect::<Vec<_>>().join(" ")
}

fn count_of(world: &World, reason: &str) -> i32 {
    let events = world.list::<Event>();
    let about = events.iter().filter(|event| event.involved_object.kind.as_deref() == Some("CronJob"));
    about.filter(|event| event.reason.as_deref() == Some(reason)).filter_map(|event| event.count).sum()
}

fn cron_job(world: &World) -> CronJob {
    CronJob::clone(&world.list::<CronJob>()[0])
}

/// Minutes since the epoch at the start of the tests.
const FIRST: i64 = 1_767_225_600 / 60;

#[test]
fn a_run_starts_at_its_minute_and_is_named_after_it() {
    let mut world = world("*/5 * * * *", json!({}));
    assert_eq!(world.harness.next_due(), Some(crate::control::testkit::START + std::time::Duration::from_secs(300)));
    world.pass(299);
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(jobs(&world), "");
    world.pass(1);
    world.settle();
    assert_eq!(jobs(&world), (FIRST + 5).to_string());
    let status = cron_job(&world).status.expect("has a status");
    assert_eq!(status.active.len(), 1);
    assert_eq!(status.last_schedule_time.map(|time| time.to_string()).as_deref(), Some("2026-01-01T00:05:00Z"));
    let annotations = &world.list::<Job>()[0].metadata.annotations;
    assert_eq!(annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"], "2026-01-01T00:05:00Z");
    world.live(|_| Fate::SUCCEEDS);
    let status = cron_job(&world).status.expect("has a status");
    assert_eq!((status.active.len(), status.last_successful_time.is_some()), (0, true));
    assert_eq!((count_of(&world, "SuccessfulCreate"), count_of(&world, "SawCompletedJob")), (1, 1));
}

#[test]
fn only_the_latest_of_many_missed_runs_is_started() {
    let mut world = world("* * * * *", json!({}));
    world.pass(3600 * 3);
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(jobs(&world), (FIRST + 180).to_string());
    assert_eq!(count_of(&world, "TooManyMissedTimes"), 1);
}

#[test]
fn a_run_that_is_later_than_its_deadline_is_left_out() {
    let mut world = world("0 * * * *", json!({ "startingDeadlineSeconds": 60 }));
    world.pass(3600 + 61);
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(jobs(&world), "");
    world.pass(3600 - 10);
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(jobs(&world), (FIRST + 120).to_string());
}

#[test]
fn a_run_may_wait_for_the_last_one_or_replace_it_or_run_beside_it() {
    let second = FIRST + 2;
    let cases = [
        ("Allow", format!("{} {second}", FIRST + 1)),
        ("Forbid", (FIRST + 1).to_string()),
        ("Replace", second.to_string()),
    ];
    for (policy, expected) in cases {
        let mut world = world("* * * * *", json!({ "concurrencyPolicy": policy }));
        for _ in 0..2 {
            world.pass(60);
            world.live(|_| Fate::Runs);
        }
        assert_eq!(jobs(&world), expected, "{policy}");
        let pods = world.list::<Pod>().len();
        assert_eq!(pods, expected.split(' ').count(), "{policy}");
        assert_eq!(count_of(&world, "JobAlreadyActive") > 0, policy == "Forbid");
    }
}

#[test]
fn a_forbidden_run_starts_once_the_last_one_is_over() {
    let mut world = world("*/10 * * * *", json!({ "concurrencyPolicy": "Forbid" }));
    world.pass(600);
    world.live(|_| Fate::Runs);
    world.pass(660);
    world.live(|_| Fate::Runs);
    assert_eq!(jobs(&world), (FIRST + 10).to_string());
    world.live(|pod| {
        if pod.metadata.labels["job-name"].ends_with(&(FIRST + 10).to_string()) { Fate::SUCCEEDS } else { Fate::Runs }
    });
    assert_eq!(jobs(&world), format!("{} {}", FIRST + 10, FIRST + 20));
}

#[test]
fn finished_jobs_are_kept_up_to_the_limits() {
    let mut world = world("* * * * *", json!({ "successfulJobsHistoryLimit": 2, "failedJobsHistoryLimit": 1 }));
    for _ in 0..5 {
        world.pass(60);
        world.live(|_| Fate::SUCCEEDS);
    }
    assert_eq!(jobs(&world), format!("{} {}", FIRST + 4, FIRST + 5));
    assert_eq!(world.list::<Pod>().len(), 2, "the pods of deleted Jobs are gone");
}

#[test]
fn a_suspended_cron_job_starts_nothing_and_then_only_the_latest() {
    let mut world = world("* * * * *", json!({ "suspend": true }));
    world.pass(300);
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(jobs(&world), "");
    world.edit(&CronJob::kind().key("default", "tick"), |value| value["spec"]["suspend"] = json!(false));
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(jobs(&world), (FIRST + 5).to_string());
}

#[test]
fn the_time_zone_moves_the_schedule() {
    let mut world = world("0 6 * * *", json!({ "timeZone": "Asia/Kathmandu" }));
    world.pass(15 * 60);
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(jobs(&world), (FIRST + 15).to_string());
    let annotations = &world.list::<Job>()[0].metadata.annotations;
    assert_eq!(annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"], "2026-01-01T06:00:00+05:45");
}

#[test]
fn every_counts_from_the_creation_and_then_from_the_last_run() {
    let mut world = world("@every 7m", json!({}));
    world.pass(420);
    world.live(|_| Fate::SUCCEEDS);
    world.pass(420);
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(jobs(&world), format!("{} {}", FIRST + 7, FIRST + 14));
}

#[test]
fn deleting_a_cron_job_takes_its_jobs_and_pods_along() {
    let mut world = world("* * * * *", json!({}));
    world.pass(60);
    world.live(|_| Fate::Runs);
    world.delete(&CronJob::kind().key("default", "tick"), Propagation::Background);
    world.live(|_| Fate::Runs);
    assert_eq!((world.list::<CronJob>().len(), world.list::<Job>().len(), world.list::<Pod>().len()), (0, 0, 0));
}
