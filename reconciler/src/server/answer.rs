//! Answers as they go over the wire.

use axum::body::Body;
use axum::response::Response;
use bowline_runtime::store::objects::StatusError;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;

/// The length of all warnings of an answer together; upstream's bound, as clients limit headers.
const WARNINGS_BYTES_MAX: usize = 4096;

/// Makes an answer of JSON text.
pub(super) fn raw(code: StatusCode, text: Vec<u8>) -> Response {
    typed(code, "application/json", Body::from(text))
}

/// Makes an answer of this media type.
pub(super) fn typed(code: StatusCode, media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// Makes an answer of a value; indented where the client is a person's.
pub(super) fn json(code: StatusCode, value: &Value, pretty: bool) -> Response {
    let text = if pretty { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) };
    let mut text = text.expect("invariant: a JSON value serialises");
    text.push(b'\n');
    raw(code, text)
}

/// Makes the answer to a request that is refused.
pub(super) fn refusal(status: &StatusError) -> Response {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(code, &status.to_value(), false);
    if matches!(status.code, 408 | 413) {
        // The rest of the body was not read: nothing more can come over this connection.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Adds a `Warning` header for each text (RFC 7234, section 5.5), until there are too many.
pub(super) fn warn(headers: &mut HeaderMap, warnings: &[String]) {
    let mut left = WARNINGS_BYTES_MAX;
    for warning in warnings {
        let mut text = String::from("299 - \"");
        for character in warning.chars().filter(|character| !character.is_control()) {
            if matches!(character, '"' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push('"');
        let Some(rest) = left.checked_sub(text.len()) else { return };
        left = rest;
        if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
            headers.append(header::WARNING, value);
        }
    }
}
