//! The two patch formats that know no schema: JSON merge patch (RFC 7386) and JSON patch (RFC 6902).

use json_patch::{PatchErrorKind, PatchOperation};
use serde_json::Value;

/// Most operations in one JSON patch, as in Kubernetes: what a patch costs is bounded before it runs.
pub const OPERATIONS_MAX: usize = 10_000;
/// Most bytes that the copy operations of one JSON patch may add, as in Kubernetes: copies of copies double.
pub const COPIED_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Why a JSON patch cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonPatchError {
    /// The patch is not a list of operations; the answer is 400.
    #[error("cannot read the JSON patch: {0}")]
    Malformed(String),
    /// The patch is too large; the answer is 413.
    #[error("The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {0}")]
    TooManyOperations(usize),
    /// Copies would make the object too large; the answer is 413.
    #[error("cannot apply operation {0} of the JSON patch: copies may add at most {COPIED_BYTES_MAX} bytes in all")]
    CopiesTooMuch(usize),
    /// A `test` operation found another value; the answer is 422.
    #[error("cannot apply operation {operation} of the JSON patch: testing value at `{path}` failed")]
    TestFailed {
        /// Place of the operation, from 0.
        operation: usize,
        /// The JSON pointer.
        path: String,
    },
    /// An operation names something that does not exist; the answer is 422.
    #[error("cannot apply operation {operation} of the JSON patch at `{path}`: {reason}")]
    Failed {
        /// Place of the operation, from 0.
        operation: usize,
        /// The JSON pointer.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl JsonPatchError {
    /// Returns the HTTP status code.
    pub fn code(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::TooManyOperations(_) | Self::CopiesTooMuch(_) => 413,
            Self::TestFailed { .. } | Self::Failed { .. } => 422,
        }
    }
}

/// Returns `live` with a JSON merge patch applied: objects merge, null removes, anything else replaces.
pub fn merge_patch(live: &Value, patch: &Value) -> Value {
    let mut patched = live.clone();
    json_patch::merge(&mut patched, patch);
    patched
}

/// Returns `live` with the operations of a JSON patch applied in order; all of them or none.
///
/// # Errors
/// See [`JsonPatchError`].
pub fn json_patch(live: &Value, patch: &Value) -> Result<Value, JsonPatchError> {
    use serde::Deserialize as _;
    let count = patch.as_array().map_or(0, Vec::len);
    if count > OPERATIONS_MAX {
        return Err(JsonPatchError::TooManyOperations(count));
    }
    let operations =
        Vec::<PatchOperation>::deserialize(patch).map_err(|error| JsonPatchError::Malformed(error.to_string()))?;
    // The crate's own roll-back has paths that panic; a copy is thrown away instead.
    let mut patched = live.clone();
    let mut copied = 0;
    for (place, operation) in operations.iter().enumerate() {
        if let PatchOperation::Copy(copy) = operation {
            copied += patched.pointer(copy.from.as_str()).map_or(0, |source| source.to_string().len());
            if copied > COPIED_BYTES_MAX {
                return Err(JsonPatchError::CopiesTooMuch(place));
            }
        }
        json_patch::patch_unsafe(&mut patched, std::slice::from_ref(operation))
            .map_err(|error| failed(place, operation, &error.kind))?;
    }
    Ok(patched)
}

fn failed(operation: usize, patch: &PatchOperation, kind: &PatchErrorKind) -> JsonPatchError {
    let path = patch.path().to_string();
    match kind {
        PatchErrorKind::TestFailed => JsonPatchError::TestFailed { operation, path },
        kind => JsonPatchError::Failed { operation, path, reason: kind.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_merge(case: &str, live: &Value, patch: &Value, expected: &Value) {
        assert_eq!(&merge_patch(live, patch), expected, "{case}");
    }

    #[test]
    fn a_merge_patch_follows_rfc_7386() {
        check_merge("add and replace", &json!({"a": 1}), &json!({"a": 2, "b": 3}), &json!({"a": 2, "b": 3}));
        check_merge(
            "null removes",
            &json!({"a": {"b": 1, "c": 2}}),
            &json!({"a": {"b": null}}),
            &json!({"a": {"c": 2}}),
        );
        check_merge("lists are replaced", &json!({"a": [1, 2]}), &json!({"a": [3]}), &json!({"a": [3]}));
        check_merge("nulls in a new object vanish", &json!({}), &json!({"a": {"b": null}}), &json!({"a": {}}));
        check_merge("an object replaces a scalar", &json!({"a": 1}), &json!({"a": {"b": 1}}), &json!({"a": {"b": 1}}));
    }

    #[track_caller]
    fn check_patch(case: &str, live: &Value, patch: &Value, expected: Result<Value, (u16, &str)>) {
        let got = json_patch(live, patch).map_err(|error| (error.code(), error.to_string()));
        assert_eq!(got, expected.map_err(|(code, text)| (code, text.to_owned())), "{case}");
    }

    #[test]
    fn a_json_patch_applies_in_order_or_not_at_all() {
        let live = json!({"a": {"b/c": 1}, "l": [1, 2]});
        check_patch(
            "several",
            &live,
            &json!([
                {"op": "test", "path": "/a/b~1c", "value": 1},
                {"op": "add", "path": "/l/-", "value": 3},
                {"op": "remove", "path": "/l/0"},
                {"op": "move", "from": "/a/b~1c", "path": "/x"},
                {"op": "copy", "from": "/l", "path": "/m"},
                {"op": "replace", "path": "/x", "value": 9}
            ]),
            Ok(json!({"a": {}, "l": [2, 3], "m": [2, 3], "x": 9})),
        );
        check_patch(
            "test",
            &live,
            &json!([{"op": "test", "path": "/l/0", "value": 5}]),
            Err((422, "cannot apply operation 0 of the JSON patch: testing value at `/l/0` failed")),
        );
        check_patch(
            "missing",
            &live,
            &json!([{"op": "add", "path": "/new", "value": 5}, {"op": "remove", "path": "/gone"}]),
            Err((422, "cannot apply operation 1 of the JSON patch at `/gone`: path is invalid")),
        );
        check_patch(
            "the end of an empty list",
            &json!({"l": []}),
            &json!([{"op": "remove", "path": "/l/-"}]),
            Err((422, "cannot apply operation 0 of the JSON patch at `/l/-`: path is invalid")),
        );
        check_patch(
            "the whole object",
            &live,
            &json!([{"op": "remove", "path": ""}]),
            Err((422, "cannot apply operation 0 of the JSON patch at ``: path is invalid")),
        );
    }

    #[test]
    fn a_json_patch_is_bounded() {
        let many: Vec<Value> = (0..=OPERATIONS_MAX).map(|_| json!({"op": "test", "path": "", "value": {}})).collect();
        assert_eq!(json_patch(&json!({}), &Value::Array(many)), Err(JsonPatchError::TooManyOperations(10_001)));
        let doubling: Vec<Value> =
            (0..64).map(|place| json!({"op": "copy", "from": "", "path": format!("/x{place}")})).collect();
        let result = json_patch(&json!({"x": "0123456789"}), &Value::Array(doubling));
        assert!(matches!(result, Err(JsonPatchError::CopiesTooMuch(_))), "{result:?}");
        assert!(matches!(json_patch(&json!({}), &json!({"op": "add"})), Err(JsonPatchError::Malformed(_))));
    }
}
