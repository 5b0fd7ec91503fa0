//! A document that is a Kubernetes object.
//!
//! Responsible for: the object's value with its origin and lines, its name, and flattening of `kind: List`.
//!
//! Must never: know which kinds exist or which fields they have.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::error::{Problem, RenderError};
use super::nearest;
use super::position::Positions;
use super::yaml::{Document, Kind, Node};

/// Where a manifest stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, relative to the root of the repository or directory.
    pub file: Arc<str>,
    /// The line its first key stands on, counted from 1.
    pub line: u32,
    /// Which document of the file it is, counted from 1.
    pub document: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One object as a file declares it.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The object as JSON. `apiVersion`, `kind` and `metadata.name` are texts that are not empty.
    pub value: Value,
    /// Where it stands.
    pub origin: Origin,
    /// Where its values stand.
    pub positions: Positions,
}

/// What tells two objects apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace, the default one filled in.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        write!(f, "`{}{dot}{}` `{}/{}`", self.kind, self.group, self.namespace, self.name)
    }
}

impl Manifest {
    /// Returns the name of the object; one without a namespace gets `default_namespace`.
    pub fn name(&self, default_namespace: &str) -> ObjectName {
        let text = |pointer| self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let namespace = text("/metadata/namespace");
        ObjectName {
            group: text("/apiVersion").rsplit_once('/').map_or("", |(group, _)| group).to_owned(),
            kind: text("/kind").to_owned(),
            namespace: if namespace.is_empty() { default_namespace } else { namespace }.to_owned(),
            name: text("/metadata/name").to_owned(),
        }
    }

    /// Returns the line, counted from 1, of the field a Kubernetes path names (`spec.containers[0].image`), or of its
    /// nearest parent in the file.
    pub fn line_of(&self, field_path: &str) -> u32 {
        self.positions.line_of(field_path).unwrap_or(self.origin.line)
    }
}

/// Lists within lists; `kubectl get -o yaml` never writes more than one level.
const LISTS_MAX: usize = 4;

/// Adds the objects of a document to `objects`, or its mistakes to `errors`.
pub(super) fn collect(
    file: &Arc<str>,
    document: &Document,
    objects: &mut Vec<Manifest>,
    errors: &mut Vec<RenderError>,
) {
    if let Some(root) = &document.root {
        let mut collector = Collector { file, document: document.number, objects, errors };
        collector.node(root, 0);
    }
}

struct Collector<'a> {
    file: &'a Arc<str>,
    document: u32,
    objects: &'a mut Vec<Manifest>,
    errors: &'a mut Vec<RenderError>,
}

impl Collector<'_> {
    fn node(&mut self, node: &Node, lists: usize) {
        if let Some(items) = list_items(node) {
            if lists >= LISTS_MAX {
                let problem =
                    Problem::Budget { what: "lists are nested too deep", limit: format!("{LISTS_MAX} levels") };
                return self.errors.push(RenderError::line(self.file, node.line, problem));
            }
            return items.iter().filter(|item| !item.is_null()).for_each(|item| self.node(item, lists + 1));
        }
        if let Err(problem) = check_object(node) {
            return self.errors.push(RenderError::line(self.file, node.line, problem));
        }
        match node.to_value() {
            Ok((value, positions)) => {
                let origin = Origin { file: self.file.clone(), line: node.line, document: self.document };
                self.objects.push(Manifest { value, origin, positions });
            }
            Err(fault) => self.errors.push(RenderError {
                file: self.file.clone(),
                line: Some(fault.line),
                column: fault.column,
                problem: fault.problem,
            }),
        }
    }
}

/// Returns the items of a `List` or of a typed list such as `ConfigMapList`.
fn list_items(node: &Node) -> Option<&[std::rc::Rc<Node>]> {
    let kind = node.get("kind")?.node.text()?;
    node.get("apiVersion")?;
    match &node.get("items")?.node.kind {
        Kind::List(items) if kind.ends_with("List") => Some(items),
        _ => None,
    }
}

fn check_object(node: &Node) -> Result<(), Problem> {
    let Kind::Map(members) = &node.kind else {
        return Err(Problem::NotAnObject { reason: "the document is not a mapping".to_owned(), near: Vec::new() });
    };
    for key in ["apiVersion", "kind"] {
        let Some(member) = node.get(key) else {
            let near = nearest(key, members.iter().map(|member| member.key.as_str()));
            return Err(Problem::NotAnObject { reason: format!("the document has no `{key}`"), near });
        };
        if member.node.text().is_none_or(str::is_empty) {
            return Err(Problem::NotAnObject { reason: format!("`{key}` is not a text"), near: Vec::new() });
        }
    }
    let Some(metadata) = node.get("metadata") else {
        let near = nearest("metadata", members.iter().map(|member| member.key.as_str()));
        return Err(Problem::NotAnObject { reason: "the object has no `metadata`".to_owned(), near });
    };
    match metadata.node.get("name") {
        Some(name) if name.node.text().is_some_and(|name| !name.is_empty()) => Ok(()),
        Some(_) => Err(Problem::NotAnObject {
            reason: "`metadata.name` is not a text (numbers and words such as `yes` need quotes)".to_owned(),
            near: Vec::new(),
        }),
        None => Err(Problem::NotAnObject { reason: "the object has no `metadata.name`".to_owned(), near: Vec::new() }),
    }
}
