//! YAML and JSON text to values with positions.
//!
//! Responsible for: reading a file of many documents under budgets, with the meaning `kubectl` gives it (`scalar`),
//! merge keys and aliases included, and with the line of every key.
//!
//! Must never: expand an alias before its size is known, recurse deeper than [`DEPTH_MAX`], stop at the first mistake
//! of a file when a later document can still be read.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value};
use serde_yaml::granit_parser::{self, Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::error::Problem;
use super::position::{Pointer, Positions};
use super::scalar::{self, Raw, Scalar};

/// Nesting that a document may have. Deeper ones exist only to exhaust stacks; Kubernetes' own types stay below 30.
pub const DEPTH_MAX: usize = 64;
/// Values of a document, aliases counted as often as they are used. A 1 MiB document of short scalars stays below.
pub const NODES_MAX: usize = 250_000;
/// Text of a document, aliases counted as often as they are used, in bytes.
pub const EXPANDED_BYTES_MAX: usize = 4 << 20;
/// Size of one document, in bytes; etcd's default limit for an object is 1.5 MiB.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// A mistake at a place of the text; the caller knows the file.
#[derive(Debug)]
pub(super) struct Fault {
    pub line: u32,
    pub column: Option<u32>,
    pub problem: Problem,
}

/// A value with its place.
pub(super) struct Node {
    pub line: u32,
    pub column: u32,
    pub kind: Kind,
    /// Values in here, aliases expanded.
    nodes: usize,
    /// Text in here, aliases expanded.
    bytes: usize,
    depth: usize,
}

pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Rc<Node>>),
    Map(Vec<Member>),
}

/// A member of a mapping.
#[derive(Clone)]
pub(super) struct Member {
    pub key: String,
    pub line: u32,
    pub node: Rc<Node>,
    /// Whether it came by a merge key, so that it may be set again.
    merged: bool,
}

impl Node {
    /// Returns a member of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Member> {
        match &self.kind {
            Kind::Map(members) => members.iter().find(|member| member.key == key),
            _ => None,
        }
    }

    /// Returns the text of a string scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns whether the node is null, as an empty document is.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Scalar(Scalar::Null))
    }

    /// Makes the JSON value and the map of its lines.
    pub(super) fn to_value(&self) -> Result<(Value, Positions), Fault> {
        let mut lines = vec![(Pointer::DOCUMENT, self.line)];
        let value = self.convert(Pointer::DOCUMENT, &mut lines)?;
        Ok((value, Positions::new(lines)))
    }

    fn convert(&self, pointer: Pointer, lines: &mut Vec<(Pointer, u32)>) -> Result<Value, Fault> {
        Ok(match &self.kind {
            Kind::Scalar(scalar) => {
                scalar.clone().into_value().map_err(|message| self.fault(Problem::Value(message)))?
            }
            Kind::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let pointer = pointer.child(&index.to_string());
                    lines.push((pointer, item.line));
                    list.push(item.convert(pointer, lines)?);
                }
                Value::Array(list)
            }
            Kind::Map(members) => {
                let mut map = Map::new();
                for member in members {
                    let pointer = pointer.child(&member.key);
                    lines.push((pointer, member.line));
                    map.insert(member.key.clone(), member.node.convert(pointer, lines)?);
                }
                Value::Object(map)
            }
        })
    }

    fn fault(&self, problem: Problem) -> Fault {
        Fault { line: self.line, column: Some(self.column), problem }
    }
}

/// A document of a file.
pub(super) struct Document {
    /// Which one of the file, counted from 1, empty ones included.
    pub number: u32,
    /// Its value; `None` where there are only comments or nothing.
    pub root: Option<Rc<Node>>,
}

