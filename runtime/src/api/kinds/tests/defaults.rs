use serde_json::{Value, json};

use super::{cron_job, deployment, job, kind_of, pod, with};
use crate::api::default;

#[track_caller]
fn check(case: &str, value: Value, expected: &[(&str, Value)]) {
    let kind = kind_of(&value);
    let mut defaulted = value;
    default::apply(kind, &mut defaulted);
    for (pointer, expected) in expected {
        assert_eq!(defaulted.pointer(pointer).unwrap_or(&Value::Null), expected, "{case}: {pointer}");
    }
    let mut again = defaulted.clone();
    default::apply(kind, &mut again);
    assert_eq!(again, defaulted, "{case}: a second time changes nothing");
}

#[test]
fn pods_get_the_defaults_of_kubernetes() {
    check(
        "a bare pod",
        pod(),
        &[
            ("/spec/restartPolicy", json!("Always")),
            ("/spec/dnsPolicy", json!("ClusterFirst")),
            ("/spec/terminationGracePeriodSeconds", json!(30)),
            ("/spec/schedulerName", json!("default-scheduler")),
            ("/spec/securityContext", json!({})),
            ("/spec/enableServiceLinks", json!(true)),
            ("/spec/containers/0/imagePullPolicy", json!("IfNotPresent")),
            ("/spec/containers/0/terminationMessagePath", json!("/dev/termination-log")),
            ("/spec/containers/0/terminationMessagePolicy", json!("File")),
            ("/spec/containers/0/resources", json!({})),
            ("/status/phase", json!("Pending")),
        ],
    );
    let image = "/spec/containers/0/image";
    for (name, policy) in [
        ("web", "Always"),
        ("web:latest", "Always"),
        ("host:5000/web", "Always"),
        ("host:5000/web:1", "IfNotPresent"),
        ("web@sha256:00", "IfNotPresent"),
        ("web:latest@sha256:00", "IfNotPresent"),
    ] {
        check(name, with(pod(), image, json!(name)), &[("/spec/containers/0/imagePullPolicy", json!(policy))]);
    }
    check(
        "limits become requests",
        with(
            pod(),
            "/spec/containers/0/resources",
            json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "500m" } }),
        ),
        &[("/spec/containers/0/resources/requests", json!({ "cpu": "500m", "memory": "1Gi" }))],
    );
    check(
        "amounts are written canonically",
        with(pod(), "/spec/containers/0/resources/requests", json!({ "cpu": 0.5, "memory": "1.5Gi" })),
        &[("/spec/containers/0/resources/requests", json!({ "cpu": "500m", "memory": "1536Mi" }))],
    );
    check(
        "ports on the host's network",
        with(
            with(pod(), "/spec/hostNetwork", json!(true)),
            "/spec/containers/0/ports",
            json!([{ "containerPort": 80 }]),
        ),
        &[("/spec/containers/0/ports/0", json!({ "containerPort": 80, "hostPort": 80, "protocol": "TCP" }))],
    );
    check(
        "volumes",
        with(
            pod(),
            "/spec/volumes",
            json!([{ "name": "a" }, { "name": "b", "configMap": { "name": "c" } }, { "name": "h", "hostPath": { "path": "/" } }]),
        ),
        &[
            ("/spec/volumes/0/emptyDir", json!({})),
            ("/spec/volumes/1/configMap/defaultMode", json!(420)),
            ("/spec/volumes/1/emptyDir", Value::Null),
            ("/spec/volumes/2/hostPath/type", json!("")),
        ],
    );
    check(
        "probes",
        with(pod(), "/spec/containers/0/livenessProbe", json!({ "httpGet": { "port": 80 } })),
        &[(
            "/spec/containers/0/livenessProbe",
            json!({
                "httpGet": { "port": 80, "path": "/", "scheme": "HTTP" },
                "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
            }),
        )],
    );
    check(
        "an empty text is not given",
        with(pod(), "/spec/restartPolicy", json!("")),
        &[("/spec/restartPolicy", json!("Always"))],
    );
}

