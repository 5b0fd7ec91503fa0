//! Errors that name a field, worded as Kubernetes words them.

use std::error::Error;
use std::fmt;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The path, for example `spec.containers[0].image`.
    pub path: String,
    /// The class of mistake.
    pub kind: FieldErrorKind,
    /// The offending value as JSON text; empty where none is shown. Never a secret.
    pub value: String,
    /// What the rule is.
    pub detail: String,
}

/// Kubernetes' classes of field errors (`apimachinery/pkg/util/validation/field/errors.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldErrorKind {
    /// A value must be given.
    Required,
    /// The value breaks a rule.
    Invalid,
    /// The value is not in the list of supported ones.
    NotSupported,
    /// The field may not be set here.
    Forbidden,
    /// The value is already used by a sibling.
    Duplicate,
    /// The text is too long.
    TooLong,
    /// The list has too many items.
    TooMany,
    /// What the value names does not exist.
    NotFound,
    /// The value has the wrong JSON type.
    TypeInvalid,
}

impl FieldErrorKind {
    /// Returns the wording that precedes the value in a message.
    pub fn label(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::Duplicate => "Duplicate value",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::NotFound => "Not found",
        }
    }

    /// Returns the reason in a `Status` cause.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::NotFound => "FieldValueNotFound",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }
}

impl FieldError {
    /// Builds an error of this class.
    pub fn new(
        kind: FieldErrorKind,
        path: impl Into<String>,
        value: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), kind, value: value.into(), detail: detail.into() }
    }
    /// A value must be given at `path`.
    pub fn required(path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::Required, path, "", detail)
    }
    /// The value at `path` breaks the rule in `detail`.
    pub fn invalid(path: impl Into<String>, value: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::Invalid, path, value, detail)
    }
    /// The field at `path` may not be set.
    pub fn forbidden(path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::Forbidden, path, "", detail)
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.kind.label())?;
        if !self.value.is_empty()
            && !matches!(self.kind, FieldErrorKind::Required | FieldErrorKind::Forbidden | FieldErrorKind::TooLong)
        {
            write!(f, ": {}", self.value)?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// Returns an error and its causes in one line, joined by `: `, for places that show one sentence: conditions, events,
/// a terminal. What a cause only repeats is said once.
pub fn chain(error: &dyn Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if texts.last().is_some_and(|last| text.starts_with(last.as_str())) {
            texts.pop();
        }
        if !texts.iter().any(|before| before.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Link(&'static str, #[source] Option<Box<Link>>);

    #[track_caller]
    fn check(case: &str, texts: &[&'static str], expected: &str) {
        let link = texts.iter().rev().fold(None, |cause, text| Some(Box::new(Link(text, cause))));
        assert_eq!(chain(&link.expect("an error")), expected, "{case}");
    }

    #[test]
    fn a_chain_of_errors_says_each_thing_once() {
        check("no cause", &["cannot read `a`"], "cannot read `a`");
        check(
            "causes in order",
            &["cannot start", "cannot read `a`", "denied"],
            "cannot start: cannot read `a`: denied",
        );
        check("said already", &["cannot read `a`: denied", "denied"], "cannot read `a`: denied");
        check("said again and longer", &["cannot read `a`", "cannot read `a`: denied"], "cannot read `a`: denied");
    }
}
