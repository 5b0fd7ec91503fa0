use serde_json::{Value, json};

use super::annotations::{self, HISTORY, REVISION};
use super::hash::template_hash;
use super::limits::Limits;
use crate::api::ObjectMeta;
use crate::api::kinds::{DeploymentSpec, PodTemplateSpec};

#[track_caller]
fn check_limits(replicas: i32, surge: Value, unavailable: Value, expected: (i32, i32)) {
    let strategy =
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": surge, "maxUnavailable": unavailable } });
    let spec = json!({ "replicas": replicas, "strategy": strategy });
    let limits = Limits::of(&serde_json::from_value::<DeploymentSpec>(spec).expect("a spec"));
    assert_eq!(
        (limits.max(), limits.min_available()),
        expected,
        "{replicas} replicas, surge {surge}, unavailable {unavailable}"
    );
}

#[test]
fn surge_is_rounded_up_and_unavailability_down() {
    check_limits(10, json!("25%"), json!("25%"), (13, 8));
    check_limits(1, json!("25%"), json!("25%"), (2, 1));
    check_limits(3, json!("25%"), json!("25%"), (4, 3));
    check_limits(4, json!(1), json!(0), (5, 4));
    check_limits(3, json!(0), json!("10%"), (3, 2));
    check_limits(2, json!(0), json!(5), (2, 0));
    check_limits(0, json!("25%"), json!("25%"), (0, 0));
}

fn template(value: Value) -> PodTemplateSpec {
    serde_json::from_value(value).expect("a template")
}

#[test]
fn the_hash_of_a_template_depends_on_what_it_says_only() {
    let one = template(
        json!({ "metadata": { "labels": { "a": "1", "b": "2" } }, "spec": { "containers": [{ "name": "m", "image": "x" }] } }),
    );
    let same = template(
        json!({ "spec": { "containers": [{ "image": "x", "name": "m" }] }, "metadata": { "labels": { "b": "2", "a": "1" } } }),
    );
    let other = template(json!({ "spec": { "containers": [{ "name": "m", "image": "y" }] } }));
    assert_eq!(template_hash(&one, 0), template_hash(&same, 0));
    assert_ne!(template_hash(&one, 0), template_hash(&other, 0));
    assert_ne!(template_hash(&one, 0), template_hash(&one, 1), "a collision gives another name");
    assert_eq!(template_hash(&one, 0).len(), 10);
}

#[test]
fn a_version_that_is_used_again_keeps_its_old_numbers_as_history() {
    let meta = |annotations: Value| {
        serde_json::from_value::<ObjectMeta>(json!({ "name": "x", "annotations": annotations })).expect("metadata")
    };
    let deployment =
        meta(json!({ "team": "a", "kubectl.kubernetes.io/last-applied-configuration": "{}", REVISION: "3" }));
    let set = meta(json!({ REVISION: "1", HISTORY: "0" }));
    let changes: Vec<(String, String)> = annotations::renewed(&deployment, &set, 4).into_iter().collect();
    let expected = [(REVISION, "4"), (HISTORY, "0,1"), ("team", "a")];
    assert_eq!(changes, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let newest = meta(json!({ REVISION: "4", "team": "a" }));
    assert!(annotations::renewed(&deployment, &newest, 4).is_empty(), "the newest stays as it is");
}
