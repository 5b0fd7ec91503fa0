//! What can be wrong with the files of an application.
//!
//! Responsible for: one error type that carries where (file, line, column), what, and what to do.
//!
//! Must never: hold the text of a manifest, which may be a secret.

use std::fmt;
use std::sync::Arc;

use bowline_runtime::api::chain;

use crate::source::ReadError;

/// A mistake in one place of one file.
#[derive(Debug)]
pub struct RenderError {
    /// The file, relative to the root of the repository or directory.
    pub file: Arc<str>,
    /// The line, counted from 1; `None` where the whole file or directory is meant.
    pub line: Option<u32>,
    /// The column, counted from 1.
    pub column: Option<u32>,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong in the place a [`RenderError`] names.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file or directory could not be read from the commit or directory.
    #[error("{}", chain(.0))]
    Read(#[source] ReadError),
    /// The directory that is to be rendered is not there.
    #[error("there is no directory `{path}` in this revision{}", nearest_names(.near))]
    NoSuchDirectory {
        /// The directory asked for.
        path: String,
        /// The most similar names that do exist.
        near: Vec<String>,
    },
    /// The YAML or JSON text is malformed.
    #[error("{message}{}", hint_text(.hint))]
    Syntax {
        /// The parser's finding.
        message: String,
        /// What probably is meant.
        hint: &'static str,
    },
    /// A mapping has one key twice.
    #[error("the key `{key}` is already set on line {first}")]
    DuplicateKey {
        /// The key.
        key: String,
        /// The line of the first one.
        first: u32,
    },
    /// A value or key means nothing that JSON can hold.
    #[error("{0}")]
    Value(String),
    /// A limit of the renderer is exceeded.
    #[error("{what} (limit: {limit})")]
    Budget {
        /// What is too large.
        what: &'static str,
        /// The limit, with its unit.
        limit: String,
    },
    /// A document is no Kubernetes object.
    #[error("{reason}: a manifest has `apiVersion`, `kind` and `metadata.name`{}; list files that are no manifests in `.bowlineignore`", nearest_names(.near))]
    NotAnObject {
        /// What is missing or of the wrong type.
        reason: String,
        /// Keys that look like a missing one.
        near: Vec<String>,
    },
    /// Two documents declare one object.
    #[error("{object} is already declared at {first}: an object may be declared once per application")]
    DuplicateObject {
        /// Kind, namespace and name.
        object: String,
        /// `file:line` of the first one.
        first: String,
    },
    /// An entry of the tree that is not followed.
    #[error("{0}")]
    Entry(&'static str),
    /// A pattern in `.bowlineignore` is not understood.
    #[error("the pattern `{0}` is not understood: `*`, `**`, `?` and a trailing `/` are")]
    IgnorePattern(String),
}

impl RenderError {
    /// Makes an error that means a whole file.
    pub(super) fn file(file: &Arc<str>, problem: Problem) -> Self {
        Self { file: file.clone(), line: None, column: None, problem }
    }

    /// Makes an error at a line.
    pub(super) fn line(file: &Arc<str>, line: u32, problem: Problem) -> Self {
        Self { file: file.clone(), line: Some(line), column: None, problem }
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.file.is_empty() { "." } else { &self.file })?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for RenderError {}

fn nearest_names(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!(" (nearest: {})", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
}

fn hint_text(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
