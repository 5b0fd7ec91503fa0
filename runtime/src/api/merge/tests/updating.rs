//! The record that writes other than apply leave.

use serde_json::json;

use super::super::fixtures::WORKLOAD;
use super::super::track_update;
use super::{Lab, containers, workload};
use crate::api::value::Timestamp;

#[test]
fn a_create_owns_what_it_sets_but_not_what_the_server_writes() {
    let mut object = containers(&json!([{"name": "a", "image": "1"}]));
    object["metadata"]["labels"] = json!({"app": "x"});
    object["metadata"]["uid"] = json!("u");
    object["status"] = json!({"replicas": 1});
    let mut lab = Lab::default();
    lab.patch("kubectl", &object);
    assert_eq!(
        lab.owners(),
        ["kubectl Update @1: .metadata.labels.app .metadata.labels \
          .spec.template.spec.containers[name=\"a\"].image .spec.template.spec.containers[name=\"a\"].name \
          .spec.template.spec.containers[name=\"a\"] .spec.template.spec.containers .spec.template.spec .spec.template"]
    );
}

#[test]
fn an_update_takes_what_it_changes_and_only_that() {
    let mut lab = Lab::default();
    lab.apply("bowline", &workload(&json!({"replicas": 1, "paused": true})));
    lab.patch("kubectl", &json!({"spec": {"replicas": 2}}));
    assert_eq!(lab.owners(), ["bowline Apply @1: .spec.paused", "kubectl Update @2: .spec.replicas"]);
    lab.patch("kubectl", &json!({"spec": {"paused": null}}));
    assert_eq!(lab.owners(), ["kubectl Update @2: .spec.replicas"], "what is removed is nobody's, and no time moves");
    lab.patch("kubectl", &json!({"spec": {"replicas": 3}}));
    assert_eq!(lab.owners(), ["kubectl Update @4: .spec.replicas"]);
}

#[test]
fn a_write_that_changes_nothing_leaves_the_object_as_it_is() {
    let mut lab = Lab::default();
    lab.apply("bowline", &workload(&json!({"replicas": 1})));
    lab.patch("kubectl", &json!({"spec": {"paused": false}}));
    let before = lab.live.clone();
    lab.patch("other", &json!({"spec": {"replicas": 1}}));
    assert_eq!(lab.live, before);
}

#[test]
fn status_is_tracked_apart() {
    let mut lab = Lab::default();
    lab.patch("kubectl", &workload(&json!({"replicas": 1})));
    lab.patch_through("agent", &json!({"status": {"replicas": 1}}), Some("status"));
    assert_eq!(lab.owners(), ["kubectl Update @1: .spec.replicas", "agent Update/status @2: .status.replicas"]);
}

#[test]
fn a_writer_that_left_ownership_out_does_not_lose_it() {
    let mut lab = Lab::default();
    lab.apply("bowline", &workload(&json!({"replicas": 1})));
    let mut new = workload(&json!({"replicas": 1, "paused": true}));
    track_update(lab.live.as_ref(), &mut new, &WORKLOAD, "put", None, Timestamp::from_secs(9));
    lab.live = Some(new);
    assert_eq!(lab.owners(), ["bowline Apply @1: .spec.replicas", "put Update @9: .spec.paused"]);
}

#[test]
fn ownership_can_be_reset() {
    let mut lab = Lab::default();
    lab.apply("bowline", &workload(&json!({"replicas": 1})));
    lab.patch("kubectl", &json!({"metadata": {"managedFields": [{}]}}));
    assert_eq!(lab.owners(), [""; 0]);
    assert_eq!(lab.at("/metadata/managedFields"), json!(null));
}

#[test]
fn at_most_ten_updaters_are_kept_apart() {
    let mut lab = Lab::default();
    lab.apply("bowline", &workload(&json!({"replicas": 1})));
    for number in 0..13 {
        lab.patch(&format!("u{number:02}"), &json!({"metadata": {"labels": {format!("l{number:02}"): "x"}}}));
    }
    let owners = lab.owners();
    assert_eq!(owners.len(), 11, "{owners:#?}");
    assert_eq!(owners[0], "bowline Apply @1: .spec.replicas");
    assert_eq!(
        owners[1],
        "ancient-changes Update @5: .metadata.labels.l00 .metadata.labels.l01 .metadata.labels.l02 .metadata.labels.l03 .metadata.labels"
    );
    assert_eq!(owners[10], "u12 Update @14: .metadata.labels.l12");
}

#[test]
fn live_duplicates_are_tolerated() {
    let twice = json!([{"name": "a", "image": "1"}, {"name": "a", "image": "2"}]);
    let mut lab = Lab::default();
    lab.patch("kubectl", &containers(&twice));
    let before = lab.live.clone();
    lab.patch("kubectl", &json!({"spec": {"paused": null}}));
    assert_eq!(lab.live, before);
    lab.force("bowline", &containers(&json!([{"name": "a", "image": "3"}])));
    assert_eq!(lab.containers(), json!([{"name": "a", "image": "3"}]), "an apply makes one of them");
}
