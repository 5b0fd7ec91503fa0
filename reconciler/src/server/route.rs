//! From a request to the call it means.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bowline_runtime::api::Kind;
use bowline_runtime::store::objects::StatusError;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode, header};
use serde_json::Value;

use super::negotiate::{self, View};
use super::options::Query;
use super::path::{self, ObjectPath, Target};
use super::{Server, answer, body, bowline, discovery, exec, list, log, openapi, refusal, scale, watch, write};

/// A request for objects of one kind.
pub(super) struct Call {
    pub server: Arc<Server>,
    pub kind: &'static Kind,
    /// The namespace in the path; `None` over all namespaces and for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// The name in the path; empty for a collection.
    pub name: String,
    pub query: Query,
    pub parts: Parts,
}

impl Call {
    /// Returns the namespace as the write path takes it: empty for cluster-scoped kinds.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// Returns a header's text, or an empty one.
    pub(super) fn header(&self, name: header::HeaderName) -> &str {
        header_text(&self.parts, name)
    }

    /// Reads the body.
    pub(super) async fn bytes(&self, body: Body) -> Result<Bytes, StatusError> {
        let limits = &self.server.limits;
        body::bytes(body, limits.body_bytes, limits.body).await
    }

    /// Returns the form that the client wants.
    pub(super) fn view(&self) -> Result<View, StatusError> {
        negotiate::view(self.header(header::ACCEPT), self.query.text("includeObject"))
    }

    /// Answers with one object in the form that the client wants.
    pub(super) fn object(&self, code: StatusCode, value: &Value) -> Result<Response, StatusError> {
        let view = self.view()?;
        let now = self.server.state.objects.now();
        Ok(answer::json(code, &view.object(self.kind, value, now, true), pretty(&self.parts, &self.query)))
    }

    /// Answers with a value that has only one form.
    pub(super) fn plain(&self, code: StatusCode, value: &Value) -> Response {
        answer::json(code, value, pretty(&self.parts, &self.query))
    }
}

fn header_text(parts: &Parts, name: header::HeaderName) -> &str {
    parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether to indent: when asked to, and for what people hold in their hands.
fn pretty(parts: &Parts, query: &Query) -> bool {
    let agent = header_text(parts, header::USER_AGENT);
    let by_person = ["curl", "Wget", "Mozilla"].iter().any(|name| agent.starts_with(name));
    query.text("pretty").map_or(by_person, |value| value != "false" && value != "0")
}

/// Answers any request.
pub(super) async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    route(server, request).await.unwrap_or_else(|status| answer::refusal(&status))
}

async fn route(server: Arc<Server>, request: Request) -> Result<Response, StatusError> {
    let (parts, body) = request.into_parts();
    let mut query = Query::parse(parts.uri.query().unwrap_or_default());
    let mut path = parts.uri.path().to_owned();
    if let Some(endpoint) = path.strip_prefix("/bowline/v1/") {
        return bowline::answer(&server, endpoint, &parts, &query, body).await;
    }
    if let Some(rest) = watch_prefix(&path) {
        path = rest;
        query.set("watch", "true");
    }
    let kinds = server.state.objects.kinds();
    match path::parse(&path, kinds) {
        Target::Object(found) => {
            let ObjectPath { kind, namespace, name, subresource } = found;
            let call =
                Call { kind, namespace, name: name.unwrap_or_default(), query, parts, server: Arc::clone(&server) };
            objects(call, subresource.as_deref(), body).await
        }
        _ if parts.method != Method::GET => Err(refusal::unknown_path()),
        Target::Versions => Ok(document(&parts, &query, &discovery::versions())),
        Target::Groups => Ok(document(&parts, &query, &discovery::groups(kinds))),
        Target::Resources { group, version } => {
            let resources = discovery::resources(kinds, &group, &version).ok_or_else(refusal::unknown_path)?;
            Ok(document(&parts, &query, &resources))
        }
        Target::Unknown => root(&server, &path, &parts, &query),
    }
}

