//! The framework and the workload controllers together, in a simulated world.

use std::sync::Arc;

use serde_json::json;

use super::deployment::DeploymentController;
use super::replica_set::{self, ReplicaSetController};
use super::testkit::{Fate, World, deployment};
use super::{Registered, pods};
use crate::api::kinds::{Deployment, Event, Pod, ReplicaSet};

fn workloads() -> Vec<Registered> {
    vec![
        Registered::of::<ReplicaSetController>().on_refused(replica_set::refused),
        Registered::of::<DeploymentController>(),
        super::scheduler::scheduler(),
    ]
}

#[test]
fn events_are_forgotten_an_hour_after_they_were_last_seen() {
    let mut world = World::new(super::builtin(), 12);
    world.put(Deployment::kind(), deployment("web", 1, "one", json!({})));
    world.live(fate);
    assert!(!world.list::<Event>().is_empty());
    world.pass(3599);
    world.live(fate);
    assert!(!world.list::<Event>().is_empty());
    world.pass(1);
    world.live(fate);
    assert_eq!(world.list::<Event>().len(), 0);
}

/// The tasks do what the harness does: a simulated host follows the store, and the Deployment comes to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn controllers_run_as_tasks_and_stop_when_told() {
    let mut world = World::new(vec![], 13);
    let now = world.now;
    let running = super::run(super::Setup {
        store: world.store(),
        kinds: crate::api::kinds::builtin(),
        controllers: super::builtin(),
        clock: Arc::new(move || now),
        entropy: super::seeded_entropy(13),
    });
    let mut watcher = world.store().watch(None, crate::store::WatchFilter::all()).expect("the newest revision is held");
    let key = world.put(Deployment::kind(), deployment("web", 3, "one", json!({})));
    let complete = async {
        while condition(&world.deployment("web"), "Progressing") != "True NewReplicaSetAvailable" {
            watcher.next().await.expect("the history holds the last changes");
            while world.any_round() {}
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), complete).await.expect("the Deployment is complete");
    assert_eq!(images(&world), "one one one");
    assert!(running.why(&key).iter().all(|waiting| waiting.key == key));
    running.stop().await;
    let before = world.store().revision();
    world.put(Deployment::kind(), deployment("web", 5, "one", json!({})));
    tokio::task::yield_now().await;
    assert_eq!(world.store().revision(), before + 1, "nobody answers any more");
}

fn image(pod: &Pod) -> &str {
    pod.spec.containers[0].image.as_deref().unwrap_or("")
}

/// Pods of a broken image never become ready.
fn fate(pod: &Pod) -> Fate {
    if image(pod) == "broken" { Fate::NoImage } else { Fate::Runs }
}

fn images(world: &World) -> String {
    let pods = world.list::<Pod>();
    let mut images: Vec<&str> = pods.iter().filter(|pod| pods::active(pod)).map(|pod| image(pod)).collect();
    images.sort_unstable();
    images.join(" ")
}

fn condition(deployment: &Deployment, name: &str) -> String {
    let status = deployment.status.clone().unwrap_or_default();
    let found = status.conditions.into_iter().find(|condition| condition.type_ == name);
    found
        .map_or("none".to_owned(), |condition| format!("{} {}", condition.status, condition.reason.unwrap_or_default()))
}

#[test]
fn a_deployment_gets_its_pods_and_says_so() {
    let mut world = World::new(workloads(), 1);
    world.put(Deployment::kind(), deployment("web", 3, "one", json!({})));
    world.live(fate);
    assert_eq!(images(&world), "one one one");
    let web = world.deployment("web");
    let status = web.status.clone().expect("has a status");
    assert_eq!((status.replicas, status.updated_replicas, status.available_replicas), (Some(3), Some(3), Some(3)));
    assert_eq!(condition(&web, "Available"), "True MinimumReplicasAvailable");
    assert_eq!(condition(&web, "Progressing"), "True NewReplicaSetAvailable");
    assert_eq!(web.metadata.annotations["deployment.kubernetes.io/revision"], "1");
    assert_eq!(world.harness.pending(world.now), [], "the next decision is empty");
    let events = world.list::<Event>();
    let mut reasons: Vec<&str> = events.iter().filter_map(|event| event.reason.as_deref()).collect();
    reasons.sort_unstable();
    let thrice = |reason| [reason; 3];
    let expected = [&["ScalingReplicaSet"][..], &thrice("Scheduled"), &thrice("SuccessfulCreate")].concat();
    assert_eq!(reasons, expected);
}

/// What must hold after every single step of a rolling update.
fn invariant_enough_pods_and_not_too_many(world: &World, min_available: usize, max: usize) {
    let pods = world.list::<Pod>();
    let active: Vec<&Arc<Pod>> = pods.iter().filter(|pod| pods::active(pod)).collect();
    let available = active.iter().filter(|pod| pods::available(pod, 0, world.now)).count();
    assert!(active.len() <= max, "{} pods, at most {max} are allowed", active.len());
    assert!(available >= min_available, "{available} pods are available, {min_available} have to be");
}

