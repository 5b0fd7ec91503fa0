use serde_json::json;

use super::indexes;
use crate::api::kinds::{Event, Job, Pod};
use crate::control::testkit::{Fate, World, job};
use crate::control::{Propagation, builtin, pods};
use crate::sim::Programs;

fn world(seed: u64) -> World {
    World::new(builtin(), seed)
}

/// The counts of the Job, and its conditions that hold.
fn state(world: &World) -> String {
    let jobs = world.list::<Job>();
    let Some(job) = jobs.first() else { return "gone".to_owned() };
    let status = job.status.clone().unwrap_or_default();
    let number = |field: Option<i32>| field.unwrap_or(0);
    let conditions = status.conditions.iter().filter(|condition| condition.status == "True");
    let names: Vec<String> = conditions.map(|condition| format!(" {}", condition.type_)).collect();
    format!(
        "{} active, {} succeeded, {} failed:{}",
        number(status.active),
        number(status.succeeded),
        number(status.failed),
        names.concat()
    )
}

fn reason(world: &World, name: &str) -> String {
    let job = world.list::<Job>().first().cloned().expect("the Job exists");
    let status = job.status.clone().unwrap_or_default();
    let found = status.conditions.into_iter().find(|condition| condition.type_ == name).expect("the condition exists");
    format!("{}: {}", found.reason.unwrap_or_default(), found.message.unwrap_or_default())
}

fn events(world: &World) -> String {
    let events = world.list::<Event>();
    let mut reasons: Vec<&str> = events
        .iter()
        .filter(|event| event.involved_object.kind.as_deref() == Some("Job"))
        .filter_map(|event| event.reason.as_deref())
        .collect();
    reasons.sort_unstable();
    reasons.dedup();
    reasons.join(" ")
}

#[test]
fn a_job_is_complete_when_its_pod_has_succeeded() {
    let mut world = world(1);
    world.put(Job::kind(), job("work", json!({})));
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(state(&world), "0 active, 1 succeeded, 0 failed: SuccessCriteriaMet Complete");
    assert_eq!(reason(&world, "Complete"), "CompletionsReached: Reached expected number of succeeded pods");
    assert_eq!(events(&world), "Completed SuccessfulCreate");
    assert_eq!(world.list::<Pod>()[0].metadata.finalizers.len(), 0, "a counted pod is let go");
}

#[test]
fn no_more_pods_run_at_a_time_than_parallelism_and_no_more_succeed_than_completions() {
    for seed in 0..10 {
        let mut world = world(seed + 1);
        world.put(Job::kind(), job("work", json!({ "parallelism": 2, "completions": 5 })));
        world.programs = Programs::new(|_, _| Fate::SUCCEEDS);
        for _ in 0..400 {
            world.step();
            let all = world.list::<Pod>();
            let active = all.iter().filter(|pod| pods::active(pod)).count();
            assert!(active <= 2, "{active} pods at a time");
            world.any_round();
        }
        assert_eq!(state(&world), "0 active, 5 succeeded, 0 failed: SuccessCriteriaMet Complete", "seed {seed}");
        assert_eq!(world.list::<Pod>().len(), 5, "seed {seed}");
    }
}

#[test]
fn failures_are_tried_again_after_10_20_40_seconds_until_the_limit() {
    let mut world = world(2);
    world.put(Job::kind(), job("work", json!({ "backoffLimit": 2 })));
    world.live(|_| Fate::FAILS);
    assert_eq!(state(&world), "0 active, 0 succeeded, 1 failed:");
    world.pass(9);
    world.live(|_| Fate::FAILS);
    assert_eq!(world.list::<Pod>().len(), 1, "nine seconds are too early");
    world.pass(1);
    world.live(|_| Fate::FAILS);
    assert_eq!(world.list::<Pod>().len(), 2);
    world.pass(19);
    world.live(|_| Fate::FAILS);
    assert_eq!(world.list::<Pod>().len(), 2, "nineteen seconds are too early");
    world.pass(1);
    world.live(|_| Fate::FAILS);
    assert_eq!(state(&world), "0 active, 0 succeeded, 3 failed: FailureTarget Failed");
    assert_eq!(reason(&world, "Failed"), "BackoffLimitExceeded: Job has reached the specified backoff limit");
    assert_eq!(events(&world), "BackoffLimitExceeded SuccessfulCreate");
}

#[test]
fn the_delay_after_failures_ends_at_ten_minutes() {
    let mut world = world(3);
    world.put(Job::kind(), job("work", json!({ "backoffLimit": 20 })));
    for _ in 0..9 {
        world.live(|_| Fate::FAILS);
        world.pass(600);
    }
    world.live(|_| Fate::FAILS);
    assert_eq!(world.list::<Pod>().len(), 10);
}

#[test]
fn restarts_in_place_count_toward_the_limit() {
    let mut world = world(4);
    world.put(
        Job::kind(),
        job("work", json!({ "backoffLimit": 3, "template": { "spec": { "restartPolicy": "OnFailure" } } })),
    );
    // The kubelet's delays: none, 10 s, 20 s.
    world.live(|_| Fate::FAILS);
    world.pass(10);
    world.live(|_| Fate::FAILS);
    assert_eq!(state(&world), "1 active, 0 succeeded, 0 failed:");
    world.pass(20);
    world.live(|_| Fate::FAILS);
    assert_eq!(reason(&world, "Failed"), "BackoffLimitExceeded: Job has reached the specified backoff limit");
    assert_eq!(world.list::<Pod>().len(), 0);
}

