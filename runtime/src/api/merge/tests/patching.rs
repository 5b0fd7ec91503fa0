//! Strategic merge patches.

use serde_json::{Value, json};

use super::super::fixtures::WORKLOAD;
use super::super::strategic;

/// Patches the pod spec of a workload.
#[track_caller]
fn check(case: &str, live: &Value, patch: &Value, expected: &Value) {
    let object = |pod: &Value| json!({"spec": {"template": {"spec": pod}}});
    let got = strategic(&object(live), &object(patch), &WORKLOAD).expect(case);
    assert_eq!(got, object(expected), "{case}");
}

#[track_caller]
fn check_refused(case: &str, live: &Value, patch: &Value, expected: &str) {
    let error = strategic(live, patch, &WORKLOAD).expect_err(case);
    assert_eq!(error.to_string(), expected, "{case}");
}

fn named(names: &str) -> Value {
    names.chars().map(|name| json!({"name": name.to_string()})).collect()
}

#[test]
fn objects_merge_and_null_deletes() {
    check("set", &json!({"a": 1}), &json!({"schedulerName": "x"}), &json!({"a": 1, "schedulerName": "x"}));
    check("null", &json!({"schedulerName": "x", "a": 1}), &json!({"schedulerName": null, "b": null}), &json!({"a": 1}));
    check(
        "atomic maps merge, too",
        &json!({"nodeSelector": {"a": "1"}}),
        &json!({"nodeSelector": {"b": "2"}}),
        &json!({"nodeSelector": {"a": "1", "b": "2"}}),
    );
    check(
        "unknown data is JSON",
        &json!({"x": {"y": [1], "z": 1}}),
        &json!({"x": {"y": [2], "z": null}}),
        &json!({"x": {"y": [2]}}),
    );
    check(
        "type mismatch replaces",
        &json!({"nodeSelector": "s"}),
        &json!({"nodeSelector": {"a": "1", "b": null}}),
        &json!({"nodeSelector": {"a": "1"}}),
    );
    check(
        "nulls in new parts vanish",
        &json!({}),
        &json!({"nodeSelector": {"a": null, "b": "1"}}),
        &json!({"nodeSelector": {"b": "1"}}),
    );
}

#[test]
fn lists_merge_by_their_patch_key() {
    check(
        "merge and put new items first",
        &json!({"containers": [{"name": "a", "image": "1"}, {"name": "b"}]}),
        &json!({"containers": [{"name": "a", "image": "2"}, {"name": "c"}]}),
        &json!({"containers": [{"name": "a", "image": "2"}, {"name": "c"}, {"name": "b"}]}),
    );
    check(
        "the patch key may be one of several keys",
        &json!({"containers": [{"name": "a", "ports": [{"containerPort": 53, "protocol": "UDP"}]}]}),
        &json!({"containers": [{"name": "a", "ports": [{"containerPort": 53, "name": "dns"}]}]}),
        &json!({"containers": [{"name": "a", "ports": [{"containerPort": 53, "protocol": "UDP", "name": "dns"}]}]}),
    );
    check(
        "unmarked lists are replaced",
        &json!({"tolerations": [{"key": "a"}, {"key": "b"}]}),
        &json!({"tolerations": [{"key": "c"}]}),
        &json!({"tolerations": [{"key": "c"}]}),
    );
    check(
        "null in an item deletes its field",
        &json!({"containers": [{"name": "a", "image": "1", "args": ["x"]}]}),
        &json!({"containers": [{"name": "a", "args": null}]}),
        &json!({"containers": [{"name": "a", "image": "1"}]}),
    );
}

#[test]
fn sets_of_scalars_gain_and_lose_values() {
    let finalizers = |list: Value| json!({"metadata": {"finalizers": list}});
    let got = strategic(&finalizers(json!(["a", "b"])), &finalizers(json!(["b", "c"])), &WORKLOAD).expect("patches");
    assert_eq!(got, finalizers(json!(["a", "b", "c"])));
    let delete = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a", "z"]}});
    assert_eq!(
        strategic(&finalizers(json!(["a", "b"])), &delete, &WORKLOAD).expect("patches"),
        finalizers(json!(["b"]))
    );
    let both = json!({"metadata": {
        "$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["c", "b"], "finalizers": ["c"]
    }});
    assert_eq!(
        strategic(&finalizers(json!(["a", "b"])), &both, &WORKLOAD).expect("patches"),
        finalizers(json!(["c", "b"]))
    );
}