/// Takes one step of controllers or node at a time, in a seeded order, until nothing moves.
fn shuffle(world: &mut World, check: impl Fn(&World)) {
    let mut idle = 0;
    while idle < 3 {
        let moved = if world.below(2) == 0 { world.step() } else { world.any_round() };
        check(world);
        if moved {
            idle = 0;
        } else {
            // Nothing moved by chance: let everything move once before giving up.
            let stepped = world.step();
            check(world);
            let advanced = world.any_round();
            check(world);
            idle = if stepped || advanced { 0 } else { idle + 1 };
            world.pass(1);
        }
    }
}

#[test]
fn a_rolling_update_keeps_enough_pods_at_every_step_whatever_the_order_of_events() {
    let cases = [
        (1, json!(0), json!(1)),
        (3, json!("25%"), json!("25%")),
        (4, json!(1), json!(0)),
        (5, json!(2), json!(2)),
        (10, json!("30%"), json!("50%")),
    ];
    for seed in 0..12 {
        for (replicas, unavailable, surge) in &cases {
            let rolling = json!({ "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": unavailable, "maxSurge": surge } } });
            let mut world = World::new(workloads(), seed + 1);
            world.put(Deployment::kind(), deployment("web", *replicas, "one", rolling.clone()));
            world.live(fate);
            let limits = super::deployment::pod_limits(&world.deployment("web"));
            let check = |world: &World| invariant_enough_pods_and_not_too_many(world, limits.0, limits.1);
            world.put(Deployment::kind(), deployment("web", *replicas, "two", rolling.clone()));
            shuffle(&mut world, check);
            let all = usize::try_from(*replicas).expect("fits");
            assert_eq!(
                images(&world),
                vec!["two"; all].join(" "),
                "seed {seed}, {replicas} replicas, {unavailable} unavailable, {surge} surge"
            );
            assert_eq!(world.harness.pending(world.now), [], "the next decision is empty (seed {seed})");
            assert_eq!(condition(&world.deployment("web"), "Progressing"), "True NewReplicaSetAvailable");
        }
    }
}

#[test]
fn changes_of_mind_during_updates_end_in_the_last_wish() {
    for seed in 0..15 {
        let mut world = World::new(workloads(), seed + 100);
        world.put(Deployment::kind(), deployment("web", 4, "one", json!({})));
        world.live(fate);
        for _ in 0..4 {
            let replicas = i32::try_from(1 + world.below(6)).expect("fits");
            let image = ["one", "two", "three", "broken"][world.below(4)];
            world.put(Deployment::kind(), deployment("web", replicas, image, json!({})));
            for _ in 0..world.below(30) {
                world.step();
                world.any_round();
            }
            world.pass(7);
        }
        world.put(Deployment::kind(), deployment("web", 3, "last", json!({})));
        shuffle(&mut world, |_| {});
        assert_eq!(images(&world), "last last last", "seed {seed}");
        assert_eq!(world.harness.pending(world.now), [], "seed {seed}");
    }
}

#[test]
fn a_broken_version_blocks_and_the_old_pods_stay_until_it_is_taken_back() {
    let mut world = World::new(workloads(), 5);
    world.put(Deployment::kind(), deployment("web", 4, "one", json!({ "progressDeadlineSeconds": 60 })));
    world.live(fate);
    world.put(Deployment::kind(), deployment("web", 4, "broken", json!({ "progressDeadlineSeconds": 60 })));
    world.live(fate);
    assert_eq!(images(&world), "broken broken one one one");
    world.pass(120);
    world.live(fate);
    assert_eq!(images(&world), "broken broken one one one");
    assert_eq!(condition(&world.deployment("web"), "Progressing"), "False ProgressDeadlineExceeded");
    assert_eq!(condition(&world.deployment("web"), "Available"), "True MinimumReplicasAvailable");
    let waiting = world.harness.waiting();
    let reason = waiting
        .iter()
        .find(|waiting| &*waiting.key.resource == "deployments.apps")
        .map(|waiting| waiting.on.to_string());
    let reason = reason.expect("the Deployment says why it waits");
    assert!(reason.starts_with("0 of 4 pods of the new ReplicaSet `web-"), "{reason}");

    world.put(Deployment::kind(), deployment("web", 4, "one", json!({ "progressDeadlineSeconds": 60 })));
    world.live(fate);
    assert_eq!(images(&world), "one one one one");
    assert_eq!(world.list::<ReplicaSet>().len(), 2, "the ReplicaSet of the first version is used again");
    assert_eq!(world.deployment("web").metadata.annotations["deployment.kubernetes.io/revision"], "3");
    assert_eq!(condition(&world.deployment("web"), "Progressing"), "True NewReplicaSetAvailable");
}