/// Reads all documents of a file and every mistake that can be told from another one.
pub(super) fn documents(text: &str) -> (Vec<Document>, Vec<Fault>) {
    let mut options = granit_parser::options! { disallow_directives: false };
    options.set_emit_comments(false);
    options.flow_nesting_limit = DEPTH_MAX * 2;
    options.block_nesting_limit = DEPTH_MAX * 2;
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        text,
        anchors: BTreeMap::new(),
        start: 0,
        place: (1, 1),
    };
    let (mut documents, mut faults, mut number) = (Vec::new(), Vec::new(), 0);
    loop {
        match reader.document(number + 1) {
            Ok(None) => return (documents, faults),
            Ok(Some(document)) => {
                number += 1;
                documents.push(document);
            }
            Err(fault) => {
                number += 1;
                faults.push(fault);
                if !matches!(reader.parser.proceed_next_document(), Ok(true)) {
                    return (documents, faults);
                }
            }
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    text: &'a str,
    anchors: BTreeMap<usize, Rc<Node>>,
    /// Where the current document begins, in bytes.
    start: usize,
    /// Line and column of the last event.
    place: (u32, u32),
}

impl<'a> Reader<'a> {
    /// Reads the next document; `None` at the end of the file.
    fn document(&mut self, number: u32) -> Result<Option<Document>, Fault> {
        loop {
            match self.next()? {
                Event::StreamEnd => return Ok(None),
                Event::DocumentStart(..) => break,
                _ => {}
            }
        }
        self.anchors.clear();
        let event = self.next()?;
        let root = if matches!(event, Event::DocumentEnd) {
            None
        } else {
            let root = self.node(event, 0)?;
            while !matches!(self.next()?, Event::DocumentEnd | Event::StreamEnd) {}
            (!root.is_null()).then_some(root)
        };
        Ok(Some(Document { number, root }))
    }

    fn next(&mut self) -> Result<Event<'a>, Fault> {
        let (event, span) = match self.parser.next_event() {
            None => return Ok(Event::StreamEnd),
            Some(Err(error)) => return Err(self.syntax(&error)),
            Some(Ok(next)) => next,
        };
        self.place = place(&span);
        let end = span.byte_range().map_or(self.start, |range| range.end);
        if matches!(event, Event::DocumentStart(..)) {
            self.start = end;
        }
        if end.saturating_sub(self.start) > DOCUMENT_BYTES_MAX {
            return Err(self.here(budget("the document is too large", DOCUMENT_BYTES_MAX, "bytes")));
        }
        Ok(event)
    }

    fn here(&self, problem: Problem) -> Fault {
        Fault { line: self.place.0, column: Some(self.place.1), problem }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Rc<Node>, Fault> {
        if depth > DEPTH_MAX {
            return Err(self.here(budget("the document is nested too deep", DEPTH_MAX, "levels")));
        }
        let (line, column) = self.place;
        match event {
            Event::Alias(id) => self.alias(id, depth),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = matches!(style, ScalarStyle::Plain);
                let raw = Raw { text: &text, plain, tag: tag.as_deref().map(tag_name) };
                let scalar = scalar::resolve(&raw).map_err(|message| self.here(Problem::Value(message)))?;
                let node = Node { line, column, kind: Kind::Scalar(scalar), nodes: 1, bytes: text.len(), depth: 0 };
                Ok(self.keep(anchor, node))
            }
            Event::SequenceStart(_, anchor, _) => {
                let items = self.items(depth)?;
                let node = self.collection(line, column, Kind::List(items))?;
                Ok(self.keep(anchor, node))
            }
            Event::MappingStart(_, anchor, _) => {
                let members = self.members(depth)?;
                let node = self.collection(line, column, Kind::Map(members))?;
                Ok(self.keep(anchor, node))
            }
            _ => Err(self.here(Problem::Syntax { message: "a value is missing here".to_owned(), hint: "" })),
        }
    }

    fn keep(&mut self, anchor: usize, node: Node) -> Rc<Node> {
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }

    fn alias(&mut self, id: usize, depth: usize) -> Result<Rc<Node>, Fault> {
        let Some(target) = self.anchors.get(&id).cloned() else {
            return Err(self.here(Problem::Value("an anchor contains itself".to_owned())));
        };
        if depth + target.depth > DEPTH_MAX {
            return Err(self.here(budget("the document is nested too deep", DEPTH_MAX, "levels")));
        }
        Ok(target)
    }

    /// Makes a list or mapping after weighing it, so that no alias can multiply without end.
    fn collection(&self, line: u32, column: u32, kind: Kind) -> Result<Node, Fault> {
        let (mut nodes, mut bytes, mut depth) = (1usize, 0usize, 0usize);
        let mut add = |node: &Node, key: usize| {
            nodes = nodes.saturating_add(node.nodes);
            bytes = bytes.saturating_add(node.bytes).saturating_add(key);
            depth = depth.max(node.depth);
        };
        match &kind {
            Kind::Scalar(_) => {}
            Kind::List(items) => items.iter().for_each(|item| add(item, 0)),
            Kind::Map(members) => members.iter().for_each(|member| add(&member.node, member.key.len())),
        }
        let fault = |problem| Fault { line, column: Some(column), problem };
        if nodes > NODES_MAX {
            return Err(fault(budget(
                "the document holds too many values once its aliases are expanded",
                NODES_MAX,
                "values",
            )));
        }
        if bytes > EXPANDED_BYTES_MAX {
            return Err(fault(budget(
                "the document is too large once its aliases are expanded",
                EXPANDED_BYTES_MAX,
                "bytes",
            )));
        }
        Ok(Node { line, column, kind, nodes, bytes, depth: depth + 1 })
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Rc<Node>>, Fault> {
        let mut items = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(items);
            }
            items.push(self.node(event, depth + 1)?);
        }
    }

    fn members(&mut self, depth: usize) -> Result<Vec<Member>, Fault> {
        let mut members = Members::default();
        loop {
            let event = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(members.list);
            }
            let place = self.place;
            let key = self.node(event, depth + 1)?;
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            let at = |problem| Fault { line: place.0, column: Some(place.1), problem };
            let key = match &key.kind {
                Kind::Scalar(Scalar::Merge) => {
                    members.merge(&value)?;
                    continue;
                }
                Kind::Scalar(scalar) => scalar.clone().into_key().map_err(|message| at(Problem::Value(message)))?,
                _ => {
                    let line = self.text.lines().nth(place.0 as usize - 1).unwrap_or("");
                    let message = "a list or mapping cannot be a key".to_owned();
                    return Err(at(Problem::Syntax { message, hint: syntax_hint(line) }));
                }
            };
            let member = Member { key, line: place.0, node: value, merged: false };
            members.set(member).map_err(|(key, first)| at(Problem::DuplicateKey { key, first }))?;
        }
    }

    fn syntax(&self, error: &ScanError) -> Fault {
        let marker = error.marker();
        let line = u32::try_from(marker.line()).unwrap_or(u32::MAX).max(1);
        let column = u32::try_from(marker.col()).unwrap_or(u32::MAX).saturating_add(1);
        let source = marker.byte_offset().map_or("", |offset| line_at(self.text, offset));
        Fault {
            line,
            column: Some(column),
            problem: Problem::Syntax { message: error.info(), hint: syntax_hint(source) },
        }
    }
}

