//! OpenAPI as far as clients need it: which parameters a patch takes, and the schemas that `kubectl explain` shows.
//!
//! Patch operations advertise no media types: once one says strategic merge, kubectl computes patches from the schema's
//! merge keys instead of those built into it. Pure.

use axum::body::Body;
use axum::response::Response;
use bowline_runtime::api::{Kind, Kinds, crd};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer;

/// Answers `/openapi/v2` with an empty document in the one form that old clients read; they only ask that it is there.
pub(super) fn v2() -> Response {
    let media_type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    answer::typed(StatusCode::OK, media_type, Body::empty())
}

/// Returns the document of `/openapi/v3`: where to find the groups.
pub(super) fn index(kinds: &Kinds) -> Value {
    let paths: Map<String, Value> = kinds
        .iter()
        .map(prefix)
        .map(|prefix| (prefix.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{prefix}")})))
        .collect();
    json!({ "paths": paths })
}

/// Returns the document of a group and version, for example `apis/apps/v1`; `None` where nothing is served there.
pub(super) fn group(kinds: &Kinds, wanted: &str) -> Option<Value> {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for kind in kinds.iter().filter(|kind| prefix(kind) == wanted) {
        describe(kind, &mut paths, &mut schemas);
    }
    let found = !paths.is_empty();
    found.then(|| {
        json!({
            "openapi": "3.0.0", "info": {"title": "bowline", "version": env!("CARGO_PKG_VERSION")},
            "paths": paths, "components": {"schemas": schemas},
        })
    })
}

fn prefix(kind: &'static Kind) -> String {
    if kind.group.is_empty() { format!("api/{}", kind.version) } else { format!("apis/{}", kind.api_version()) }
}

fn describe(kind: &'static Kind, paths: &mut Map<String, Value>, schemas: &mut Map<String, Value>) {
    let gvk = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    let parameter =
        |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let written: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation"].into_iter().map(parameter).collect();
    let operation = |action: &str, parameters: &[Value]| {
        json!({
            "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk, "parameters": parameters,
            "responses": {"200": {"description": "OK"}},
        })
    };
    let root = format!("/{}", prefix(kind));
    let collection = if kind.namespaced() {
        format!("{root}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{root}/{}", kind.plural)
    };
    let list = operation("list", &[]);
    paths.insert(format!("{root}/{}", kind.plural), json!({"get": list}));
    paths.insert(collection.clone(), json!({"get": list, "post": operation("post", &written)}));
    let object = json!({
        "get": operation("get", &[]), "put": operation("put", &written), "patch": operation("patch", &written),
        "delete": operation("delete", &[parameter("dryRun")]),
    });
    paths.insert(format!("{collection}/{{name}}"), object);
    let mut schema = crd::schema((kind.root)());
    schema["properties"]["apiVersion"] = json!({"type": "string", "description": "Group and version of the object."});
    schema["properties"]["kind"] = json!({"type": "string", "description": "Kind of the object."});
    schema["x-kubernetes-group-version-kind"] = json!([gvk]);
    let group = if kind.group.is_empty() { "core" } else { kind.group };
    schemas.insert(format!("{group}.{}.{}", kind.version, kind.kind), schema);
}
