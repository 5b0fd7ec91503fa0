//! Writing: create, replace, patch, delete.
//!
//! Never decides what may be written; turns requests into calls of the write path and its results into answers.

use axum::body::Body;
use axum::response::Response;
use bowline_runtime::api::{FieldError, strict};
use bowline_runtime::store::objects::{Applier, Deleted, PatchKind, StatusError, UnknownFields, WriteOptions, Written};
use bytes::Bytes;
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::body::{self, Document};
use super::options::{self, ListOptions, WriteRequest};
use super::route::{self, Call};
use super::{answer, list, refusal};

const APPLY: &str = "application/apply-patch+yaml";
const PATCHES: [&str; 4] =
    ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json", APPLY];

/// Answers a `POST` to a collection.
pub(super) async fn create(call: Call, body: Body) -> Result<Response, StatusError> {
    let request = parse(&call, "CreateOptions")?;
    let mut document = route::read(&call, body).await?;
    body::drop_nulls(&mut document.value);
    let duplicates = admit(&call, &document, &request.options)?;
    let objects = &call.server.state.objects;
    let written = objects.create(call.kind, call.namespace(), document.value, &request.options).await?;
    finish(&call, &written, duplicates)
}

/// Answers a `PUT` to an object or its status.
pub(super) async fn update(call: Call, subresource: Option<&str>, body: Body) -> Result<Response, StatusError> {
    let request = parse(&call, "UpdateOptions")?;
    let mut document = route::read(&call, body).await?;
    body::drop_nulls(&mut document.value);
    let duplicates = admit(&call, &document, &request.options)?;
    let (objects, value) = (&call.server.state.objects, document.value);
    let written = match subresource {
        None => objects.update(call.kind, call.namespace(), &call.name, value, &request.options).await?,
        Some(_) => objects.update_status(call.kind, call.namespace(), &call.name, value, &request.options).await?,
    };
    finish(&call, &written, duplicates)
}

/// Answers a `PATCH` of an object or its status.
pub(super) async fn patch(call: Call, subresource: Option<&str>, body: Body) -> Result<Response, StatusError> {
    let request = parse(&call, "PatchOptions")?;
    let media_type = body::media_type(&call.parts.headers);
    if !PATCHES.contains(&media_type.as_str()) {
        return Err(refusal::media_type(&PATCHES));
    }
    if media_type != APPLY && request.force.is_some() {
        let error = FieldError::forbidden("force", "may not be specified for non-apply patch");
        return Err(refusal::options("PatchOptions.meta.k8s.io", &[error]));
    }
    let bytes = call.bytes(body).await?;
    let (document, written) = if media_type == APPLY {
        apply(&call, subresource, &request, &bytes).await?
    } else {
        let document = body::json(&bytes)?;
        check_duplicates(&document, &request.options)?;
        let written = change(&call, subresource, &request, kind_of(&media_type), &document.value).await?;
        (document, written)
    };
    finish(&call, &written, duplicate_warnings(&document, &request.options))
}

fn kind_of(media_type: &str) -> PatchKind {
    match media_type {
        "application/json-patch+json" => PatchKind::Json,
        "application/merge-patch+json" => PatchKind::Merge,
        _ => PatchKind::Strategic,
    }
}

async fn change(
    call: &Call,
    subresource: Option<&str>,
    request: &WriteRequest,
    patch: PatchKind,
    body: &Value,
) -> Result<Written, StatusError> {
    let (objects, namespace) = (&call.server.state.objects, call.namespace());
    objects.patch(call.kind, namespace, &call.name, patch, body, subresource, &request.options).await
}

async fn apply(
    call: &Call,
    subresource: Option<&str>,
    request: &WriteRequest,
    bytes: &Bytes,
) -> Result<(Document, Written), StatusError> {
    let mut document = body::yaml(bytes)?;
    admit(call, &document, &request.options)?;
    let config = std::mem::take(&mut document.value);
    let applier =
        Applier { manager: request.manager.as_deref().unwrap_or_default(), force: request.force.unwrap_or(false) };
    let (objects, namespace) = (&call.server.state.objects, call.namespace());
    let written =
        objects.apply(call.kind, namespace, &call.name, config, applier, subresource, &request.options).await?;
    Ok((document, written))
}

