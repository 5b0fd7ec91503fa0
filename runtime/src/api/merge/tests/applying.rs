//! What an apply makes of the object.

use serde_json::{Value, json};

use super::super::fixtures::WORKLOAD;
use super::super::{ApplyError, apply};
use super::{Lab, containers, workload};
use crate::api::value::Timestamp;

/// Applies each manifest in turn as one manager and compares the spec that results.
#[track_caller]
fn check(case: &str, specs: &[Value], expected: &Value) {
    let mut lab = Lab::default();
    for spec in specs {
        lab.apply("bowline", &workload(spec));
    }
    assert_eq!(&lab.spec(), expected, "{case}");
}

#[test]
fn a_field_that_is_no_longer_stated_goes() {
    check("scalar", &[json!({"replicas": 3, "paused": true}), json!({"replicas": 3})], &json!({"replicas": 3}));
    check(
        "nested",
        &[json!({"strategy": {"type": "R", "rollingUpdate": {"maxSurge": 1}}}), json!({"strategy": {"type": "R"}})],
        &json!({"strategy": {"type": "R"}}),
    );
    check(
        "whole struct",
        &[json!({"strategy": {"type": "R"}, "replicas": 1}), json!({"replicas": 1})],
        &json!({"replicas": 1}),
    );
    check("everything", &[json!({"strategy": {"type": "R"}, "replicas": 1}), json!({})], &json!({}));
    check("empty struct", &[json!({"strategy": {}, "replicas": 1}), json!({"replicas": 1})], &json!({"replicas": 1}));
    check(
        "key of undeclared data",
        &[json!({"extra": {"a": {"b": 1, "c": 2}}}), json!({"extra": {"a": {"b": 1}}})],
        &json!({"extra": {"a": {"b": 1}}}),
    );
    check("type changed", &[json!({"extra": {"a": 1}}), json!({"extra": [1]})], &json!({"extra": [1]}));
}

