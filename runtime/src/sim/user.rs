//! What users do in a simulation, and what their programs do: both follow from the seed alone.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::kinds::{CronJob, Deployment, Job, Pod};
use crate::api::{Key, Kind};
use crate::control::Propagation;
use crate::store::Snapshot;

use super::{Fate, Programs, Random, deployment, job};

/// What a user does.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// Creates or replaces an object.
    Put(&'static Kind, Value),
    /// Deletes an object.
    Delete(Key, Propagation),
}

/// Returns what the user does the `number`th time.
pub(super) fn wish(seed: u64, number: u64, snapshot: &Snapshot) -> Wish {
    let mut random = Random::of(seed, &["user"], number);
    match random.below(20) {
        0..=6 => Wish::Put(Deployment::kind(), some_deployment(&mut random)),
        7..=11 => Wish::Put(Job::kind(), some_job(&mut random, number)),
        12..=13 => Wish::Put(CronJob::kind(), some_cron_job(&mut random)),
        14 => suspend(&mut random, snapshot).unwrap_or_else(|| Wish::Put(Pod::kind(), bare_pod(number))),
        15 => Wish::Put(Pod::kind(), bare_pod(number)),
        _ => delete(&mut random, snapshot).unwrap_or_else(|| Wish::Put(Pod::kind(), bare_pod(number))),
    }
}

/// Each name has its own way of updating; size and version change.
fn some_deployment(random: &mut Random) -> Value {
    let rolling = |unavailable: Value, surge: Value| {
        let limits = json!({ "maxUnavailable": unavailable, "maxSurge": surge });
        json!({ "strategy": { "type": "RollingUpdate", "rollingUpdate": limits } })
    };
    let (name, more) = match random.below(3) {
        0 => ("web", rolling(json!("25%"), json!("25%"))),
        1 => ("api", {
            let mut more = rolling(json!(0), json!(1));
            more["minReadySeconds"] = json!(5);
            more
        }),
        _ => ("single", json!({ "strategy": { "type": "Recreate" } })),
    };
    let image = *random.pick(&["one", "two", "three", "broken", "crash"]).unwrap_or(&"one");
    let replicas = i32::try_from(random.below(7)).unwrap_or(1);
    let mut more = more;
    more["template"] = json!({ "spec": { "terminationGracePeriodSeconds": 10 } });
    deployment(name, replicas, image, more)
}

fn some_job(random: &mut Random, number: u64) -> Value {
    let image = *random.pick(&["task", "task", "flaky", "fails"]).unwrap_or(&"task");
    let restart = if random.chance(30) { "OnFailure" } else { "Never" };
    let mut more = json!({
        "parallelism": 1 + random.below(3),
        "backoffLimit": random.below(4),
        "template": { "spec": {
            "restartPolicy": restart,
            "terminationGracePeriodSeconds": 10,
            "containers": [{ "name": "main", "image": image }],
        } },
    });
    if random.chance(80) {
        more["completions"] = json!(1 + random.below(5));
        if random.chance(40) {
            more["completionMode"] = json!("Indexed");
        }
    }
    if random.chance(25) {
        more["ttlSecondsAfterFinished"] = json!(random.below(100));
    }
    if random.chance(25) {
        more["podReplacementPolicy"] = json!("Failed");
    }
    if random.chance(20) {
        more["activeDeadlineSeconds"] = json!(5 + random.below(60));
    }
    job(&format!("work-{number}"), more)
}

/// Each name has its own concurrency policy.
fn some_cron_job(random: &mut Random) -> Value {
    let policy = *random.pick(&["Allow", "Forbid", "Replace"]).unwrap_or(&"Allow");
    let image = *random.pick(&["task", "slow", "flaky"]).unwrap_or(&"task");
    let containers = json!([{ "name": "main", "image": image }]);
    let template = job("x", json!({ "backoffLimit": 1, "template": { "spec": { "containers": containers } } }));
    let mut spec = json!({
        "schedule": "* * * * *",
        "concurrencyPolicy": policy,
        "suspend": false,
        "jobTemplate": { "spec": template["spec"] },
        "successfulJobsHistoryLimit": 2,
    });
    if random.chance(30) {
        spec["startingDeadlineSeconds"] = json!(90);
    }
    json!({ "metadata": { "name": format!("tick-{}", policy.to_lowercase()), "namespace": "default" }, "spec": spec })
}

