use serde_json::{Value, json};

use super::{deployment, job, kind_of, pod, with};
use crate::api::{default, validate};

const POD: &str = "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
                   `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` \
                   (allow it to be set to 1 if it was previously negative)\nchanged: ";

/// Checks the messages of a change of one field; both objects have their defaults set first.
#[track_caller]
fn check(case: &str, old: &Value, (pointer, new): (&str, Value), expected: &[&str]) {
    let kind = kind_of(old);
    let (mut before, mut after) = (old.clone(), with(old.clone(), pointer, new));
    default::apply(kind, &mut before);
    default::apply(kind, &mut after);
    let messages: Vec<String> = validate::update(kind, &before, &after).iter().map(ToString::to_string).collect();
    assert_eq!(messages, expected, "{case}");
}

#[test]
fn selectors_and_identity_stay() {
    let old = &deployment();
    check("replicas", old, ("/spec/replicas", json!(3)), &[]);
    check(
        "selector",
        old,
        ("/spec/selector/matchLabels/app", json!("api")),
        &["spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"api\"}}: field is immutable"],
    );
    check(
        "name",
        old,
        ("/metadata/name", json!("api")),
        &["metadata.name: Invalid value: \"api\": field is immutable"],
    );
    let dying = with(deployment(), "/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    check(
        "a dying object gets no finalizer",
        &dying,
        ("/metadata/finalizers", json!(["example.org/x"])),
        &[
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"example.org/x\"}",
        ],
    );
}

#[test]
fn a_pod_stays_as_it_was_made() {
    let old = &pod();
    check("image", old, ("/spec/containers/0/image", json!("example.org/web:2")), &[]);
    check("deadline", old, ("/spec/activeDeadlineSeconds", json!(5)), &[]);
    check("labels", old, ("/metadata/labels", json!({ "a": "b" })), &[]);
    check("an empty list", old, ("/spec/containers/0/args", json!([])), &[]);
    let sized = with(pod(), "/spec/containers/0/resources/limits", json!({ "cpu": "500m" }));
    check("the same amount", &sized, ("/spec/containers/0/resources/limits", json!({ "cpu": "0.5" })), &[]);
    check("more tolerations", old, ("/spec/tolerations", json!([{ "operator": "Exists" }])), &[]);
    check("no image", old, ("/spec/containers/0/image", json!("")), &[&format!("{POD}spec.containers")]);
    check("arguments", old, ("/spec/containers/0/args", json!(["x"])), &[&format!("{POD}spec.containers")]);
    check(
        "one more container",
        old,
        ("/spec/containers/9", json!({ "name": "b", "image": "b:1" })),
        &[&format!("{POD}spec.containers")],
    );
    let bound = with(pod(), "/spec/nodeName", json!("a"));
    check("another host", &bound, ("/spec/nodeName", json!("b")), &[&format!("{POD}spec.nodeName")]);
    let tolerant = with(pod(), "/spec/tolerations", json!([{ "operator": "Exists" }]));
    check("fewer tolerations", &tolerant, ("/spec/tolerations", json!([])), &[&format!("{POD}spec.tolerations")]);
}

#[test]
fn a_job_keeps_its_pods() {
    let old = &with(with(job(), "/metadata/uid", json!("u")), "/spec/completions", json!(1));
    check("parallelism", old, ("/spec/parallelism", json!(4)), &[]);
    check("suspend", old, ("/spec/suspend", json!(true)), &[]);
    check(
        "completions",
        old,
        ("/spec/completions", json!(4)),
        &["spec.completions: Invalid value: 4: field is immutable"],
    );
    let image = ("/spec/template/spec/nodeSelector", json!({ "a": "b" }));
    let suspended = with(old.clone(), "/spec/suspend", json!(true));
    check("a suspended job may be sent elsewhere", &suspended, image.clone(), &[]);
    let kind = kind_of(old);
    let (mut before, mut after) = (old.clone(), with(old.clone(), image.0, image.1));
    default::apply(kind, &mut before);
    default::apply(kind, &mut after);
    let messages: Vec<String> = validate::update(kind, &before, &after).iter().map(ToString::to_string).collect();
    assert!(
        matches!(&messages[..], [one] if one.starts_with("spec.template: Invalid value: ") && one.ends_with(": field is immutable")),
        "{messages:?}"
    );
    let indexed = with(with(old.clone(), "/spec/completionMode", json!("Indexed")), "/spec/completions", json!(3));
    let indexed = with(indexed, "/spec/parallelism", json!(5));
    check("an indexed job may shrink with its parallelism", &indexed, ("/spec/completions", json!(5)), &[]);
}

#[test]
fn immutable_data_stays() {
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a", "namespace": "b" }, "data": { "a": "b" }, "immutable": true });
    let detail = "Forbidden: field is immutable when `immutable` is set";
    check("data", &map, ("/data/a", json!("c")), &[&format!("data: {detail}")]);
    check("the mark", &map, ("/immutable", json!(false)), &[&format!("immutable: {detail}")]);
    check("labels", &map, ("/metadata/labels", json!({ "a": "b" })), &[]);
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a", "namespace": "b" } });
    check(
        "the type of a secret",
        &secret,
        ("/type", json!("example.org/x")),
        &["type: Invalid value: \"example.org/x\": field is immutable"],
    );
}
