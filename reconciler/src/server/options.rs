//! The parameters of a request's query, taken apart and checked as Kubernetes checks them.
//!
//! Pure. A parameter that is not known is ignored, as upstream does.

use std::time::Duration;

use bowline_runtime::api::{FieldError, FieldErrorKind, Kind};
use bowline_runtime::store::objects::{
    DeleteOptions, Propagation, Selectors, StatusError, UnknownFields, WriteOptions,
};
use serde_json::Value;

use super::refusal;

/// The length of a field manager's name, as upstream.
const MANAGER_BYTES_MAX: usize = 128;

/// A query, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Takes a query string apart.
    pub(super) fn parse(text: &str) -> Self {
        Self(super::path::query(text))
    }

    /// Adds a parameter in front, where it counts.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(0, (name.to_owned(), value.to_owned()));
    }

    /// Returns the first value of a parameter, unless it is empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Returns all values of a parameter.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// Returns a truth value; `1` and `true` are true, and so is a bare name.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, StatusError> {
        let Some((_, value)) = self.0.iter().find(|(key, _)| key == name) else { return Ok(None) };
        match value.as_str() {
            "" | "1" | "true" | "True" | "TRUE" | "t" | "T" => Ok(Some(true)),
            "0" | "false" | "False" | "FALSE" | "f" | "F" => Ok(Some(false)),
            other => Err(refusal::parameter(name, other, "use `true` or `false`")),
        }
    }

    /// Returns a number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, StatusError> {
        let parse = |text: &str| text.parse().map_err(|error| refusal::parameter(name, text, error));
        self.text(name).map(parse).transpose()
    }
}

/// Which objects are read, and how (`ListOptions`).
#[derive(Clone, Debug)]
pub(super) struct ListOptions {
    /// Which objects are meant.
    pub selectors: Selectors,
    /// The revision that was given; `None` for none.
    pub revision: Option<u64>,
    /// Whether exactly that revision is meant.
    pub exact: bool,
    /// At most so many objects.
    pub limit: Option<usize>,
    /// Where to go on.
    pub continue_at: Option<String>,
    /// Whether to watch.
    pub watch: bool,
    /// Whether bookmarks are wanted.
    pub bookmarks: bool,
    /// Whether a watch begins with all objects; `None` for the old way, which the revision decides.
    pub initial: Option<bool>,
    /// How long a watch runs.
    pub timeout: Option<Duration>,
}

impl ListOptions {
    /// Reads the options of a list or watch.
    ///
    /// # Errors
    /// 400 for unreadable parameters, 422 for those that do not go together.
    pub(super) fn parse(kind: &'static Kind, query: &Query) -> Result<Self, StatusError> {
        let text = |name| query.text(name).unwrap_or_default();
        let selectors = Selectors::parse(kind, text("labelSelector"), text("fieldSelector"))?;
        let watch = query.flag("watch")?.unwrap_or(false);
        let initial = query.flag("sendInitialEvents")?;
        check_match(query, watch, initial)?;
        let revision = query.text("resourceVersion");
        let unreadable =
            |text: &str, error: std::num::ParseIntError| refusal::parameter("resourceVersion", text, error);
        Ok(Self {
            selectors,
            revision: revision.map(|text| text.parse().map_err(|error| unreadable(text, error))).transpose()?,
            exact: query.text("resourceVersionMatch") == Some("Exact"),
            limit: query.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0),
            continue_at: query.text("continue").map(str::to_owned),
            watch,
            bookmarks: query.flag("allowWatchBookmarks")?.unwrap_or(false),
            initial,
            timeout: query
                .number("timeoutSeconds")?
                .and_then(|seconds| u64::try_from(seconds).ok())
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
        })
    }
}