#[test]
fn recreate_stops_all_old_pods_before_the_first_new_one_starts() {
    for seed in 0..20 {
        let mut world = World::new(workloads(), seed + 1);
        let recreate = json!({ "strategy": { "type": "Recreate" } });
        world.put(Deployment::kind(), deployment("web", 3, "one", recreate.clone()));
        world.live(fate);
        world.put(Deployment::kind(), deployment("web", 3, "two", recreate));
        shuffle(&mut world, |world| {
            let pods = world.list::<Pod>();
            let running = pods.iter().filter(|pod| !pods::succeeded(pod) && !pods::failed(pod));
            let versions: std::collections::BTreeSet<&str> = running.map(|pod| image(pod)).collect();
            assert!(versions.len() <= 1, "two versions at a time: {versions:?}");
        });
        assert_eq!(images(&world), "two two two");
    }
}

#[test]
fn only_as_many_old_versions_are_kept_as_wanted() {
    let mut world = World::new(workloads(), 9);
    for version in ["one", "two", "three", "four"] {
        world.put(Deployment::kind(), deployment("web", 1, version, json!({ "revisionHistoryLimit": 1 })));
        world.live(fate);
        world.pass(10);
    }
    let sets = world.list::<ReplicaSet>();
    let revisions: Vec<&str> =
        sets.iter().map(|set| set.metadata.annotations["deployment.kubernetes.io/revision"].as_str()).collect();
    assert_eq!(revisions.len(), 2);
    assert!(revisions.contains(&"3") && revisions.contains(&"4"), "{revisions:?}");
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let mut world = World::new(workloads(), 3);
    world.put(Deployment::kind(), deployment("web", 2, "one", json!({})));
    world.live(fate);
    world.put(Deployment::kind(), deployment("web", 3, "two", json!({ "paused": true })));
    world.live(fate);
    assert_eq!(images(&world), "one one one");
    assert_eq!(condition(&world.deployment("web"), "Progressing"), "Unknown DeploymentPaused");
    world.put(Deployment::kind(), deployment("web", 3, "two", json!({})));
    world.live(fate);
    assert_eq!(images(&world), "two two two");
}

#[test]
fn a_new_size_in_the_middle_of_an_update_is_shared_among_the_versions() {
    let mut world = World::new(workloads(), 4);
    world.put(Deployment::kind(), deployment("web", 10, "one", json!({})));
    world.live(fate);
    world.put(Deployment::kind(), deployment("web", 10, "broken", json!({})));
    world.live(fate);
    assert_eq!(images(&world), "broken broken broken broken broken one one one one one one one one");
    world.put(Deployment::kind(), deployment("web", 20, "broken", json!({})));
    world.live(fate);
    let images = images(&world);
    let broken = images.matches("broken").count();
    assert_eq!((broken, images.matches("one").count()), (10, 15), "surge is 5, so 25 pods in the proportion of 5 to 8");
}

#[test]
fn pods_that_cannot_be_created_are_told_in_event_and_conditions() {
    let mut world = World::new(workloads(), 6);
    world.put(Deployment::kind(), deployment("web", 2, "one", json!({})));
    // The namespace goes while the ReplicaSet still has to make its pods.
    while world.list::<ReplicaSet>().is_empty() {
        assert!(world.step());
    }
    let namespace = crate::api::kinds::Namespace::kind().key("", "default");
    world.edit(&namespace, |value| value["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"));
    for _ in 0..50 {
        world.step();
    }
    assert_eq!(world.list::<Pod>().len(), 0);
    assert_eq!(condition(&world.deployment("web"), "ReplicaFailure"), "True FailedCreate");
    world.edit(&namespace, |value| {
        drop(value["metadata"].as_object_mut().expect("an object").remove("deletionTimestamp"))
    });
    world.pass(2000);
    world.live(fate);
    assert_eq!(images(&world), "one one");
    assert_eq!(condition(&world.deployment("web"), "ReplicaFailure"), "none");
}

#[test]
fn orphans_are_taken_over_and_strangers_let_go() {
    let mut world = World::new(workloads(), 8);
    let mut orphan = json!({ "metadata": { "name": "orphan", "namespace": "default", "labels": { "app": "web" } } });
    orphan["spec"] = json!({ "containers": [{ "name": "main", "image": "one" }] });
    world.put(Pod::kind(), orphan);
    let mut set = deployment("web", 2, "one", json!({}));
    set["spec"].as_object_mut().expect("an object").remove("strategy");
    world.put(ReplicaSet::kind(), set);
    world.live(fate);
    let pods = world.list::<Pod>();
    assert_eq!(pods.len(), 2);
    assert!(pods.iter().all(|pod| pod.metadata.controller().is_some_and(|owner| owner.name == "web")));
    world.edit(&Pod::kind().key("default", "orphan"), |value| value["metadata"]["labels"]["app"] = json!("other"));
    world.live(fate);
    let pods = world.list::<Pod>();
    let orphan = pods.iter().find(|pod| pod.metadata.name == "orphan").expect("it stays");
    assert_eq!((pods.len(), orphan.metadata.controller()), (3, None));
}