#[test]
fn lists_with_keys_merge_item_by_item() {
    let list = |value: Value| json!({"template": {"spec": {"containers": value}}});
    check(
        "one item goes, one comes",
        &[
            list(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}])),
            list(json!([{"name": "b", "image": "2"}, {"name": "c"}])),
        ],
        &list(json!([{"name": "b", "image": "2"}, {"name": "c"}])),
    );
    check(
        "the last item goes with its list",
        &[list(json!([{"name": "a", "env": [{"name": "X", "value": "1"}]}])), list(json!([{"name": "a"}]))],
        &list(json!([{"name": "a"}])),
    );
    check(
        "a new order is taken over",
        &[
            list(json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])),
            list(json!([{"name": "c"}, {"name": "a"}, {"name": "b"}])),
        ],
        &list(json!([{"name": "c"}, {"name": "a"}, {"name": "b"}])),
    );
    check(
        "two keys, one defaulted",
        &[
            list(json!([{"name": "a", "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53}]}])),
            list(json!([{"name": "a", "ports": [{"containerPort": 53, "protocol": "TCP", "name": "dns"}]}])),
        ],
        &list(json!([{"name": "a", "ports": [{"containerPort": 53, "protocol": "TCP", "name": "dns"}]}])),
    );
}

#[test]
fn atomic_values_are_replaced_whole() {
    check(
        "list",
        &[
            json!({"template": {"spec": {"tolerations": [{"key": "a"}, {"key": "b"}]}}}),
            json!({"template": {"spec": {"tolerations": [{"key": "c"}]}}}),
        ],
        &json!({"template": {"spec": {"tolerations": [{"key": "c"}]}}}),
    );
    check(
        "map",
        &[
            json!({"template": {"spec": {"nodeSelector": {"a": "1"}}}}),
            json!({"template": {"spec": {"nodeSelector": {"b": "2"}}}}),
        ],
        &json!({"template": {"spec": {"nodeSelector": {"b": "2"}}}}),
    );
    check(
        "struct",
        &[json!({"selector": {"matchLabels": {"a": "1"}}}), json!({"selector": {"matchLabels": {"b": "2"}}})],
        &json!({"selector": {"matchLabels": {"b": "2"}}}),
    );
}

#[test]
fn live_items_keep_their_place_beside_stated_ones() {
    for (live, config, expected) in [
        ("abc", "cad", "bcad"),
        ("ab", "xa", "xab"),
        ("ab", "bx", "abx"),
        ("abc", "b", "abc"),
        ("", "ba", "ba"),
        ("abcd", "dxb", "acdxb"),
    ] {
        let list = |names: &str| -> Value { names.chars().map(|name| json!({"name": name.to_string()})).collect() };
        let mut lab = Lab::default();
        lab.patch("other", &containers(&list(live))).apply("bowline", &containers(&list(config)));
        assert_eq!(lab.containers(), list(expected), "{config} into {live}");
    }
}

#[test]
fn what_others_own_stays() {
    let mut lab = Lab::default();
    lab.apply("bowline", &containers(&json!([{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}])))
        .patch(
            "injector",
            &containers(&json!([
                {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
                {"name": "side", "image": "s"}
            ])),
        )
        .apply("bowline", &containers(&json!([{"name": "a", "image": "2"}])));
    assert_eq!(
        lab.containers(),
        json!([{"name": "a", "image": "2", "env": [{"name": "Y", "value": "2"}]}, {"name": "side", "image": "s"}])
    );

    let mut shared = Lab::default();
    shared
        .apply("one", &workload(&json!({"replicas": 2, "paused": true})))
        .apply("two", &workload(&json!({"replicas": 2})))
        .apply("one", &workload(&json!({"paused": true})));
    assert_eq!(shared.spec(), json!({"replicas": 2, "paused": true}), "a shared field stays with its other owner");
    shared.apply("two", &workload(&json!({})));
    assert_eq!(shared.spec(), json!({"paused": true}), "and goes with its last owner");
}

#[test]
fn defaults_go_with_the_struct_they_complete_but_unclaimed_entries_stay() {
    let probe = json!([{"name": "a", "livenessProbe": {"httpGet": {"path": "/"}}}]);
    let mut lab = Lab::default();
    lab.apply("bowline", &containers(&probe));
    let live = lab.live.as_mut().expect("applied");
    live["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["periodSeconds"] = json!(10);
    live["metadata"]["annotations"] = json!({"written-by": "nobody tracked"});
    lab.apply("bowline", &containers(&json!([{"name": "a"}])));
    assert_eq!(lab.containers(), json!([{"name": "a"}]));

    let mut annotated = Lab::default();
    let mut config = workload(&json!({"replicas": 1}));
    let plain = config.clone();
    config["metadata"]["annotations"] = json!({"mine": "1"});
    annotated.apply("bowline", &config);
    annotated.live.as_mut().expect("applied")["metadata"]["annotations"]["other"] = json!("2");
    annotated.apply("bowline", &plain);
    assert_eq!(annotated.at("/metadata/annotations"), json!({"other": "2"}));
    assert_eq!(annotated.at("/metadata/name"), json!("w"), "identity is nobody's to prune");
}

#[test]
fn sets_merge_value_by_value() {
    let finalizers = |list: Value| {
        let mut config = workload(&json!({}));
        config["metadata"]["finalizers"] = list;
        config
    };
    let mut lab = Lab::default();
    lab.apply("one", &finalizers(json!(["a", "b"]))).apply("two", &finalizers(json!(["b", "c"])));
    assert_eq!(lab.at("/metadata/finalizers"), json!(["a", "b", "c"]));
    lab.apply("one", &finalizers(json!(["a"])));
    assert_eq!(lab.at("/metadata/finalizers"), json!(["a", "b", "c"]), "two still states b");
    lab.apply("two", &finalizers(json!([])));
    assert_eq!(lab.at("/metadata/finalizers"), json!(["a"]));
}

#[test]
fn items_that_are_owned_whole_merge_by_key() {
    let owners = |list: Value| {
        let mut config = workload(&json!({}));
        config["metadata"]["ownerReferences"] = list;
        config
    };
    let mut lab = Lab::default();
    lab.apply("one", &owners(json!([{"uid": "1", "name": "x", "controller": true}])))
        .apply("two", &owners(json!([{"uid": "2", "name": "y"}])))
        .apply("one", &owners(json!([{"uid": "1", "name": "x"}])));
    assert_eq!(lab.at("/metadata/ownerReferences"), json!([{"uid": "1", "name": "x"}, {"uid": "2", "name": "y"}]));
}

#[test]
fn an_apply_that_changes_nothing_returns_the_live_value() {
    let config = workload(&json!({
        "replicas": 2,
        "deadline": "2026-01-01T01:00:00+01:00",
        "template": {"spec": {"containers": [
            {"name": "a", "args": ["x"], "resources": {"limits": {"cpu": "0.5", "memory": "1Gi"}}, "ports": [{"containerPort": 80}]}
        ]}}
    }));
    let mut lab = Lab::default();
    lab.apply("bowline", &config);
    let live = lab.live.as_mut().expect("applied");
    // What defaulting, canonical writing and the server add between two applies.
    live["metadata"]["uid"] = json!("1");
    live["metadata"]["resourceVersion"] = json!("7");
    live["spec"]["deadline"] = json!("2026-01-01T00:00:00Z");
    live["spec"]["strategy"] = json!({"type": "RollingUpdate"});
    let container = &mut live["spec"]["template"]["spec"]["containers"][0];
    container["resources"]["limits"] = json!({"cpu": "500m", "memory": "1024Mi"});
    container["ports"][0]["protocol"] = json!("TCP");
    live["status"] = json!({"replicas": 2});
    let before = lab.live.clone();
    lab.apply("bowline", &config);
    assert_eq!(lab.live, before);
    lab.force("bowline", &config);
    assert_eq!(lab.live, before);
}

#[test]
fn a_null_and_what_the_server_writes_state_nothing() {
    let mut config = workload(&json!({"replicas": null, "strategy": {}, "paused": true}));
    config["metadata"]["creationTimestamp"] = Value::Null;
    config["metadata"]["uid"] = json!("u");
    config["metadata"]["resourceVersion"] = json!("5");
    config["metadata"]["managedFields"] = json!([]);
    config["status"] = json!({"replicas": 9});
    let mut lab = Lab::default();
    lab.apply("bowline", &config);
    assert_eq!(lab.owners(), ["bowline Apply @1: .spec.paused .spec.strategy"]);
    assert_eq!(lab.spec(), json!({"strategy": {}, "paused": true}));
    assert_eq!(lab.at("/metadata/uid"), Value::Null);
    assert_eq!(lab.at("/status"), Value::Null);
}

#[test]
fn the_status_subresource_writes_only_status() {
    let mut lab = Lab::default();
    lab.apply("bowline", &workload(&json!({"replicas": 1})));
    let mut config = workload(&json!({"replicas": 5}));
    config["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    let status = apply(lab.live.as_ref(), &config, &WORKLOAD, "node", false, Some("status"), Timestamp::from_secs(9))
        .expect("applies");
    lab.live = Some(status);
    assert_eq!(lab.spec(), json!({"replicas": 1}));
    assert_eq!(
        lab.owners(),
        [
            "bowline Apply @1: .spec.replicas",
            "node Apply/status @9: .status.conditions[type=\"Ready\"].status .status.conditions[type=\"Ready\"].type .status.conditions[type=\"Ready\"]"
        ]
    );
}

#[test]
fn an_ambiguous_manifest_is_refused_with_every_problem() {
    let config = containers(&json!([
        {"name": "a", "env": [{"name": "X"}, {"name": "X"}]},
        {"name": "a", "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]},
        {"image": "nameless"}
    ]));
    let error = Lab::default().try_apply("bowline", &config, true).expect_err("refused");
    assert_eq!(error.code(), 400);
    assert_eq!(
        error.to_string(),
        "failed to create typed patch object (n/w; apps/v1, Kind=Workload): \
         .spec.template.spec.containers[name=\"a\"].env: duplicate entries for key [name=\"X\"]\n\
         .spec.template.spec.containers: duplicate entries for key [name=\"a\"]\n\
         .spec.template.spec.containers[name=\"a\"].ports: duplicate entries for key [containerPort=80,protocol=\"TCP\"]\n\
         .spec.template.spec.containers[2]: associative list with keys has an element that omits key field \"name\" (and doesn't have default value)"
    );
}

#[test]
fn a_manifest_may_not_set_ownership() {
    let mut config = workload(&json!({}));
    config["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    let error = Lab::default().try_apply("bowline", &config, true).expect_err("refused");
    assert_eq!((error.code(), error.to_string().as_str()), (400, "metadata.managedFields must be nil"));
}

#[test]
fn values_of_another_type_than_declared_are_leaves_and_never_panic() {
    let mut lab = Lab::default();
    for spec in [
        json!({"template": "text", "strategy": [1], "replicas": {"a": 1}}),
        json!({"template": {"spec": 3}, "selector": 1}),
    ] {
        lab.force("bowline", &workload(&spec));
        assert_eq!(lab.spec(), spec);
    }
    for odd in [json!(null), json!([]), json!("x"), json!({"metadata": 3, "spec": {"replicas": 1}})] {
        let _ = apply(Some(&odd), &odd, &WORKLOAD, "m", false, None, Timestamp::EPOCH);
        let _ = apply(Some(&odd), &workload(&json!({"replicas": 1})), &WORKLOAD, "m", false, None, Timestamp::EPOCH);
    }
}

#[test]
fn unreadable_ownership_is_an_error_not_a_loss() {
    let mut lab = Lab::default();
    lab.apply("bowline", &workload(&json!({"replicas": 1})));
    lab.live.as_mut().expect("applied")["metadata"]["managedFields"][0]["fieldsV1"] = json!({"broken": {}});
    let error = lab.try_apply("bowline", &workload(&json!({"replicas": 1})), true).expect_err("refused");
    assert!(matches!(error, ApplyError::UnreadableManagers(_)), "{error}");
}

#[test]
fn a_manifest_that_states_nothing_claims_nothing() {
    let config = json!({"apiVersion": "apps/v1", "kind": "Workload", "metadata": {"name": "w", "namespace": "n"}});
    let mut lab = Lab::default();
    lab.apply("bowline", &config);
    lab.live.as_mut().expect("applied")["spec"] = json!({"replicas": 1});
    let before = lab.live.clone();
    lab.apply("bowline", &config);
    assert_eq!(lab.live, before);
}
