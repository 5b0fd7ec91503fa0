//! The same functions over the built-in kinds and manifests as people write them.

use serde_json::{Value, json};

use super::super::{apply, strategic};
use crate::api::diff::{diff, render_changes};
use crate::api::kinds::builtin;
use crate::api::object::Kind;
use crate::api::schema::{ListKind, Struct, Type};
use crate::api::value::Timestamp;
use crate::api::{default, strict};

fn kind_of(manifest: &Value) -> &'static Kind {
    let text = |name: &str| manifest[name].as_str().unwrap_or_default();
    builtin().find(text("apiVersion"), text("kind")).expect("a built-in kind")
}

/// Applies as the server does: merge, defaults, canonical values, and its own metadata.
fn serve(live: Option<&Value>, manifest: &Value, second: i64) -> Value {
    let kind = kind_of(manifest);
    let mut object =
        apply(live, manifest, kind, "bowline", false, None, Timestamp::from_secs(second)).expect("applies");
    // Defaults of a Job need the identity that the server gives.
    object["metadata"]["uid"] = json!("u");
    object["metadata"]["resourceVersion"] = json!("1");
    default::apply(kind, &mut object);
    strict::canonical(kind, &mut object);
    object
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}, "creationTimestamp": null},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [{
                        "name": "web", "image": "registry.example/web:1.4", "args": ["--port", "8080"],
                        "ports": [{"containerPort": 8080}, {"containerPort": 8080, "protocol": "UDP"}],
                        "env": [{"name": "MODE", "value": "fast"}, {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                        "resources": {"limits": {"cpu": "0.5", "memory": "1.5Gi"}, "requests": {"cpu": 0.1}},
                        "volumeMounts": [{"name": "conf", "mountPath": "/etc/web"}],
                        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}}
                    }],
                    "volumes": [{"name": "conf", "configMap": {"name": "web"}}, {"name": "tmp"}]
                }
            }
        },
        "status": {}
    })
}

fn manifests() -> Vec<Value> {
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i", "command": ["true"]}]});
    vec![
        deployment(),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}, "spec": pod}),
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "n"}, "spec": {"template": {"spec": pod}}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "j", "namespace": "n"},
               "spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": {"a": "1"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "data": {"a": "MQ=="}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}),
    ]
}

#[test]
fn applying_a_served_object_again_changes_nothing() {
    for manifest in manifests() {
        let live = serve(None, &manifest, 1);
        let again = serve(Some(&live), &manifest, 2);
        assert_eq!(again, live, "{}", manifest["kind"]);
        assert_eq!(diff(&live, &again, kind_of(&manifest)), [], "{}", manifest["kind"]);
    }
}

#[test]
fn a_defaulted_manifest_does_not_differ_from_the_served_object() {
    for manifest in manifests() {
        let (kind, live) = (kind_of(&manifest), serve(None, &manifest, 1));
        let mut wanted = manifest.clone();
        wanted["metadata"]["uid"] = json!("u");
        default::apply(kind, &mut wanted);
        assert_eq!(render_changes(&diff(&live, &wanted, kind)), "", "{}", kind.kind);
    }
}

#[test]
fn a_changed_deployment_changes_only_what_was_edited() {
    let live = serve(None, &deployment(), 1);
    let mut edited = deployment();
    let container = &mut edited["spec"]["template"]["spec"]["containers"][0];
    container["image"] = json!("registry.example/web:1.5");
    container.as_object_mut().expect("an object").remove("livenessProbe");
    container["env"] = json!([{"name": "MODE", "value": "slow"}]);
    container["resources"]["limits"]["cpu"] = json!("750m");
    edited["spec"]["template"]["spec"]["volumes"] = json!([{"name": "conf", "configMap": {"name": "web"}}]);
    let next = serve(Some(&live), &edited, 2);
    let changes = render_changes(&diff(&live, &next, kind_of(&edited)));
    let changes: Vec<_> = changes.lines().collect();
    assert_eq!(
        changes,
        [
            "~ spec.template.spec.containers[name=web].env[name=MODE].value: \"fast\" -> \"slow\"",
            "- spec.template.spec.containers[name=web].env[name=KEY]: {\"name\":\"KEY\",\"valueFrom\":{\"secretKeyRef\":{\"key\":\"k\",\"name\":\"s\"}}}",
            "~ spec.template.spec.containers[name=web].image: \"registry.example/web:1.4\" -> \"registry.example/web:1.5\"",
            "- spec.template.spec.containers[name=web].livenessProbe: {\"failureThreshold\":3,\"httpGet\":{\"path\":\"/healthz\",\"port\":8080,\"scheme\":\"HTTP\"},\"periodSeconds\":10,\"successThreshold\":1,\"timeoutSeconds\":1}",
            "~ spec.template.spec.containers[name=web].resources.limits[cpu]: \"500m\" -> \"750m\"",
            "- spec.template.spec.volumes[name=tmp]: {\"emptyDir\":{},\"name\":\"tmp\"}",
        ]
    );
}

#[test]
fn kubectl_style_patches_work_on_a_deployment() {
    let live = serve(None, &deployment(), 1);
    let patch = json!({"spec": {"template": {
        "metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}},
        "spec": {
            "$setElementOrder/containers": [{"name": "web"}],
            "containers": [{"name": "web", "image": "i:2", "$setElementOrder/env": [{"name": "MODE"}], "env": [{"name": "KEY", "$patch": "delete"}]}],
            "volumes": [{"name": "conf", "$retainKeys": ["name", "emptyDir"], "emptyDir": {}}]
        }
    }}});
    let patched = strategic(&live, &patch, kind_of(&live)).expect("patches");
    let spec = &patched["spec"]["template"]["spec"];
    assert_eq!(spec["containers"][0]["image"], "i:2");
    assert_eq!(spec["containers"][0]["env"], json!([{"name": "MODE", "value": "fast"}]));
    assert_eq!(spec["volumes"][0], json!({"name": "conf", "emptyDir": {}}));
    assert!(!patched.to_string().contains("\"$"), "no directive stays: {patched}");
}

/// Lists the keyed lists below a type whose keys are not fields of their items.
fn wrong_keys(of: &'static Struct, seen: &mut Vec<&'static str>, wrong: &mut Vec<String>) {
    if seen.contains(&of.name) {
        return;
    }
    seen.push(of.name);
    for field in of.fields {
        if let (ListKind::Map { keys, patch_key }, Type::List(Type::Struct(item))) = (field.list, field.ty) {
            let names = keys.iter().chain((!patch_key.is_empty()).then_some(&patch_key));
            wrong.extend(
                names
                    .filter(|name| item().field(name).is_none())
                    .map(|name| format!("{}.{}: {name}", of.name, field.name)),
            );
        } else if !matches!(field.list, ListKind::Atomic) && !matches!(field.ty, Type::List(_)) {
            wrong.push(format!("{}.{} is no list", of.name, field.name));
        }
        if let Some(inner) = struct_in(&field.ty) {
            wrong_keys(inner, seen, wrong);
        }
    }
}

/// Returns the struct that a type holds, at any depth of lists and maps.
fn struct_in(ty: &Type) -> Option<&'static Struct> {
    match ty {
        Type::Struct(of) => Some(of()),
        Type::List(item) | Type::Map(item) => struct_in(item),
        _ => None,
    }
}

#[test]
fn the_keys_of_every_keyed_list_are_fields_of_its_items() {
    let mut wrong = Vec::new();
    for kind in builtin().iter() {
        wrong_keys((kind.root)(), &mut Vec::new(), &mut wrong);
    }
    assert_eq!(wrong, [""; 0]);
}