#[test]
fn a_job_that_takes_too_long_is_stopped() {
    let mut world = world(5);
    world.put(Job::kind(), job("work", json!({ "activeDeadlineSeconds": 30 })));
    world.live(|_| Fate::Runs);
    world.pass(29);
    world.live(|_| Fate::Runs);
    assert_eq!(state(&world), "1 active, 0 succeeded, 0 failed:");
    world.pass(1);
    world.live(|_| Fate::Runs);
    assert_eq!(state(&world), "0 active, 0 succeeded, 1 failed: FailureTarget Failed");
    assert_eq!(reason(&world, "Failed"), "DeadlineExceeded: Job was active longer than specified deadline");
}

#[test]
fn a_finished_job_is_deleted_after_its_time_to_live_with_its_pods() {
    let mut world = world(6);
    world.put(Job::kind(), job("work", json!({ "ttlSecondsAfterFinished": 60 })));
    world.live(|_| Fate::SUCCEEDS);
    world.pass(59);
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(world.list::<Job>().len(), 1);
    world.pass(1);
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!((world.list::<Job>().len(), world.list::<Pod>().len()), (0, 0));
}

#[test]
fn a_suspended_job_stops_its_pods_uncounted_and_starts_its_deadline_anew() {
    let mut world = world(7);
    let key = world.put(Job::kind(), job("work", json!({ "activeDeadlineSeconds": 100 })));
    world.live(|_| Fate::Runs);
    world.pass(90);
    world.edit(&key, |value| value["spec"]["suspend"] = json!(true));
    world.live(|_| Fate::Runs);
    assert_eq!(state(&world), "0 active, 0 succeeded, 0 failed: Suspended");
    assert_eq!(world.list::<Pod>().len(), 0);
    assert_eq!(world.list::<Job>()[0].status.clone().unwrap_or_default().start_time, None);
    world.edit(&key, |value| value["spec"]["suspend"] = json!(false));
    world.live(|_| Fate::Runs);
    world.pass(90);
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(state(&world), "0 active, 1 succeeded, 0 failed: SuccessCriteriaMet Complete");
    assert_eq!(events(&world), "Completed Resumed SuccessfulCreate SuccessfulDelete Suspended");
}

#[test]
fn each_index_is_completed_once() {
    let mut world = world(8);
    world.put(Job::kind(), job("work", json!({ "completions": 4, "parallelism": 2, "completionMode": "Indexed" })));
    let third = |pod: &Pod| if indexes::of(pod) == Some(2) { Fate::FAILS } else { Fate::SUCCEEDS };
    world.live(third);
    let status = world.list::<Job>()[0].status.clone().unwrap_or_default();
    assert_eq!((status.completed_indexes.as_deref(), status.failed), (Some("0,1,3"), Some(1)));
    world.pass(10);
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(state(&world), "0 active, 4 succeeded, 1 failed: SuccessCriteriaMet Complete");
    let pod = world.list::<Pod>().iter().find(|pod| indexes::of(pod) == Some(3)).cloned().expect("index 3 ran");
    let index = &pod.spec.containers[0].env[0];
    assert_eq!((index.name.as_str(), index.value.as_deref()), ("JOB_COMPLETION_INDEX", Some("3")));
    assert_eq!(pod.spec.hostname.as_deref(), Some("work-3"));
}

#[test]
fn without_a_number_of_completions_the_first_success_ends_the_job() {
    let mut world = world(9);
    world.put(Job::kind(), job("work", json!({ "parallelism": 3 })));
    world.settle();
    let first = world.list::<Pod>()[0].metadata.name.clone();
    world.live(move |pod| if pod.metadata.name == first { Fate::SUCCEEDS } else { Fate::Runs });
    assert_eq!(state(&world), "2 active, 1 succeeded, 0 failed:");
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(state(&world), "0 active, 3 succeeded, 0 failed: SuccessCriteriaMet Complete");
}

#[test]
fn a_result_is_counted_even_if_the_pod_is_deleted_at_once() {
    let mut world = world(10);
    world.put(Job::kind(), job("work", json!({})));
    world.settle();
    let pod = world.list::<Pod>()[0].clone();
    let key = crate::api::Object::key(&*pod);
    world.succeed(&pod);
    world.delete(&key, Propagation::Background);
    world.live(|_| Fate::SUCCEEDS);
    assert_eq!(state(&world), "0 active, 1 succeeded, 0 failed: SuccessCriteriaMet Complete");
    assert_eq!(world.list::<Pod>().len(), 0);
}

#[test]
fn the_pods_of_a_deleted_job_are_not_held_for_ever() {
    let mut world = world(11);
    let key = world.put(Job::kind(), job("work", json!({})));
    world.live(|_| Fate::Runs);
    world.delete(&key, Propagation::Background);
    world.live(|_| Fate::Runs);
    assert_eq!((world.list::<Job>().len(), world.list::<Pod>().len()), (0, 0));
}

#[test]
fn indexes_are_written_as_ranges() {
    for (text, canonical) in
        [("", ""), ("0", "0"), ("0,1", "0,1"), ("0,1,2,5", "0-2,5"), ("3-5,9", "3-5,9"), ("8-20", "8,9")]
    {
        assert_eq!(indexes::write(&indexes::parse(text, 10)), canonical, "{text}");
    }
}

#[test]
fn indexes_that_make_no_sense_are_left_out() {
    assert_eq!(indexes::parse("a-b,-,9999999999,4-2", 10).len(), 0);
}
