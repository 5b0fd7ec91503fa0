use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::rank::worst_first;
use super::{Observed, decide};
use crate::api::kinds::{Pod, ReplicaSet};
use crate::api::{Time, Timestamp};
use crate::control::owner::Claimed;
use crate::control::{Action, render};

const NOW: Timestamp = Timestamp::from_secs(10_000);

/// A pod from words: `name` then any of `unassigned pending unready cost=N node=X ready=SECS restarts=N age=SECS`.
fn pod(words: &str) -> Arc<Pod> {
    let mut words = words.split(' ');
    let name = words.next().unwrap_or_default();
    let ago = |secs: i64| Time::from(Timestamp::from_secs(NOW.secs() - secs));
    let (mut phase, mut node, mut ready, mut since, mut cost, mut restarts, mut age) =
        ("Running", "n1".to_owned(), true, 1000, "0".to_owned(), 0, 2000);
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, "0"));
        let number: i64 = value.parse().unwrap_or(0);
        match key {
            "unassigned" => node = String::new(),
            "pending" => (phase, ready) = ("Pending", false),
            "unready" => ready = false,
            "cost" => cost = value.to_owned(),
            "node" => node = value.to_owned(),
            "ready" => since = number,
            "restarts" => restarts = number,
            "age" => age = number,
            other => panic!("`{other}` is no word for a pod"),
        }
    }
    let value = json!({
        "metadata": {
            "name": name, "namespace": "default", "uid": name, "creationTimestamp": ago(age),
            "annotations": { "controller.kubernetes.io/pod-deletion-cost": cost }, "labels": { "app": "web" },
        },
        "spec": { "nodeName": node, "containers": [] },
        "status": {
            "phase": phase,
            "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" }, "lastTransitionTime": ago(since) }],
            "containerStatuses": [{ "name": "main", "ready": ready, "restartCount": restarts, "image": "", "imageID": "" }],
        },
    });
    Arc::new(serde_json::from_value(value).expect("a pod"))
}

#[track_caller]
fn check_order(case: &str, pods: &[&str], min_ready: i32, expected: &str) {
    let mut pods: Vec<Arc<Pod>> = pods.iter().map(|words| pod(words)).collect();
    let mut related: BTreeMap<String, usize> = BTreeMap::new();
    for node in pods.iter().filter_map(|pod| pod.spec.node_name.clone()) {
        *related.entry(node).or_default() += 1;
    }
    worst_first(&mut pods, &related, min_ready, NOW);
    let names: Vec<&str> = pods.iter().map(|pod| pod.metadata.name.as_str()).collect();
    assert_eq!(names.join(" "), expected, "{case}");
}

#[test]
fn the_least_useful_pod_is_stopped_first() {
    check_order("without node", &["a", "b unassigned pending"], 0, "b a");
    check_order("pending", &["a", "b pending"], 0, "b a");
    check_order("not ready", &["a", "b unready"], 0, "b a");
    check_order("not ready before cheap", &["a cost=-5", "b unready"], 0, "b a");
    check_order("low deletion cost", &["a cost=10", "b cost=5"], 0, "b a");
    check_order("crowded node", &["a node=n2", "b", "c"], 0, "b c a");
    check_order("ready for a short time", &["a ready=1000", "b ready=10"], 0, "b a");
    check_order("times count in powers of two", &["b ready=1000", "a ready=900"], 0, "a b");
    check_order("often restarted", &["a restarts=1", "b restarts=3"], 0, "b a");
    check_order("young", &["a age=2000", "b age=100"], 0, "b a");
    check_order("not available yet", &["a ready=40", "b ready=60"], 50, "a b");
    check_order("not available yet, though cheaper to keep", &["a ready=40 cost=9", "b ready=60"], 50, "a b");
}

#[track_caller]
fn check(case: &str, pods: &[&str], spec: serde_json::Value, expected: &str) {
    let metadata = json!({ "name": "web", "namespace": "default", "uid": "u", "generation": 1 });
    let mut spec_full = json!({
        "selector": { "matchLabels": { "app": "web" } },
        "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [] } },
    });
    json_patch::merge(&mut spec_full, &spec);
    let desired: ReplicaSet =
        serde_json::from_value(json!({ "metadata": metadata, "spec": spec_full })).expect("a ReplicaSet");
    let mine = pods.iter().map(|words| pod(words)).collect();
    let observed = Observed { pods: Claimed { mine, ..Claimed::default() }, ..Observed::default() };
    let actions = decide(&observed, &desired, NOW);
    let brief: Vec<Action> =
        actions.into_iter().filter(|action| !matches!(action, Action::Status { .. } | Action::Event { .. })).collect();
    assert_eq!(render(&brief).replace('\n', ", "), expected, "{case}");
}

#[test]
fn replica_count_follows_the_spec() {
    check("none yet", &[], json!({ "replicas": 2 }), "create Pod web-*, create Pod web-*");
    check("enough", &["a", "b"], json!({ "replicas": 2 }), "");
    check("too many", &["a", "b unready", "c"], json!({ "replicas": 2 }), "delete pods b");
    check("none wanted", &["a", "b"], json!({ "replicas": 0 }), "delete pods a, delete pods b");
    check("one is the default", &[], json!({}), "create Pod web-*");
}