#[test]
fn workloads_get_the_defaults_of_kubernetes() {
    check(
        "a deployment",
        deployment(),
        &[
            ("/spec/replicas", json!(1)),
            ("/spec/revisionHistoryLimit", json!(10)),
            ("/spec/progressDeadlineSeconds", json!(600)),
            (
                "/spec/strategy",
                json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } }),
            ),
            ("/spec/template/spec/containers/0/imagePullPolicy", json!("IfNotPresent")),
            ("/spec/template/spec/containers/0/resources", json!({})),
        ],
    );
    check(
        "a deployment that recreates",
        with(deployment(), "/spec/strategy", json!({ "type": "Recreate" })),
        &[("/spec/strategy", json!({ "type": "Recreate" }))],
    );
    check(
        "half a rolling update",
        with(deployment(), "/spec/strategy", json!({ "rollingUpdate": { "maxSurge": 0 } })),
        &[("/spec/strategy/rollingUpdate", json!({ "maxSurge": 0, "maxUnavailable": "25%" }))],
    );
    check("zero is a number", with(deployment(), "/spec/replicas", json!(0)), &[("/spec/replicas", json!(0))]);
    check(
        "a job",
        with(job(), "/metadata/uid", json!("u")),
        &[
            ("/spec/completions", json!(1)),
            ("/spec/parallelism", json!(1)),
            ("/spec/backoffLimit", json!(6)),
            ("/spec/completionMode", json!("NonIndexed")),
            ("/spec/suspend", json!(false)),
            ("/spec/podReplacementPolicy", json!("TerminatingOrFailed")),
            ("/spec/selector/matchLabels", json!({ "batch.kubernetes.io/controller-uid": "u" })),
            ("/spec/template/metadata/labels/job-name", json!("once")),
            ("/spec/template/metadata/labels/batch.kubernetes.io~1controller-uid", json!("u")),
        ],
    );
    check(
        "a work queue",
        with(job(), "/spec/parallelism", json!(3)),
        &[("/spec/completions", Value::Null), ("/spec/parallelism", json!(3))],
    );
    check(
        "a cron job",
        cron_job(),
        &[
            ("/spec/concurrencyPolicy", json!("Allow")),
            ("/spec/suspend", json!(false)),
            ("/spec/successfulJobsHistoryLimit", json!(3)),
            ("/spec/failedJobsHistoryLimit", json!(1)),
            ("/spec/jobTemplate/spec/backoffLimit", json!(6)),
            ("/spec/jobTemplate/spec/selector", Value::Null),
            ("/spec/jobTemplate/spec/template/spec/containers/0/imagePullPolicy", json!("IfNotPresent")),
        ],
    );
}

#[test]
fn the_small_kinds_get_their_defaults() {
    let object =
        |version: &str, kind: &str| json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "a" } });
    check(
        "a namespace",
        object("v1", "Namespace"),
        &[
            ("/metadata/labels", json!({ "kubernetes.io/metadata.name": "a" })),
            ("/spec/finalizers", json!(["kubernetes"])),
            ("/status/phase", json!("Active")),
        ],
    );
    check(
        "a namespace on its way out keeps its lack of finalizers",
        with(object("v1", "Namespace"), "/status/phase", json!("Terminating")),
        &[("/spec/finalizers", Value::Null)],
    );
    check(
        "a secret",
        with(
            with(object("v1", "Secret"), "/stringData", json!({ "a": "x", "b": "y" })),
            "/data",
            json!({ "a": "b2xk", "c": "eg==" }),
        ),
        &[
            ("/type", json!("Opaque")),
            ("/stringData", Value::Null),
            ("/data", json!({ "a": "eA==", "b": "eQ==", "c": "eg==" })),
        ],
    );
    check(
        "a repository",
        with(object("bowline.dev/v1alpha1", "GitRepository"), "/spec/url", json!("/srv/config")),
        &[("/spec/interval", json!("1m")), ("/spec/timeout", json!("1m")), ("/spec/ref", json!({}))],
    );
    check(
        "an application",
        with(object("bowline.dev/v1alpha1", "Application"), "/spec/source/name", json!("config")),
        &[
            ("/spec/path", json!(".")),
            ("/spec/targetNamespace", json!("default")),
            ("/spec/prune", json!(true)),
            ("/spec/deletionBudget", json!("50%")),
            ("/spec/timeout", json!("5m")),
            ("/spec/interval", json!("10m")),
        ],
    );
}

#[test]
fn no_shape_of_input_panics() {
    let odd = [
        json!(null),
        json!("text"),
        json!(7),
        json!([]),
        json!([7]),
        json!({}),
        json!({ "a": "b" }),
        json!([{}]),
        json!(true),
    ];
    for kind in super::builtin().iter() {
        for sample in &odd {
            let mut whole = sample.clone();
            default::apply(kind, &mut whole);
            for pointer in [
                "/metadata",
                "/metadata/name",
                "/metadata/labels",
                "/spec",
                "/status",
                "/data",
                "/stringData",
                "/spec/template",
                "/spec/strategy",
                "/spec/template/spec",
                "/spec/template/spec/containers",
                "/spec/containers",
                "/spec/containers/0",
                "/spec/volumes",
                "/spec/selector",
                "/spec/jobTemplate",
                "/spec/jobTemplate/spec",
                "/spec/containers/0/resources",
                "/spec/containers/0/resources/limits",
                "/spec/ref",
                "/spec/containers/0/resources/requests",
                "/spec/containers/0/ports",
                "/status/capacity",
                "/status/conditions",
                "/spec/dependsOn",
            ] {
                let mut value = with(json!({ "spec": { "hostNetwork": true } }), pointer, sample.clone());
                default::apply(kind, &mut value);
                crate::api::validate::object(kind, &value);
                crate::api::validate::update(kind, &value, sample);
                crate::api::validate::update(kind, sample, &value);
                crate::api::strict::unknown_fields(kind, &value);
                crate::api::strict::warnings(kind, &value);
                crate::api::strict::mask_change(kind, &mut value.clone(), &mut sample.clone());
                crate::api::columns::cells(kind, &value, crate::api::Timestamp::EPOCH);
                crate::api::strict::canonical(kind, &mut value);
            }
        }
    }
}
