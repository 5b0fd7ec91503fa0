use serde_json::{Value, json};

use super::{deployment, kind_of, pod, with};
use crate::api::{default, strict};

#[test]
fn an_unknown_field_is_named_with_the_one_that_was_meant() {
    #[track_caller]
    fn check(value: &Value, expected: &[&str]) {
        let found: Vec<String> =
            strict::unknown_fields(kind_of(value), value).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }
    check(&deployment(), &[]);
    check(
        &with(deployment(), "/spec/replica", json!(1)),
        &["unknown field \"spec.replica\", did you mean `replicas`?"],
    );
    check(
        &with(deployment(), "/spec/template/spec/containers/0/imagePullPolcy", json!("x")),
        &["unknown field \"spec.template.spec.containers[0].imagePullPolcy\", did you mean `imagePullPolicy`?"],
    );
    check(
        &with(pod(), "/spec/containers/0/Image", json!("x")),
        &["unknown field \"spec.containers[0].Image\", did you mean `image`?"],
    );
    check(&with(pod(), "/spec/somethingElse", json!(1)), &["unknown field \"spec.somethingElse\""]);
    check(&with(pod(), "/extra", json!(1)), &["unknown field \"extra\""]);
    check(&with(pod(), "/metadata/labels", json!({ "anything": "goes" })), &[]);
}

#[test]
fn a_field_without_effect_is_warned_of_once() {
    #[track_caller]
    fn check(value: &Value, expected: &[&str]) {
        let kind = kind_of(value);
        assert_eq!(strict::warnings(kind, value), expected);
        let mut defaulted = value.clone();
        default::apply(kind, &mut defaulted);
        assert_eq!(strict::warnings(kind, &defaulted), expected, "defaults add none");
    }
    check(&deployment(), &[]);
    check(
        &with(
            deployment(),
            "/spec/template/spec/containers/0/livenessProbe",
            json!({ "exec": { "command": ["true"] } }),
        ),
        &["spec.template.spec.containers[0].livenessProbe: stored, not enforced: probes are not run yet"],
    );
    check(&with(with(pod(), "/spec/hostPID", json!(false)), "/spec/containers/0/tty", json!(false)), &[]);
    check(
        &with(pod(), "/spec/volumes", json!([{ "name": "a", "nfs": { "server": "s", "path": "/" } }])),
        &["spec.volumes[0].nfs: stored, not enforced: volumes of this kind cannot be mounted yet"],
    );
    check(
        &with(pod(), "/spec/dnsPolicy", json!("Default")),
        &["spec.dnsPolicy: stored, not enforced: pods have no DNS of their own yet"],
    );
}

#[test]
fn masked_secrets_tell_equal_from_changed_and_nothing_more() {
    let secret =
        |data: Value| json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a" }, "data": data });
    let (mut old, mut new) = (
        secret(json!({ "a": "MQ==", "b": "MQ==", "c": "MQ==" })),
        secret(json!({ "a": "MQ==", "b": "Mg==", "d": "MQ==" })),
    );
    let kind = kind_of(&old);
    let mut alone = old.clone();
    strict::mask_change(kind, &mut old, &mut new);
    assert_eq!(old["data"], json!({ "a": "(sensitive)", "b": "(sensitive, before)", "c": "(sensitive)" }));
    assert_eq!(new["data"], json!({ "a": "(sensitive)", "b": "(sensitive, after)", "d": "(sensitive)" }));
    assert_eq!(new["metadata"]["name"], "a");
    strict::mask(kind, &mut alone);
    assert_eq!(alone["data"], json!({ "a": "(sensitive)", "b": "(sensitive)", "c": "(sensitive)" }));
    let mut broken = secret(json!("a secret in the wrong place"));
    strict::mask(kind, &mut broken);
    assert_eq!(broken["data"], "(sensitive)");
    let mut copied = with(
        secret(json!({})),
        "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
        json!("{\"data\":{\"a\":\"MQ==\"}}"),
    );
    strict::mask(kind, &mut copied);
    assert!(!copied.to_string().contains("MQ=="), "{copied}");
}

#[test]
fn equal_values_become_equal_texts() {
    let resources =
        json!({ "limits": { "cpu": 0.5, "memory": "1.5Gi" }, "requests": { "cpu": "0.10", "memory": "nonsense" } });
    let mut value = with(
        with(pod(), "/spec/containers/0/resources", resources),
        "/metadata/creationTimestamp",
        json!("2026-01-01T01:00:00+01:00"),
    );
    value = with(value, "/spec/terminationGracePeriodSeconds", json!(5.0));
    strict::canonical(kind_of(&value), &mut value);
    assert_eq!(
        value["spec"]["containers"][0]["resources"],
        json!({ "limits": { "cpu": "500m", "memory": "1536Mi" }, "requests": { "cpu": "100m", "memory": "nonsense" } })
    );
    assert_eq!(value["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(value["spec"]["terminationGracePeriodSeconds"], json!(5));
}