#[test]
fn patch_directives_replace_and_delete() {
    let two = json!({"containers": [{"name": "a", "image": "1"}, {"name": "b"}]});
    check(
        "delete an item",
        &two,
        &json!({"containers": [{"name": "b", "$patch": "delete"}]}),
        &json!({"containers": [{"name": "a", "image": "1"}]}),
    );
    check("delete an item that is not there", &two, &json!({"containers": [{"name": "z", "$patch": "delete"}]}), &two);
    check(
        "replace a list",
        &two,
        &json!({"containers": [{"name": "c"}, {"$patch": "replace"}]}),
        &json!({"containers": [{"name": "c"}]}),
    );
    check("clear a list", &two, &json!({"containers": [{"$patch": "replace"}]}), &json!({"containers": []}));
    check(
        "replace an object",
        &json!({"nodeSelector": {"a": "1"}}),
        &json!({"nodeSelector": {"$patch": "replace", "b": "2"}}),
        &json!({"nodeSelector": {"b": "2"}}),
    );
    check(
        "delete an object's fields",
        &json!({"nodeSelector": {"a": "1"}}),
        &json!({"nodeSelector": {"$patch": "delete"}}),
        &json!({"nodeSelector": {}}),
    );
    check(
        "merge is the default",
        &json!({"nodeSelector": {"a": "1"}}),
        &json!({"nodeSelector": {"$patch": "merge", "b": "2"}}),
        &json!({"nodeSelector": {"a": "1", "b": "2"}}),
    );
}

#[test]
fn retained_keys_drop_the_others() {
    check(
        "volume source changes",
        &json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
        &json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}),
        &json!({"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}),
    );
    check(
        "on a new item the directive vanishes",
        &json!({}),
        &json!({"volumes": [{"name": "v", "$retainKeys": ["name"]}]}),
        &json!({"volumes": [{"name": "v"}]}),
    );
}

#[test]
fn an_element_order_is_kept_around_server_items() {
    for (live, patch, order, expected) in [
        ("abc", "", "cba", "cba"),
        ("abc", "d", "adc", "adbc"),
        ("abc", "", "ca", "bca"),
        ("xab", "", "ba", "xba"),
        ("abx", "c", "bca", "bcax"),
    ] {
        let mut pod = json!({"$setElementOrder/containers": named(order)});
        if !patch.is_empty() {
            pod["containers"] = named(patch);
        }
        check(
            &format!("{live} + {patch} in order {order}"),
            &json!({"containers": named(live)}),
            &pod,
            &json!({"containers": named(expected)}),
        );
    }
}

#[test]
fn directives_that_make_no_sense_are_refused() {
    let live = json!({"spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}});
    let pod = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
    check_refused(
        "not an object",
        &live,
        &json!([1]),
        "cannot apply the strategic merge patch: an object is needed, got `[1]`",
    );
    check_refused(
        "no merge key",
        &live,
        &pod(json!({"containers": [{"image": "x", "args": []}]})),
        "cannot patch `spec.template.spec.containers`: map: [args image] does not contain declared merge key: name",
    );
    check_refused(
        "unknown directive",
        &live,
        &json!({"spec": {"$patch": "explode"}}),
        "cannot patch `spec`: Unknown patch type found: `\"explode\"`: give `replace`, `delete` or (in an object) `merge`",
    );
    check_refused(
        "directive of another type",
        &live,
        &json!({"spec": {"$retainKeys": "a"}}),
        "cannot patch `spec`: `$retainKeys` needs a list",
    );
    check_refused(
        "set field that is not retained",
        &live,
        &json!({"spec": {"$retainKeys": ["a"], "paused": true}}),
        "cannot patch `spec`: the patch sets `paused`, which `$retainKeys` does not list",
    );
    check_refused(
        "order that the patch does not follow",
        &live,
        &pod(
            json!({"$setElementOrder/containers": [{"name": "a"}, {"name": "b"}], "containers": [{"name": "b"}, {"name": "a"}]}),
        ),
        "cannot patch `spec.template.spec.containers`: the items in the patch do not follow the order in `$setElementOrder`",
    );
}