/// Answers a `PUT` of a namespace's `finalize`.
pub(super) async fn finalize(call: Call, body: Body) -> Result<Response, StatusError> {
    if call.parts.method != http::Method::PUT {
        return Err(refusal::method());
    }
    let request = parse(&call, "UpdateOptions")?;
    let document = route::read(&call, body).await?;
    let list = document.value.pointer("/spec/finalizers").and_then(Value::as_array);
    let finalizers: Vec<String> = list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let objects = &call.server.state.objects;
    let written = objects.finalize(call.kind, &call.name, &finalizers, &request.options).await?;
    finish(&call, &written, Vec::new())
}

/// Answers a `DELETE` of an object.
pub(super) async fn delete(call: Call, body: Body) -> Result<Response, StatusError> {
    let options = options::delete(&delete_body(&call, body).await?, &call.query)?;
    let objects = &call.server.state.objects;
    let stored = match objects.delete(call.kind, call.namespace(), &call.name, &options).await? {
        Deleted::Going(stored) => return call.object(StatusCode::OK, &stored.value()),
        Deleted::Gone(stored) => stored,
    };
    // A pod's last state is its answer, as upstream's registry has it.
    if call.kind.group.is_empty() && call.kind.kind == "Pod" {
        return call.object(StatusCode::OK, &stored.value());
    }
    let mut details = json!({"name": call.name, "kind": call.kind.plural, "uid": stored.uid()});
    if !call.kind.group.is_empty() {
        details["group"] = call.kind.group.into();
    }
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
    Ok(call.plain(StatusCode::OK, &status))
}

/// Answers a `DELETE` of a collection: each object by itself, as upstream; one that is gone meanwhile is no mistake.
pub(super) async fn delete_collection(call: Call, body: Body) -> Result<Response, StatusError> {
    let chosen = ListOptions::parse(call.kind, &call.query)?;
    let options = options::delete(&delete_body(&call, body).await?, &call.query)?;
    let objects = &call.server.state.objects;
    let mut values = Vec::new();
    for stored in objects.list(call.kind, call.namespace.as_deref(), &chosen.selectors).items {
        let key = stored.key();
        match objects.delete(call.kind, &key.namespace, &key.name, &options).await {
            Ok(Deleted::Gone(last) | Deleted::Going(last)) => values.push(Value::clone(&last.value())),
            Err(error) if error.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    list::of_values(&call, &values)
}

async fn delete_body(call: &Call, body: Body) -> Result<Value, StatusError> {
    let bytes = call.bytes(body).await?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    Ok(body::object(&call.parts.headers, &bytes)?.value)
}

/// Reads how a request writes.
pub(super) fn parse(call: &Call, what: &str) -> Result<WriteRequest, StatusError> {
    WriteRequest::parse(what, &call.query, call.header(header::USER_AGENT))
}

/// Refuses what a strict request may not hold: all unknown and duplicate fields at once. Returns warnings.
fn admit(call: &Call, document: &Document, options: &WriteOptions) -> Result<Vec<String>, StatusError> {
    if options.unknown == UnknownFields::Strict && !document.duplicates.is_empty() {
        let unknown = strict::unknown_fields(call.kind, &document.value);
        let unknown = unknown.iter().map(|field| match field.nearest {
            Some(nearest) => format!("unknown field \"{}\" (did you mean \"{nearest}\"?)", field.path),
            None => format!("unknown field \"{}\"", field.path),
        });
        let texts: Vec<String> = unknown.chain(duplicate_texts(document)).collect();
        return Err(StatusError::bad_request(format!("strict decoding error: {}", texts.join(", "))));
    }
    Ok(duplicate_warnings(document, options))
}

fn check_duplicates(document: &Document, options: &WriteOptions) -> Result<(), StatusError> {
    if options.unknown != UnknownFields::Strict || document.duplicates.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = duplicate_texts(document).collect();
    Err(StatusError::bad_request(format!("strict decoding error: {}", texts.join(", "))))
}

fn duplicate_texts(document: &Document) -> impl Iterator<Item = String> {
    document.duplicates.iter().map(|path| format!("duplicate field \"{path}\""))
}

fn duplicate_warnings(document: &Document, options: &WriteOptions) -> Vec<String> {
    if options.unknown == UnknownFields::Warn { duplicate_texts(document).collect() } else { Vec::new() }
}

/// Answers a write: the object, and what its writer should know of it.
fn finish(call: &Call, written: &Written, mut warnings: Vec<String>) -> Result<Response, StatusError> {
    warnings.extend(written.warnings.iter().cloned());
    let code = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = call.object(code, &written.object.value())?;
    answer::warn(response.headers_mut(), &warnings);
    Ok(response)
}
