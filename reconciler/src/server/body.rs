//! Bodies of requests: how large, how slow, in which form.
//!
//! Responsible for: bytes under limits, JSON with its duplicate fields found, YAML under the renderer's budgets.

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use bowline_runtime::store::objects::StatusError;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::refusal;
use crate::render;

/// Duplicate fields that are told of.
const DUPLICATES_MAX: usize = 20;

/// A body that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Document {
    /// The value; of a duplicate field the last one counts, as in Go.
    pub value: Value,
    /// The paths of fields that stand there more than once.
    pub duplicates: Vec<String>,
}

/// Reads a body of at most `limit` bytes that arrives within `timeout`.
///
/// # Errors
/// 413, 408, and 400 for a connection that broke.
pub(super) async fn bytes(body: Body, limit: usize, timeout: Duration) -> Result<Bytes, StatusError> {
    let collected = tokio::time::timeout(timeout, Limited::new(body, limit).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(refusal::too_large(limit)),
        Ok(Err(error)) => Err(StatusError::bad_request(format!("cannot read the body of the request: {error}"))),
        Err(_) => Err(refusal::too_slow(timeout)),
    }
}

/// Returns the media type of a body in lower case without its parameters; JSON where nothing is said.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if name.is_empty() { "application/json".to_owned() } else { name }
}

/// Reads an object in the form that its header names.
///
/// # Errors
/// 415 for another form than JSON and YAML, 400 for a malformed one.
pub(super) fn object(headers: &HeaderMap, bytes: &[u8]) -> Result<Document, StatusError> {
    match media_type(headers).as_str() {
        "application/json" => json(bytes),
        "application/yaml" => yaml(bytes),
        _ => Err(refusal::media_type(&["application/json", "application/yaml"])),
    }
}

/// Reads JSON.
///
/// # Errors
/// 400 with line and column.
pub(super) fn json(bytes: &[u8]) -> Result<Document, StatusError> {
    let mut duplicates = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Seed { path: String::new(), duplicates: &mut duplicates }.deserialize(&mut reader);
    let value = value.and_then(|value| reader.end().map(|()| value));
    let malformed = |error| StatusError::bad_request(format!("the body of the request is not valid JSON: {error}"));
    value.map(|value| Document { value, duplicates }).map_err(malformed)
}

/// Reads YAML, of which JSON is the form that programs send.
///
/// # Errors
/// 400 with the line; a duplicate field of YAML is a mistake in any case.
pub(super) fn yaml(bytes: &[u8]) -> Result<Document, StatusError> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
        && let Ok(document) = json(bytes)
    {
        return Ok(document);
    }
    let malformed = |why: &str| StatusError::bad_request(format!("the body of the request is not valid YAML: {why}"));
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(&error.to_string()))?;
    let value = render::document(text).map_err(|error| malformed(&error))?;
    Ok(Document { value, duplicates: Vec::new() })
}

/// Drops the fields that are null: to Go's decoder they are not there.
pub(super) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => map.retain(|_, item| {
            drop_nulls(item);
            !item.is_null()
        }),
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Reads a value and notes fields that come twice.
struct Seed<'a> {
    path: String,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is out of range"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, list.len());
            match items.next_element_seed(Seed { path, duplicates: &mut *self.duplicates })? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let path = if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
            let item = members.next_value_seed(Seed { path: path.clone(), duplicates: &mut *self.duplicates })?;
            if map.insert(name, item).is_some() && !self.duplicates.contains(&path) {
                if self.duplicates.len() >= DUPLICATES_MAX {
                    return Err(A::Error::custom("too many fields stand there twice"));
                }
                self.duplicates.push(path);
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_fields_are_found_at_their_path() {
        let found = json(br#"{"a": {"b": 1, "b": 2}, "l": [{"x": 1, "x": 1}], "a.c": null}"#).expect("is JSON");
        assert_eq!(found.duplicates, ["a.b", "l[0].x"]);
        assert_eq!(found.value, serde_json::json!({"a": {"b": 2}, "l": [{"x": 1}], "a.c": null}));
    }

    #[track_caller]
    fn check(case: &str, body: &str, expected: &str) {
        let error = yaml(body.as_bytes()).expect_err(case);
        assert_eq!(error.code, 400, "{case}");
        assert!(error.message.contains(expected), "{case}: {}", error.message);
    }

    #[test]
    fn malformed_yaml_is_refused_with_its_line() {
        check("two documents", "a: 1\n---\nb: 1\n", "2 documents");
        check("nothing", "# only a comment\n", "0 documents");
        check("a duplicate key", "a: 1\na: 2\n", "line 2");
        check("deep nesting", &"[".repeat(1000), "recursion limit");
        check("syntax", "a: [1\n", "line");
    }

    #[test]
    fn deeply_nested_json_is_refused() {
        let error = json("[".repeat(10_000).as_bytes()).expect_err("must not recurse");
        assert!(error.message.contains("recursion limit"), "{}", error.message);
    }
}