/// Returns the path that an old-style `…/watch/…` path stands for.
fn watch_prefix(path: &str) -> Option<String> {
    let segments: Vec<&str> = path.split('/').collect();
    let at = if segments.get(1) == Some(&"api") { 3 } else { 4 };
    if segments.get(at) != Some(&"watch") || segments.len() <= at + 1 {
        return None;
    }
    Some([&segments[..at], &segments[at + 1..]].concat().join("/"))
}

fn document(parts: &Parts, query: &Query, value: &Value) -> Response {
    answer::json(StatusCode::OK, value, pretty(parts, query))
}

/// Answers the paths beside `/api` and `/apis`.
fn root(server: &Server, path: &str, parts: &Parts, query: &Query) -> Result<Response, StatusError> {
    let kinds = server.state.objects.kinds();
    match path.trim_end_matches('/') {
        "/version" => Ok(document(parts, query, &discovery::version())),
        "/healthz" | "/livez" | "/readyz" => Ok(health(server)),
        "/openapi/v2" => Ok(openapi::v2()),
        "/openapi/v3" => Ok(document(parts, query, &openapi::index(kinds))),
        path => {
            let found = path.strip_prefix("/openapi/v3/").and_then(|group| openapi::group(kinds, group));
            found.map(|value| document(parts, query, &value)).ok_or_else(refusal::unknown_path)
        }
    }
}

/// A store that takes no more writes is all that can be unhealthy here.
fn health(server: &Server) -> Response {
    match server.state.objects.store().poison() {
        None => answer::typed(StatusCode::OK, "text/plain; charset=utf-8", Body::from("ok")),
        Some(cause) => {
            let text = format!("the store takes no more writes: {cause}");
            answer::typed(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", Body::from(text))
        }
    }
}

async fn objects(call: Call, subresource: Option<&str>, body: Body) -> Result<Response, StatusError> {
    // Refused before anything is done: a write that is stored is answered.
    if matches!(subresource, None | Some("status" | "finalize")) {
        call.view()?;
    }
    match subresource {
        None if call.name.is_empty() => collection(call, body).await,
        None | Some("status") => object(call, subresource, body).await,
        Some("scale") => scale::answer(call, body).await,
        Some("finalize") if is_core(call.kind, "Namespace") => write::finalize(call, body).await,
        Some("log") if is_core(call.kind, "Pod") => log::answer(call).await,
        Some("exec") if is_core(call.kind, "Pod") => exec::answer(call).await,
        Some(_) => Err(refusal::unknown_path()),
    }
}

fn is_core(kind: &Kind, name: &str) -> bool {
    kind.group.is_empty() && kind.kind == name
}

async fn collection(call: Call, body: Body) -> Result<Response, StatusError> {
    let whole = call.namespace.is_some() || !call.kind.namespaced();
    match call.parts.method {
        Method::GET => list::answer(call),
        Method::POST if whole => write::create(call, body).await,
        Method::DELETE if whole && !is_core(call.kind, "Namespace") => write::delete_collection(call, body).await,
        _ => Err(refusal::method()),
    }
}

async fn object(mut call: Call, subresource: Option<&str>, body: Body) -> Result<Response, StatusError> {
    let has_status = call.kind.has_status || is_core(call.kind, "Namespace");
    if subresource.is_some() && !has_status {
        return Err(StatusError::no_subresource(call.kind, &call.name));
    }
    match call.parts.method {
        Method::GET if subresource.is_none() && call.query.flag("watch")?.unwrap_or(false) => {
            let selector = format!("metadata.name={}", call.name);
            let given = call.query.text("fieldSelector").map(|given| format!("{given},{selector}"));
            call.query.set("fieldSelector", &given.unwrap_or(selector));
            watch::answer(call)
        }
        Method::GET => list::get(&call),
        Method::PUT => write::update(call, subresource, body).await,
        Method::PATCH => write::patch(call, subresource, body).await,
        Method::DELETE if subresource.is_none() => write::delete(call, body).await,
        _ => Err(refusal::method()),
    }
}

/// Reads the object in the body of a write.
pub(super) async fn read(call: &Call, body: Body) -> Result<body::Document, StatusError> {
    let bytes = call.bytes(body).await?;
    body::object(&call.parts.headers, &bytes)
}