/// Checks which options go together (`apimachinery/pkg/apis/meta/internalversion/validation`).
fn check_match(query: &Query, watch: bool, initial: Option<bool>) -> Result<(), StatusError> {
    let mut errors = Vec::new();
    let mut forbid = |field: &str, why: &str| errors.push(FieldError::forbidden(field, why));
    let (given, continued) = (query.text("resourceVersionMatch"), query.text("continue").is_some());
    let revision = query.text("resourceVersion");
    let field = "resourceVersionMatch";
    if watch && initial.is_some() && given != Some("NotOlderThan") {
        forbid(field, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    }
    if watch && initial.is_none() && given.is_some() {
        forbid(field, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    }
    if !watch && initial.is_some() {
        forbid("sendInitialEvents", "sendInitialEvents is forbidden for list");
    }
    if given.is_some() && continued {
        forbid(field, "resourceVersionMatch is forbidden when continue is provided");
    }
    if !watch && given.is_some() && revision.is_none() {
        forbid(field, "resourceVersionMatch is forbidden unless resourceVersion is provided");
    }
    if !watch && given == Some("Exact") && revision == Some("0") {
        forbid(field, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    }
    let supported: &[&str] = if watch { &["NotOlderThan"] } else { &["Exact", "NotOlderThan"] };
    if let Some(other) = given.filter(|given| !supported.contains(given)) {
        errors.push(unsupported(field, other, supported));
    }
    if errors.is_empty() { Ok(()) } else { Err(refusal::options("ListOptions.meta.k8s.io", &errors)) }
}

fn unsupported(field: &str, value: &str, supported: &[&str]) -> FieldError {
    let list = supported.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(", ");
    FieldError::new(FieldErrorKind::NotSupported, field, format!("\"{value}\""), format!("supported values: {list}"))
}

/// How a request writes.
#[derive(Clone, Debug)]
pub(super) struct WriteRequest {
    /// What the write path is told.
    pub options: WriteOptions,
    /// The field manager, if the request names one.
    pub manager: Option<String>,
    /// Whether an apply takes fields that others own.
    pub force: Option<bool>,
}

impl WriteRequest {
    /// Reads the options of a write; `what` is their kind, for example `PatchOptions`.
    ///
    /// # Errors
    /// 422 for values that there are not.
    pub(super) fn parse(what: &str, query: &Query, user_agent: &str) -> Result<Self, StatusError> {
        let mut errors = Vec::new();
        let dry_run = query.all("dryRun").into_iter().filter(|value| !value.is_empty()).collect::<Vec<_>>();
        if let Some(other) = dry_run.iter().find(|value| *value != "All") {
            errors.push(unsupported("dryRun", other, &["All"]));
        }
        let unknown = match query.text("fieldValidation") {
            None | Some("Warn") => UnknownFields::Warn,
            Some("Strict") => UnknownFields::Strict,
            Some("Ignore") => UnknownFields::Ignore,
            Some(other) => {
                errors.push(unsupported("fieldValidation", other, &["Ignore", "Strict", "Warn"]));
                UnknownFields::Warn
            }
        };
        let manager = query.text("fieldManager").map(str::to_owned);
        if let Some(manager) = &manager {
            errors.extend(manager_errors(manager));
        }
        if !errors.is_empty() {
            return Err(refusal::options(&format!("{what}.meta.k8s.io"), &errors));
        }
        let agent: String = user_agent.split('/').next().unwrap_or_default().chars().take(MANAGER_BYTES_MAX).collect();
        let options = WriteOptions {
            manager: manager.clone().unwrap_or(if agent.is_empty() { "unknown".to_owned() } else { agent }),
            dry_run: !dry_run.is_empty(),
            unknown,
        };
        Ok(Self { options, manager, force: query.flag("force")? })
    }
}

fn manager_errors(manager: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if manager.len() > MANAGER_BYTES_MAX {
        let why = format!("may not be more than {MANAGER_BYTES_MAX} bytes");
        errors.push(FieldError::new(FieldErrorKind::TooLong, "fieldManager", "", why));
    }
    if manager.chars().any(char::is_control) {
        errors.push(FieldError::invalid(
            "fieldManager",
            format!("{manager:?}"),
            "should only contain printable characters",
        ));
    }
    errors
}

/// Reads the options of a deletion: from the body where there is one, else from the query.
///
/// # Errors
/// 400 for a body that is no `DeleteOptions`, 422 for values that there are not.
pub(super) fn delete(body: &Value, query: &Query) -> Result<DeleteOptions, StatusError> {
    if !body.is_null() {
        return delete_body(body);
    }
    let mut options = DeleteOptions { grace: query.number("gracePeriodSeconds")?, ..DeleteOptions::default() };
    let orphan = query.flag("orphanDependents")?;
    propagation(&mut options, query.text("propagationPolicy"), orphan, &query.all("dryRun"))?;
    Ok(options)
}

fn delete_body(body: &Value) -> Result<DeleteOptions, StatusError> {
    let malformed = |why: &str| StatusError::bad_request(format!("the body of the request is no DeleteOptions: {why}"));
    if !body.is_object() {
        return Err(malformed("it is no JSON object"));
    }
    if let Some(kind) = body["kind"].as_str().filter(|kind| *kind != "DeleteOptions") {
        return Err(malformed(&format!("its kind is `{kind}`")));
    }
    let text = |pointer: &str| match body.pointer(pointer) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(malformed(&format!("`{}` must be a string", pointer.trim_start_matches('/')))),
    };
    let grace = match &body["gracePeriodSeconds"] {
        Value::Null => None,
        value => Some(value.as_i64().ok_or_else(|| malformed("`gracePeriodSeconds` must be an integer"))?),
    };
    let orphan = match &body["orphanDependents"] {
        Value::Null => None,
        value => Some(value.as_bool().ok_or_else(|| malformed("`orphanDependents` must be true or false"))?),
    };
    let dry_run = match &body["dryRun"] {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect(),
        _ => return Err(malformed("`dryRun` must be a list")),
    };
    let mut options = DeleteOptions {
        grace,
        uid: text("/preconditions/uid")?,
        resource_version: text("/preconditions/resourceVersion")?,
        ..DeleteOptions::default()
    };
    propagation(&mut options, text("/propagationPolicy")?.as_deref(), orphan, &dry_run)?;
    Ok(options)
}

fn propagation(
    options: &mut DeleteOptions,
    policy: Option<&str>,
    orphan: Option<bool>,
    dry_run: &[String],
) -> Result<(), StatusError> {
    let mut errors = Vec::new();
    options.propagation = match (policy, orphan) {
        (Some(_), Some(_)) => {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            errors.push(FieldError::invalid("propagationPolicy", "", why));
            None
        }
        (Some("Background"), None) | (None, Some(false)) => Some(Propagation::Background),
        (Some("Foreground"), None) => Some(Propagation::Foreground),
        (Some("Orphan"), None) | (None, Some(true)) => Some(Propagation::Orphan),
        (Some(other), None) => {
            errors.push(unsupported("propagationPolicy", other, &["Foreground", "Background", "Orphan"]));
            None
        }
        (None, None) => None,
    };
    if let Some(other) = dry_run.iter().find(|value| *value != "All") {
        errors.push(unsupported("dryRun", other, &["All"]));
    }
    options.dry_run = !dry_run.is_empty();
    if errors.is_empty() { Ok(()) } else { Err(refusal::options("DeleteOptions.meta.k8s.io", &errors)) }
}
