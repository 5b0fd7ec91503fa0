//! The answer to a write that was refused, as Kubernetes words it.
//!
//! Wordings: `apimachinery/pkg/api/errors/errors.go`.

use serde_json::{Map, Value, json};

use crate::api::{FieldError, Kind};
use crate::store::{CommitError, Expired};

/// A refusal: Kubernetes' `Status` of a failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StatusError {
    /// The HTTP status code.
    pub code: u16,
    /// One word for programs.
    pub reason: &'static str,
    /// One sentence for people.
    pub message: String,
    /// What it is about.
    pub details: Box<Details>,
}

/// What a [`StatusError`] is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// The object's name; may be empty.
    pub name: String,
    /// The object's API group; empty for the core group.
    pub group: &'static str,
    /// The resource's plural, or the kind's name for an invalid object.
    pub kind: &'static str,
    /// Why, field by field.
    pub causes: Vec<Cause>,
}

/// One reason of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// One word for programs, for example `FieldValueInvalid`.
    pub reason: &'static str,
    /// One sentence for people.
    pub message: String,
    /// The field, for example `spec.replicas`; may be empty.
    pub field: String,
}

impl StatusError {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Box::default() }
    }

    fn about(mut self, kind: &'static Kind, name: &str) -> Self {
        self.details.name = name.to_owned();
        self.details.group = kind.group;
        self.details.kind = kind.plural;
        self
    }

    fn because(mut self, reason: &'static str, message: impl Into<String>, field: impl Into<String>) -> Self {
        self.details.causes.push(Cause { reason, message: message.into(), field: field.into() });
        self
    }

    /// The request makes no sense: 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }
    /// There is no such object: 404.
    pub fn not_found(kind: &'static Kind, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", kind.resource())).about(kind, name)
    }
    /// The kind has no such subresource: 404.
    pub fn no_subresource(kind: &'static Kind, name: &str) -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").about(kind, name)
    }
    /// There is such an object already: 409.
    pub fn already_exists(kind: &'static Kind, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", kind.resource())).about(kind, name)
    }
    /// The object is not the one that was read: 409.
    pub fn conflict(kind: &'static Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.resource());
        Self::new(409, "Conflict", message).about(kind, name)
    }
    /// The object was changed since it was read: 409.
    pub fn modified(kind: &'static Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }
    /// Fields of the object break rules: 422, one cause for each.
    pub fn invalid(kind: &'static Kind, name: &str, errors: &[FieldError]) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for error in errors {
            let text = error.to_string();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let list = if let [only] = &texts[..] { only.clone() } else { format!("[{}]", texts.join(", ")) };
        let dot = if kind.group.is_empty() { "" } else { "." };
        let message = format!("{}{dot}{} \"{name}\" is invalid: {list}", kind.kind, kind.group);
        let mut status = Self::new(422, "Invalid", message).about(kind, name);
        status.details.kind = kind.kind;
        for error in errors {
            let text = error.to_string();
            // A cause names the field beside the message, not in it.
            let message = text.strip_prefix(&error.path).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&text);
            status = status.because(error.kind.reason(), message, error.path.clone());
        }
        status
    }
    /// A patch does not fit the object: 422.
    pub fn unprocessable(why: &str) -> Self {
        let message = format!("the server rejected our request due to an error in our request: {why}");
        Self::new(422, "Invalid", message)
    }
    /// The kind takes no patch of this format: 415.
    pub fn unsupported_patch() -> Self {
        let message = "the body of the request was in an unknown format - accepted media types include: \
            application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
        Self::new(415, "UnsupportedMediaType", message)
    }
    /// The request asks for too much at once: 413.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(413, "RequestEntityTooLarge", message)
    }
    /// The object may not be written: 403.
    pub fn forbidden(kind: &'static Kind, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.resource());
        Self::new(403, "Forbidden", message).about(kind, name)
    }
    /// Nothing new may be made in a namespace that is going: 403 with the cause that controllers look for.
    pub fn namespace_terminating(kind: &'static Kind, name: &str, namespace: &str) -> Self {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let cause = format!("namespace {namespace} is being terminated");
        Self::forbidden(kind, name, &why).because("NamespaceTerminating", cause, "metadata.namespace")
    }
    /// The namespace to create in does not exist: 404.
    pub fn namespace_not_found(namespace: &str) -> Self {
        let mut status = Self::new(404, "NotFound", format!("namespaces \"{namespace}\" not found"));
        status.details.name = namespace.to_owned();
        status.details.kind = "namespaces";
        status
    }
    /// Others own the fields of an apply: 409, one cause for each field.
    pub fn apply_conflict(message: impl Into<String>, causes: Vec<Cause>) -> Self {
        let mut status = Self::new(409, "Conflict", message);
        status.details.causes = causes;
        status
    }
    /// Something in here is wrong: 500.
    pub fn internal(why: &str) -> Self {
        let message = format!("Internal error occurred: {why}");
        Self::new(500, "InternalError", message).because("", why, "")
    }
    /// The store takes no writes now: 503.
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", why)
    }

    /// Returns the `Status` object that is sent.
    pub fn to_value(&self) -> Value {
        let mut details = Map::new();
        let mut text = |field: &str, text: &str| {
            if !text.is_empty() {
                details.insert(field.to_owned(), text.into());
            }
        };
        text("name", &self.details.name);
        text("group", self.details.group);
        text("kind", self.details.kind);
        let causes: Vec<Value> = self.details.causes.iter().map(Cause::to_value).collect();
        if !causes.is_empty() {
            details.insert("causes".to_owned(), causes.into());
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if !details.is_empty() {
            status["details"] = details.into();
        }
        status
    }
}

impl Cause {
    fn to_value(&self) -> Value {
        let mut cause = Map::new();
        for (name, text) in [("reason", self.reason), ("message", &self.message), ("field", &self.field)] {
            if !text.is_empty() {
                cause.insert(name.to_owned(), text.into());
            }
        }
        cause.into()
    }
}

impl From<Expired> for StatusError {
    fn from(expired: Expired) -> Self {
        Self::new(410, "Expired", expired.to_string())
    }
}

impl From<CommitError> for StatusError {
    /// Answers what is no fault of the request; a conflict is worded by the one who knows what was tried.
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Full { .. } | CommitError::Poisoned { .. } => Self::unavailable(error.to_string()),
            CommitError::Malformed { .. } => Self::bad_request(error.to_string()),
            CommitError::Conflict { .. } => Self::new(409, "Conflict", error.to_string()),
        }
    }
}
