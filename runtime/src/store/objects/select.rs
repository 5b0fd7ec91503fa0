//! Choosing objects by labels and by fields, as `kubectl -l` and `--field-selector` write it.
//!
//! Responsible for: parsing and matching. Which fields a kind can be chosen by is Kubernetes' list
//! (`pkg/apis/*/v1/conversion.go`); any other is refused, so that a client never takes "all" for "those".

use std::collections::BTreeMap;

use serde_json::Value;

use super::status::StatusError;
use crate::api::Kind;
use crate::store::Stored;

/// Which objects of a list or watch are meant; the default means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selectors {
    labels: Vec<LabelRequirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct LabelRequirement {
    key: String,
    test: LabelTest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum LabelTest {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldRequirement {
    pointer: String,
    value: String,
    equal: bool,
}

impl Selectors {
    /// Parses a `labelSelector` and a `fieldSelector` for a kind; empty texts choose everything.
    ///
    /// # Errors
    /// 400 for a text that is no selector, or for a field the kind cannot be chosen by.
    pub fn parse(kind: &'static Kind, labels: &str, fields: &str) -> Result<Self, StatusError> {
        let labels = split_outside_parentheses(labels).into_iter().map(parse_label).collect::<Result<_, _>>()?;
        let fields = fields.split(',').map(str::trim).filter(|part| !part.is_empty());
        let fields = fields.map(|part| parse_field(kind, part)).collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether an object is meant.
    pub fn matches(&self, stored: &Stored) -> bool {
        self.labels.iter().all(|requirement| requirement.matches(stored.labels()))
            && self.fields.iter().all(|requirement| requirement.matches(&stored.value()))
    }
}

impl LabelRequirement {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match &self.test {
            LabelTest::In(values) => value.is_some_and(|value| values.contains(value)),
            LabelTest::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            LabelTest::Exists => value.is_some(),
            LabelTest::Absent => value.is_none(),
        }
    }
}

impl FieldRequirement {
    fn matches(&self, object: &Value) -> bool {
        let found = match object.pointer(&self.pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None if FALSE_WHEN_ABSENT.contains(&self.pointer.as_str()) => "false".to_owned(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        (found == self.value) == self.equal
    }
}

/// Splits at commas that do not stand inside `in (…)`.
fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = text.split(move |character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn parse_label(part: &str) -> Result<LabelRequirement, StatusError> {
    let broken = |why: &str| StatusError::bad_request(format!("unable to parse requirement `{part}`: {why}"));
    let (key, test) = if let Some(key) = part.strip_prefix('!') {
        (key, LabelTest::Absent)
    } else if let Some((key, value)) = part.split_once("!=") {
        (key, LabelTest::NotIn(vec![value.trim().to_owned()]))
    } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        (key, LabelTest::In(vec![value.trim().to_owned()]))
    } else if let Some((head, values)) = part.split_once('(') {
        let values = values.strip_suffix(')').ok_or_else(|| broken("`)` is missing"))?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        match head.split_whitespace().collect::<Vec<_>>()[..] {
            [key, "in"] => (key, LabelTest::In(values)),
            [key, "notin"] => (key, LabelTest::NotIn(values)),
            _ => return Err(broken("expected `in` or `notin` before `(`")),
        }
    } else {
        (part, LabelTest::Exists)
    };
    let key = key.trim();
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-_./".contains(character);
    if key.is_empty() || !key.chars().all(allowed) {
        return Err(broken("expected a label key"));
    }
    let (LabelTest::In(values) | LabelTest::NotIn(values)) = &test else {
        return Ok(LabelRequirement { key: key.to_owned(), test });
    };
    if values.iter().any(|value| !value.chars().all(|character| allowed(character) && character != '/')) {
        return Err(broken("expected a label value: letters, digits, `-`, `_` and `.`"));
    }
    Ok(LabelRequirement { key: key.to_owned(), test })
}

fn parse_field(kind: &'static Kind, part: &str) -> Result<FieldRequirement, StatusError> {
    let invalid = || StatusError::bad_request(format!("invalid selector: '{part}'; can't understand '{part}'"));
    let (path, value, equal) = match part.split_once("!=") {
        Some((path, value)) => (path, value, false),
        None => {
            let (path, value) = part.split_once("==").or_else(|| part.split_once('=')).ok_or_else(invalid)?;
            (path, value, true)
        }
    };
    let path = path.trim();
    if !["metadata.name", "metadata.namespace"].contains(&path) && !selectable(kind).contains(&path) {
        return Err(StatusError::bad_request(format!("field label not supported: {path}")));
    }
    let path = if path == "spec.host" { "spec.nodeName" } else { path };
    Ok(FieldRequirement { pointer: format!("/{}", path.replace('.', "/")), value: value.trim().to_owned(), equal })
}

/// Booleans that are not written when they are false.
const FALSE_WHEN_ABSENT: [&str; 2] = ["/spec/unschedulable", "/spec/hostNetwork"];

/// Returns the fields of a kind that a selector may name, beside name and namespace.
fn selectable(kind: &Kind) -> &'static [&'static str] {
    match (kind.group, kind.kind) {
        ("", "Pod") => &[
            "spec.nodeName",
            "spec.host",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("", "Node") => &["spec.unschedulable"],
        ("", "Namespace") => &["status.phase"],
        ("", "Secret") => &["type"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("batch", "Job") => &["status.successful"],
        _ => &[],
    }
}