/// The members of a mapping that is being read, with the semantics of go-yaml v2: what comes later wins, a merge key
/// included.
#[derive(Default)]
struct Members {
    list: Vec<Member>,
    index: BTreeMap<String, usize>,
}

impl Members {
    fn set(&mut self, member: Member) -> Result<(), (String, u32)> {
        match self.index.get(&member.key) {
            Some(&at) => {
                let before = &self.list[at];
                if !before.merged && !member.merged {
                    return Err((member.key, before.line));
                }
                self.list[at] = member;
            }
            None => {
                self.index.insert(member.key.clone(), self.list.len());
                self.list.push(member);
            }
        }
        Ok(())
    }

    fn merge(&mut self, value: &Rc<Node>) -> Result<(), Fault> {
        let wrong = || value.fault(Problem::Value("`<<` takes a mapping or a list of mappings".to_owned()));
        match &value.kind {
            Kind::Map(members) => self.absorb(members),
            Kind::List(items) => {
                // The first mapping of the list wins.
                for item in items.iter().rev() {
                    let Kind::Map(members) = &item.kind else {
                        return Err(wrong());
                    };
                    self.absorb(members);
                }
            }
            Kind::Scalar(_) => return Err(wrong()),
        }
        Ok(())
    }

    fn absorb(&mut self, members: &[Member]) {
        for member in members {
            let merged = Member { merged: true, ..member.clone() };
            self.set(merged).expect("invariant: a merged member never conflicts");
        }
    }
}

fn tag_name(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}

fn place(span: &Span) -> (u32, u32) {
    let line = u32::try_from(span.start.line()).unwrap_or(u32::MAX).max(1);
    (line, u32::try_from(span.start.col()).unwrap_or(u32::MAX).saturating_add(1))
}

fn budget(what: &'static str, limit: usize, unit: &str) -> Problem {
    Problem::Budget { what, limit: format!("{limit} {unit}") }
}

fn line_at(text: &str, offset: usize) -> &str {
    let bytes = text.as_bytes();
    let offset = offset.min(bytes.len());
    let start = bytes[..offset].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let end = bytes[offset..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| offset + at);
    text.get(start..end).unwrap_or("")
}

fn syntax_hint(line: &str) -> &'static str {
    let indent = &line[..line.len() - line.trim_start().len()];
    if line.contains("{{") {
        "this looks like a template: templates are not rendered, commit their output"
    } else if indent.contains('\t') {
        "indent with spaces, not tabs"
    } else if line.starts_with("<<<<<<<") || line.starts_with("=======") || line.starts_with(">>>>>>>") {
        "a merge conflict was committed"
    } else if line.matches(": ").count() > 1 {
        "quote a value that contains `: `"
    } else {
        ""
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