fn bare_pod(number: u64) -> Value {
    let spec = json!({ "containers": [{ "name": "main", "image": "one" }], "terminationGracePeriodSeconds": 5 });
    json!({ "metadata": { "name": format!("bare-{number}"), "namespace": "default" }, "spec": spec })
}

/// Suspends a Job or CronJob, or lets it go on.
fn suspend(random: &mut Random, snapshot: &Snapshot) -> Option<Wish> {
    let keys: Vec<Key> =
        [Job::kind(), CronJob::kind()].iter().flat_map(|kind| keys(snapshot, &kind.resource())).collect();
    let key = random.pick(&keys)?;
    let mut value = Value::clone(&snapshot.get(key)?.value());
    let suspended = value["spec"]["suspend"] == true;
    value["spec"]["suspend"] = json!(!suspended);
    let kind = if *key.resource == *Job::kind().resource() { Job::kind() } else { CronJob::kind() };
    Some(Wish::Put(kind, value))
}

fn delete(random: &mut Random, snapshot: &Snapshot) -> Option<Wish> {
    let kinds = [Deployment::kind(), Job::kind(), CronJob::kind(), Pod::kind()];
    let keys = keys(snapshot, &random.pick(&kinds)?.resource());
    let propagation = [Propagation::Background, Propagation::Foreground, Propagation::Orphan];
    Some(Wish::Delete(random.pick(&keys)?.clone(), *random.pick(&propagation)?))
}

fn keys(snapshot: &Snapshot, resource: &str) -> Vec<Key> {
    snapshot.list(resource).map(|stored| stored.key().clone()).collect()
}

/// Returns the writes that end all suspensions, and all schedules, so that the world can come to rest.
pub(super) fn calm(snapshot: &Snapshot) -> Vec<(&'static Kind, Value)> {
    let switch = |kind: &'static Kind, suspend: bool| {
        let resource = kind.resource();
        let all = snapshot.list(&resource).filter(|stored| stored.deletion_timestamp().is_none());
        let all = all.map(|stored| {
            let mut value = Value::clone(&stored.value());
            value["spec"]["suspend"] = json!(suspend);
            (kind, value)
        });
        all.collect::<Vec<_>>()
    };
    [switch(Job::kind(), false), switch(CronJob::kind(), true)].concat()
}

/// Returns the programs of a seed; once `healed`, none that is to go on running is broken.
pub(super) fn programs(seed: u64, healed: bool) -> Programs {
    let stop_takes = |pod: &Pod| {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        Duration::from_secs(u64::try_from(Random::of(0, &["stop", uid], 0).below(14)).unwrap_or(0))
    };
    Programs { fate: Arc::new(move |pod, attempt| fate(seed, pod, attempt, healed)), stop_takes: Arc::new(stop_takes) }
}

fn fate(seed: u64, pod: &Pod, attempt: u32, healed: bool) -> Fate {
    let image = pod.spec.containers.first().and_then(|container| container.image.as_deref()).unwrap_or_default();
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let mut random = Random::of(seed, &["fate", uid], u64::from(attempt));
    let ends =
        |code: i32, secs: usize| Fate::Ends { code, after: Duration::from_secs(u64::try_from(secs).unwrap_or(0)) };
    let restarts = pod.spec.restart_policy.as_deref() == Some("OnFailure");
    match image {
        // An orphaned pod of a Job has nobody to give it up.
        "flaky" | "fails" if healed && restarts => ends(0, 1),
        "broken" if !healed => Fate::NoImage,
        "crash" if !healed => ends(1, 3),
        "task" => ends(0, random.below(20)),
        "slow" => ends(0, 100),
        "flaky" => ends(i32::from(random.chance(40)), random.below(10)),
        "fails" => ends(3, random.below(5)),
        _ => Fate::Runs,
    }
}
