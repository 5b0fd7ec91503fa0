//! The `scale` subresource: a workload's count of pods, in one form for all kinds that have one.

use axum::body::Body;
use axum::response::Response;
use bowline_runtime::api::merge;
use bowline_runtime::api::{FieldError, Scale};
use bowline_runtime::store::objects::{PatchKind, StatusError};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::route::{self, Call};
use super::{body, refusal, write};

const PATCHES: [&str; 2] = ["application/json-patch+json", "application/merge-patch+json"];

/// Answers `GET`, `PUT` and `PATCH` of a `Scale`.
pub(super) async fn answer(call: Call, body: Body) -> Result<Response, StatusError> {
    let scale = call.kind.scale.ok_or_else(|| StatusError::no_subresource(call.kind, &call.name))?;
    let objects = &call.server.state.objects;
    let stored = objects.get(call.kind, call.namespace(), &call.name)?;
    let present = of(&scale, &stored.value());
    let wanted = match call.parts.method {
        Method::GET => return Ok(call.plain(StatusCode::OK, &present)),
        Method::PUT => route::read(&call, body).await?.value,
        Method::PATCH => patched(&call, &present, body).await?,
        _ => return Err(refusal::method()),
    };
    let change = change(&call, &scale, &wanted)?;
    let request = write::parse(&call, "UpdateOptions")?;
    let (kind, namespace) = (call.kind, call.namespace());
    let written = objects.patch(kind, namespace, &call.name, PatchKind::Merge, &change, None, &request.options).await?;
    Ok(call.plain(StatusCode::OK, &of(&scale, &written.object.value())))
}

async fn patched(call: &Call, present: &Value, body: Body) -> Result<Value, StatusError> {
    let bytes = call.bytes(body).await?;
    let patch = body::json(&bytes)?.value;
    let mut wanted = match body::media_type(&call.parts.headers).as_str() {
        "application/json-patch+json" => {
            merge::json_patch(present, &patch).map_err(|error| StatusError::unprocessable(&error.to_string()))?
        }
        // A Scale has no lists: a strategic merge is a plain one.
        "application/merge-patch+json" | "application/strategic-merge-patch+json" => {
            merge::merge_patch(present, &patch)
        }
        _ => return Err(refusal::media_type(&PATCHES)),
    };
    // The revision counts only where the patch itself names one.
    if patch.pointer("/metadata/resourceVersion").is_none()
        && let Some(metadata) = wanted["metadata"].as_object_mut()
    {
        metadata.remove("resourceVersion");
    }
    Ok(wanted)
}

/// Returns the merge patch that gives the object the count of a `Scale`.
fn change(call: &Call, scale: &Scale, wanted: &Value) -> Result<Value, StatusError> {
    let invalid = |value: &Value, why: &str| {
        let error = FieldError::invalid("spec.replicas", value.to_string(), why);
        refusal::options("Scale.autoscaling", &[error])
    };
    let replicas = match wanted.pointer("/spec/replicas") {
        None | Some(Value::Null) => 0,
        Some(value) => value
            .as_i64()
            .filter(|count| (0..=i64::from(i32::MAX)).contains(count))
            .ok_or_else(|| invalid(value, "must be greater than or equal to 0"))?,
    };
    let name = wanted.pointer("/metadata/name").and_then(Value::as_str).unwrap_or(&call.name);
    if name != call.name {
        let message = format!("the name of the object ({name}) does not match the name on the URL ({})", call.name);
        return Err(StatusError::bad_request(message));
    }
    let mut patch = nest(scale.spec, replicas.into());
    if let Some(version) = wanted.pointer("/metadata/resourceVersion") {
        patch["metadata"]["resourceVersion"] = version.clone();
    }
    Ok(patch)
}

/// Returns an object that has nothing but this value at this pointer.
fn nest(pointer: &str, value: Value) -> Value {
    pointer.rsplit('/').filter(|name| !name.is_empty()).fold(value, |inner, name| {
        let mut map = Map::new();
        map.insert(name.to_owned(), inner);
        Value::Object(map)
    })
}

fn of(scale: &Scale, value: &Value) -> Value {
    let count = |pointer: &str| value.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let mut metadata = Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(found) = value["metadata"].get(field) {
            metadata.insert(field.to_owned(), found.clone());
        }
    }
    let selector = value.pointer(scale.selector).map(selector_text).unwrap_or_default();
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": {"replicas": count(scale.spec)},
        "status": {"replicas": count(scale.status), "selector": selector},
    })
}

/// Writes a label selector as a query takes it.
fn selector_text(selector: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let mut parts: Vec<String> = labels.map(|(key, value)| format!("{key}={}", text(value))).collect();
    for requirement in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = text(&requirement["key"]);
        let values = requirement["values"].as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(",");
        parts.push(match requirement["operator"].as_str().unwrap_or_default() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key,
        });
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_reads_as_a_query_takes_it() {
        let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "DoesNotExist"},
        ]});
        assert_eq!(selector_text(&selector), "app=web,tier in (a,b),!old");
    }

    #[test]
    fn a_count_is_nested_as_its_pointer_says() {
        assert_eq!(nest("/spec/replicas", json!(3)), json!({"spec": {"replicas": 3}}));
    }
}
