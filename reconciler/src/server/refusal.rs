//! Refusals that the server itself makes, as Kubernetes words them.
//!
//! Wordings: `apimachinery/pkg/api/errors/errors.go`, `apiserver/pkg/endpoints/handlers/negotiation/errors.go`.

use std::fmt::Display;
use std::time::Duration;

use bowline_runtime::api::FieldError;
use bowline_runtime::store::objects::{Cause, StatusError};

fn plain(code: u16, reason: &'static str, message: impl Into<String>) -> StatusError {
    StatusError { code, reason, message: message.into(), details: Box::default() }
}

/// Nothing is served at this path: 404.
pub(super) fn unknown_path() -> StatusError {
    plain(404, "NotFound", "the server could not find the requested resource")
}

/// The path is served, but not by this method: 405.
pub(super) fn method() -> StatusError {
    plain(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
}

/// The client takes none of the forms there are: 406.
pub(super) fn not_acceptable() -> StatusError {
    plain(406, "NotAcceptable", "only the following media types are accepted: application/json")
}

/// The body has a form that is not read: 415.
pub(super) fn media_type(accepted: &[&str]) -> StatusError {
    let list = accepted.join(", ");
    let message = format!("the body of the request was in an unknown format - accepted media types include: {list}");
    plain(415, "UnsupportedMediaType", message)
}

/// The body is larger than this many bytes: 413.
pub(super) fn too_large(limit: usize) -> StatusError {
    plain(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
}

/// The body did not come in time: 408, as the connection is of no more use.
pub(super) fn too_slow(timeout: Duration) -> StatusError {
    plain(408, "Timeout", format!("the body of the request did not arrive within {timeout:?}"))
}

/// The client asks for a revision that is not there yet: 504 with the cause that clients look for.
pub(super) fn ahead(requested: u64, current: u64) -> StatusError {
    let mut status = plain(504, "Timeout", format!("Too large resource version: {requested}, current: {current}"));
    status.details.causes.push(Cause {
        reason: "ResourceVersionTooLarge",
        message: "Too large resource version".to_owned(),
        field: String::new(),
    });
    status
}

/// The state at a revision is not held any more: 410.
pub(super) fn expired(message: impl Into<String>) -> StatusError {
    plain(410, "Expired", message)
}

/// Options of a request break rules: 422. `what` is their kind with its group, for example `ListOptions.meta.k8s.io`.
pub(super) fn options(what: &str, errors: &[FieldError]) -> StatusError {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let list = if let [only] = &texts[..] { only.clone() } else { format!("[{}]", texts.join(", ")) };
    let mut status = plain(422, "Invalid", format!("{what} \"\" is invalid: {list}"));
    status.details.causes = errors
        .iter()
        .zip(&texts)
        .map(|(error, text)| Cause {
            reason: error.kind.reason(),
            message: text.strip_prefix(&format!("{}: ", error.path)).unwrap_or(text).to_owned(),
            field: error.path.clone(),
        })
        .collect();
    status
}

/// A parameter of the query cannot be read: 400.
pub(super) fn parameter(name: &str, value: &str, why: impl Display) -> StatusError {
    StatusError::bad_request(format!("invalid value \"{value}\" of the query parameter `{name}`: {why}"))
}
