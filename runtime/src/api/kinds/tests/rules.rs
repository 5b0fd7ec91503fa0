use serde_json::{Value, json};

use super::{cron_job, deployment, job, kind_of, pod, with};
use crate::api::{default, validate};

/// Checks the messages of an object, which has its defaults set first.
#[track_caller]
pub(super) fn check(case: &str, value: Value, expected: &[&str]) {
    let kind = kind_of(&value);
    let mut value = value;
    default::apply(kind, &mut value);
    let messages: Vec<String> = validate::object(kind, &value).iter().map(ToString::to_string).collect();
    assert_eq!(messages, expected, "{case}");
}

#[test]
fn sound_objects_have_no_errors() {
    for value in [pod(), deployment(), job(), with(job(), "/metadata/uid", json!("u")), cron_job()] {
        check("as written", value, &[]);
    }
}

#[test]
fn types_and_limits_are_checked_with_the_path() {
    check(
        "text for number",
        with(deployment(), "/spec/replicas", json!("3")),
        &["spec.replicas: Invalid value: \"3\": must be of type integer, not string"],
    );
    check(
        "fraction for number",
        with(deployment(), "/spec/replicas", json!(1.5)),
        &["spec.replicas: Invalid value: 1.5: must be of type integer, not number"],
    );
    check(
        "number too large",
        with(deployment(), "/spec/replicas", json!(3_000_000_000_i64)),
        &["spec.replicas: Invalid value: 3000000000: must be between -2147483648 and 2147483647, inclusive"],
    );
    check(
        "below zero",
        with(deployment(), "/spec/replicas", json!(-1)),
        &["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    );
    check(
        "list for object",
        with(deployment(), "/spec/template", json!([])),
        &["spec.template: Invalid value: must be of type object, not array"],
    );
    check(
        "number for text",
        with(pod(), "/metadata/labels", json!({ "a": 1 })),
        &["metadata.labels[a]: Invalid value: 1: must be of type string, not integer"],
    );
    check(
        "not among the supported",
        with(pod(), "/spec/restartPolicy", json!("Sometimes")),
        &[
            "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\"",
        ],
    );
    check(
        "no quantity",
        with(pod(), "/spec/containers/0/resources/limits", json!({ "memory": "1GB" })),
        &[
            "spec.containers[0].resources.limits[memory]: Invalid value: \"1GB\": unable to parse quantity's suffix",
            "spec.containers[0].resources.requests[memory]: Invalid value: \"1GB\": unable to parse quantity's suffix",
        ],
    );
    check(
        "port out of range",
        with(pod(), "/spec/containers/0/ports", json!([{ "containerPort": 70000 }])),
        &["spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"],
    );
    check(
        "all at once",
        with(with(pod(), "/spec/containers/0/name", json!("Web_1")), "/spec/containers/0/image", json!("")),
        &[
            "spec.containers[0].name: Invalid value: \"Web_1\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
             and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
            "spec.containers[0].image: Required value",
        ],
    );
}

#[test]
fn metadata_is_checked() {
    check(
        "no name",
        with(pod(), "/metadata/name", json!("")),
        &["metadata.name: Required value: name or generateName is required"],
    );
    check("no namespace", with(pod(), "/metadata/namespace", json!(null)), &["metadata.namespace: Required value"]);
    check(
        "a namespace where there is none",
        json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "a", "namespace": "b" } }),
        &["metadata.namespace: Forbidden: not allowed on this type"],
    );
    check(
        "a dot in a namespace's name",
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "a.b" } }),
        &[
            "metadata.name: Invalid value: \"a.b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
           and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ],
    );
    check(
        "a prefix may end in a hyphen",
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "generateName": "a-", "namespace": "b" } }),
        &[],
    );
    check(
        "an unknown finalizer",
        with(pod(), "/metadata/finalizers", json!(["kubernetes", "example.org/x", "mine"])),
        &[
            "metadata.finalizers: Invalid value: \"mine\": name is neither a standard finalizer name nor is it fully qualified",
        ],
    );
    check(
        "too much annotation",
        with(pod(), "/metadata/annotations", json!({ "a": "x".repeat(300_000) })),
        &["metadata.annotations: Too long: may not be more than 262144 bytes"],
    );
    let owner =
        |name: &str| json!({ "apiVersion": "v1", "kind": "Pod", "name": name, "uid": name, "controller": true });
    let owners = json!([owner("a"), owner("b")]);
    check(
        "two controllers",
        with(pod(), "/metadata/ownerReferences", owners.clone()),
        &[&format!(
            "metadata.ownerReferences: Invalid value: {owners}: Only one reference can have Controller set to true. Found \"true\" in references for a and b"
        )],
    );
}

#[test]
fn secrets_never_show_in_errors() {
    let secret = |data: Value| json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a", "namespace": "b" }, "data": data });
    check(
        "no base64",
        secret(json!({ "a": "hunter2!" })),
        &["data[a]: Invalid value: must be base64 text: Invalid symbol 33, offset 7."],
    );
    check(
        "a number",
        secret(json!({ "a": 123_456 })),
        &["data[a]: Invalid value: must be of type string, not integer"],
    );
    check(
        "a certificate without its key",
        with(secret(json!({ "tls.crt": "" })), "/type", json!("kubernetes.io/tls")),
        &["data[tls.key]: Required value"],
    );
}

#[test]
fn bowlines_own_kinds_are_checked() {
    let repository = |spec: Value| json!({ "apiVersion": "bowline.dev/v1alpha1", "kind": "GitRepository", "metadata": { "name": "a", "namespace": "b" }, "spec": spec });
    check("a path", repository(json!({ "url": "/srv/config" })), &[]);
    check("no address", repository(json!({})), &["spec.url: Required value"]);
    check(
        "an unknown scheme",
        repository(json!({ "url": "ext::sh -c id" })),
        &[
            "spec.url: Invalid value: \"ext::sh -c id\": must start with `https://`, `http://`, `file:///` or be an absolute path",
        ],
    );
    check(
        "a password",
        repository(json!({ "url": "https://me:hunter2@example.org/a" })),
        &["spec.url: Invalid value: must not contain a password; use `spec.secretRef`"],
    );
    check(
        "too many refs",
        repository(json!({ "url": "/a", "ref": { "branch": "main", "tag": "v1" } })),
        &["spec.ref.tag: Forbidden: may not specify more than one of `branch`, `tag`, `commit` and `name`"],
    );
    check(
        "too often",
        repository(json!({ "url": "/a", "interval": "1s", "timeout": "soon" })),
        &[
            "spec.interval: Invalid value: \"1s\": must be greater than or equal to 10s",
            "spec.timeout: Invalid value: \"soon\": `soon` is not a duration such as `90s`, `5m` or `1h30m`",
        ],
    );
    let application = |spec: Value| json!({ "apiVersion": "bowline.dev/v1alpha1", "kind": "Application", "metadata": { "name": "a", "namespace": "b" }, "spec": spec });
    check("an application", application(json!({ "source": { "name": "config" } })), &[]);
    check(
        "an application with mistakes",
        application(json!({ "source": {}, "path": "../x", "deletionBudget": "half", "dependsOn": [{ "name": "a" }] })),
        &[
            "spec.source.name: Required value",
            "spec.deletionBudget: Invalid value: \"half\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', \
             regex used for validation is '[0-9]+%')",
            "spec.path: Invalid value: \"../x\": must be a relative path without `..`",
            "spec.dependsOn[0].name: Invalid value: \"a\": must not be the application itself",
        ],
    );
}
