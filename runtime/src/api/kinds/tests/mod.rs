//! Tests of the declarations as a whole.

mod defaults;
mod fabricate;
mod round_trip;
mod rules;
mod rules_of_pods;
mod rules_of_workloads;
mod strict;
mod updates;

use serde_json::{Value, json};

use super::builtin;
use crate::api::Kind;

/// Returns the kind of a manifest.
#[track_caller]
fn kind_of(value: &Value) -> &'static Kind {
    let text = |field: &str| value[field].as_str().unwrap_or_default();
    builtin().find(text("apiVersion"), text("kind")).expect("a built-in kind")
}

/// Returns a Deployment that is fine.
fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "default" },
        "spec": {
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "example.org/web:1" }] },
            },
        },
    })
}

/// Returns a Pod that is fine.
fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "web", "namespace": "default" },
        "spec": { "containers": [{ "name": "web", "image": "example.org/web:1" }] },
    })
}

/// Returns a Job that is fine.
fn job() -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": { "name": "once", "namespace": "default" },
        "spec": { "template": { "spec": { "restartPolicy": "Never", "containers": [{ "name": "main", "image": "example.org/once:1" }] } } },
    })
}

/// Returns a CronJob that is fine.
fn cron_job() -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": { "name": "nightly", "namespace": "default" },
        "spec": { "schedule": "0 3 * * *", "jobTemplate": { "spec": job()["spec"] } },
    })
}

/// Sets the value at a JSON pointer, making objects on the way; a number beyond a list's end appends.
fn with(mut value: Value, pointer: &str, new: Value) -> Value {
    let mut place = &mut value;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/");
        place = match token.parse::<usize>() {
            Ok(index) if place.is_array() || place.is_null() => {
                if place.is_null() {
                    *place = json!([]);
                }
                let list = place.as_array_mut().expect("a list");
                if index >= list.len() {
                    list.push(Value::Null);
                }
                let index = index.min(list.len() - 1);
                &mut list[index]
            }
            _ => &mut place[token.as_str()],
        };
    }
    *place = new;
    value
}
