//! Who may change what: conflicts, force and sharing.

use serde_json::{Value, json};

use super::super::{ApplyError, Conflict};
use super::{Lab, containers, workload};

#[track_caller]
fn refused(lab: &mut Lab, manager: &str, config: &Value) -> Vec<Conflict> {
    let before = lab.live.clone();
    let error = lab.try_apply(manager, config, false).expect_err("conflicts");
    assert_eq!(lab.live, before, "a refused apply leaves nothing behind");
    assert_eq!(error.code(), 409);
    let ApplyError::Conflict(conflicts) = error else { panic!("{error}") };
    conflicts
}

#[test]
fn another_value_for_a_field_of_another_manager_is_a_conflict() {
    let mut lab = Lab::default();
    lab.apply("bowline", &workload(&json!({"replicas": 1, "paused": true})));
    lab.patch("kubectl", &json!({"spec": {"replicas": 4}}));
    let error = lab.try_apply("bowline", &workload(&json!({"replicas": 2})), false).expect_err("conflicts");
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas"
    );
    let conflicts = refused(&mut lab, "bowline", &workload(&json!({"replicas": 2})));
    assert_eq!(conflicts[0].message(), "conflict with \"kubectl\" using apps/v1");
    assert_eq!(conflicts[0].path, ".spec.replicas");
    assert_eq!(ApplyError::CONFLICT_CAUSE, "FieldManagerConflict");
}

#[test]
fn several_conflicts_are_listed_by_manager() {
    let mut lab = Lab::default();
    lab.apply("argo", &workload(&json!({"paused": true})));
    lab.apply("helm", &containers(&json!([{"name": "a", "image": "1", "args": ["x"]}])));
    lab.patch_through("scaler", &json!({"spec": {"replicas": 4}}), Some("scale"));
    let config = workload(&json!({
        "paused": false, "replicas": 1,
        "template": {"spec": {"containers": [{"name": "a", "image": "2", "args": ["y"]}]}}
    }));
    let error = lab.try_apply("bowline", &config, false).expect_err("conflicts");
    assert_eq!(
        error.to_string(),
        "Apply failed with 4 conflicts: conflicts with \"argo\":\n\
         - .spec.paused\n\
         conflicts with \"helm\":\n\
         - .spec.template.spec.containers[name=\"a\"].args\n\
         - .spec.template.spec.containers[name=\"a\"].image\n\
         conflicts with \"scaler\" with subresource \"scale\" using apps/v1:\n\
         - .spec.replicas"
    );
}

#[test]
fn an_equal_value_is_shared() {
    let mut lab = Lab::default();
    lab.apply("one", &workload(&json!({"replicas": 2}))).apply("two", &workload(&json!({"replicas": 2})));
    assert_eq!(lab.owners(), ["one Apply @1: .spec.replicas", "two Apply @2: .spec.replicas"]);
    assert_eq!(
        refused(&mut lab, "two", &workload(&json!({"replicas": 3}))).len(),
        1,
        "a shared field cannot be changed alone"
    );
    let quantity = |cpu: &str| containers(&json!([{"name": "a", "resources": {"limits": {"cpu": cpu}}}]));
    let mut equal = Lab::default();
    equal.apply("one", &quantity("500m")).apply("two", &quantity("0.5"));
    assert_eq!(equal.containers(), json!([{"name": "a", "resources": {"limits": {"cpu": "500m"}}}]));
}

#[test]
fn force_moves_ownership() {
    let mut lab = Lab::default();
    lab.apply("one", &workload(&json!({"replicas": 2, "paused": true})))
        .force("two", &workload(&json!({"replicas": 3})));
    assert_eq!(lab.spec(), json!({"replicas": 3, "paused": true}));
    assert_eq!(lab.owners(), ["one Apply @1: .spec.paused", "two Apply @2: .spec.replicas"]);
    lab.force("two", &workload(&json!({"replicas": 3, "paused": false})));
    assert_eq!(lab.owners(), ["two Apply @3: .spec.paused .spec.replicas"], "a manager without fields is gone");
}

#[test]
fn leaving_a_field_out_is_no_conflict() {
    let mut lab = Lab::default();
    lab.apply("bowline", &workload(&json!({"replicas": 1, "paused": true})));
    lab.patch("autoscaler", &json!({"spec": {"replicas": 7}}));
    lab.apply("bowline", &workload(&json!({"paused": true})));
    assert_eq!(lab.spec(), json!({"replicas": 7, "paused": true}));
    assert_eq!(lab.owners(), ["bowline Apply @1: .spec.paused", "autoscaler Update @2: .spec.replicas"]);
}

#[test]
fn an_atomic_value_conflicts_as_a_whole() {
    let tolerations = |key: &str| workload(&json!({"template": {"spec": {"tolerations": [{"key": key}]}}}));
    let mut lab = Lab::default();
    lab.apply("one", &tolerations("a"));
    let conflicts = refused(&mut lab, "two", &tolerations("b"));
    assert_eq!(conflicts, [Conflict { manager: "\"one\"".into(), path: ".spec.template.spec.tolerations".into() }]);
    lab.apply("two", &tolerations("a"));
}

#[test]
fn a_manager_never_conflicts_with_itself_but_its_updates_are_another() {
    let mut lab = Lab::default();
    lab.apply("bowline", &workload(&json!({"replicas": 1}))).apply("bowline", &workload(&json!({"replicas": 2})));
    lab.patch("bowline", &json!({"spec": {"replicas": 3}}));
    assert_eq!(
        refused(&mut lab, "bowline", &workload(&json!({"replicas": 2})))[0].manager,
        "\"bowline\" using apps/v1"
    );
}

#[test]
fn an_object_that_was_never_tracked_belongs_to_before_first_apply() {
    let mut lab = Lab { live: Some(workload(&json!({"replicas": 1, "paused": true}))), now: 0 };
    assert_eq!(
        refused(&mut lab, "bowline", &workload(&json!({"replicas": 2})))[0].manager,
        "\"before-first-apply\" using apps/v1"
    );
    lab.apply("bowline", &workload(&json!({"replicas": 1})));
    assert_eq!(
        lab.owners(),
        ["bowline Apply @2: .spec.replicas", "before-first-apply Update @2: .spec.paused .spec.replicas"]
    );
}
