//! A kind as a CustomResourceDefinition, so that the same manifests and objects work on any Kubernetes cluster.
//!
//! Never says more than the declaration: what only a function of the kind checks or renders is left out. Start
//! reading at [`crd`].
//!
//! The result keeps the rules for structural schemas
//! (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>): every
//! level has a type, nothing is referenced, and keys of list maps are required or have a default.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::object::{Column, ColumnSource, Kind, Scope};
use super::schema::{Field, Format, ListKind, Rules, Struct, Type};

/// Returns the CustomResourceDefinition of a kind, with one served and stored version.
pub fn crd(kind: &Kind) -> Value {
    let mut names = json!({
        "kind": kind.kind,
        "listKind": format!("{}List", kind.kind),
        "plural": kind.plural,
        "singular": kind.singular,
    });
    for (name, words) in [("shortNames", kind.short_names), ("categories", kind.categories)] {
        if !words.is_empty() {
            names[name] = json!(words);
        }
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.resource()},
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": match kind.scope {
                Scope::Namespaced => "Namespaced",
                Scope::Cluster => "Cluster",
            },
            "versions": [version(kind)],
        },
    })
}

fn version(kind: &Kind) -> Value {
    let mut version = json!({
        "name": kind.version,
        "served": true,
        "storage": true,
        "schema": {"openAPIV3Schema": root(kind)},
    });
    let mut subresources = Map::new();
    if kind.has_status {
        subresources.insert("status".to_owned(), json!({}));
    }
    if let Some(scale) = &kind.scale {
        let paths = json!({
            "specReplicasPath": json_path(scale.spec),
            "statusReplicasPath": json_path(scale.status),
            "labelSelectorPath": json_path(scale.selector),
        });
        subresources.insert("scale".to_owned(), paths);
    }
    if !subresources.is_empty() {
        version["subresources"] = Value::Object(subresources);
    }
    let columns: Vec<Value> = kind.columns.iter().filter_map(column).collect();
    if !columns.is_empty() {
        version["additionalPrinterColumns"] = Value::Array(columns);
    }
    version
}

/// Returns a printer column; none for a cell that a function renders, which no manifest can carry.
fn column(column: &Column) -> Option<Value> {
    let ColumnSource::Pointer(pointer) = column.source else { return None };
    let mut value = json!({"name": column.name, "type": column.kind, "jsonPath": json_path(pointer)});
    if column.wide {
        value["priority"] = json!(1);
    }
    Some(value)
}

/// Turns a JSON pointer into the path syntax of printer columns and the `scale` subresource.
fn json_path(pointer: &str) -> String {
    let mut path = String::new();
    for token in pointer.split('/').skip(1) {
        let name = token.replace("~1", "/").replace("~0", "~");
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{name}]"));
        } else if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            path.push_str(&format!(".{name}"));
        } else {
            path.push_str(&format!("['{name}']"));
        }
    }
    path
}

/// Returns the schema of the whole object.
fn root(kind: &Kind) -> Value {
    let mut schema = Walk::default().structure((kind.root)());
    let properties = &mut schema["properties"];
    properties["apiVersion"] =
        json!({"type": "string", "description": "Group and version that the object is written in."});
    properties["kind"] = json!({"type": "string", "description": "Kind of the object."});
    // The server knows better, and refuses any more than this.
    properties["metadata"] = json!({"type": "object"});
    schema
}

/// Returns the structural schema of a declared struct.
pub fn schema(declared: &'static Struct) -> Value {
    Walk::default().structure(declared)
}

/// The way from the root to the type at hand.
#[derive(Default)]
struct Walk {
    /// The structs around it; one that comes again is cut off, as structural schemas have no references.
    parents: Vec<*const Struct>,
    /// How many lists and maps are around it; an old value cannot be told for what is in them.
    collections: usize,
}

impl Walk {
    fn structure(&mut self, declared: &'static Struct) -> Value {
        if self.parents.contains(&std::ptr::from_ref(declared)) {
            return json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        }
        self.parents.push(declared);
        let properties: Map<String, Value> =
            declared.fields.iter().map(|field| (field.name.to_owned(), self.field(field))).collect();
        self.parents.pop();
        let required: Vec<&str> =
            declared.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
        let mut schema = json!({"type": "object", "properties": properties});
        if !declared.doc.is_empty() {
            schema["description"] = json!(declared.doc);
        }
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if declared.atomic {
            schema["x-kubernetes-map-type"] = json!("atomic");
        }
        schema
    }

    fn field(&mut self, field: &Field) -> Value {
        let mut schema = self.ty(&field.ty, &field.rules);
        if let Some(description) = description(field) {
            schema["description"] = json!(description);
        }
        if let Some(default) = field.default {
            schema["default"] =
                serde_json::from_str(default).expect("invariant: the derive checks that a default is JSON");
        }
        if matches!(field.ty, Type::List(_)) {
            list(&mut schema, field);
        } else if field.atomic {
            schema["x-kubernetes-map-type"] = json!("atomic");
        }
        if field.immutable && self.collections == 0 {
            schema["x-kubernetes-validations"] = json!([{"rule": "self == oldSelf", "message": "field is immutable"}]);
        }
        schema
    }

    /// Returns the schema of a type; the rules are those of the innermost value.
    fn ty(&mut self, ty: &Type, field_rules: &Rules) -> Value {
        let mut schema = match ty {
            Type::String => json!({"type": "string"}),
            Type::Bytes => json!({"type": "string", "format": "byte"}),
            Type::Enum(values) => json!({"type": "string", "enum": values}),
            Type::Int32 => json!({"type": "integer", "format": "int32"}),
            Type::Int64 => json!({"type": "integer", "format": "int64"}),
            Type::Number => json!({"type": "number", "format": "double"}),
            Type::Boolean => json!({"type": "boolean"}),
            Type::IntOrString => int_or_string(),
            Type::Quantity => {
                let mut schema = int_or_string();
                schema["pattern"] = json!(QUANTITY_PATTERN);
                schema
            }
            Type::Time | Type::MicroTime => json!({"type": "string", "format": "date-time"}),
            Type::Duration => json!({"type": "string", "pattern": DURATION_PATTERN}),
            Type::Any => return json!({"x-kubernetes-preserve-unknown-fields": true}),
            Type::Struct(declared) => return self.structure(declared()),
            Type::List(items) => return json!({"type": "array", "items": self.inside(items, field_rules)}),
            Type::Map(values) => {
                return json!({"type": "object", "additionalProperties": self.inside(values, field_rules)});
            }
        };
        rules(&mut schema, ty, field_rules);
        schema
    }

    fn inside(&mut self, ty: &Type, rules: &Rules) -> Value {
        self.collections += 1;
        let schema = self.ty(ty, rules);
        self.collections -= 1;
        schema
    }
}

/// A quantity: a decimal number with a binary or decimal suffix, or with an exponent.
const QUANTITY_PATTERN: &str = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$";

/// A duration as Go writes it.
const DURATION_PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$";

fn int_or_string() -> Value {
    json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true})
}

fn description(field: &Field) -> Option<String> {
    let note = field.not_enforced.map(|reason| format!("Stored, but without effect: {reason}."));
    match (field.doc, note) {
        ("", note) => note,
        (doc, None) => Some(doc.to_owned()),
        (doc, Some(note)) => Some(format!("{doc}\n\n{note}")),
    }
}

fn rules(schema: &mut Value, ty: &Type, rules: &Rules) {
    if matches!(ty, Type::Int32 | Type::Int64 | Type::Number) {
        set(schema, "minimum", rules.min);
        set(schema, "maximum", rules.max);
    }
    if matches!(ty, Type::String) {
        let (pattern, max_len) = pattern(rules.format);
        set(schema, "pattern", pattern);
        set(schema, "maxLength", rules.max_len.or(max_len));
        set(schema, "enum", Some(rules.one_of).filter(|values| !values.is_empty()));
    }
}

fn set(schema: &mut Value, keyword: &str, value: Option<impl Serialize>) {
    if let Some(value) = value {
        schema[keyword] = json!(value);
    }
}

fn list(schema: &mut Value, field: &Field) {
    set(schema, "minItems", field.rules.min_items);
    let list_type = match field.list {
        ListKind::Atomic => "atomic",
        ListKind::Set => "set",
        ListKind::Map { keys, .. } => {
            schema["x-kubernetes-list-map-keys"] = json!(keys);
            require_keys(&mut schema["items"], keys);
            "map"
        }
    };
    schema["x-kubernetes-list-type"] = json!(list_type);
}

/// Makes the keys of a list map required where they have no default; API servers refuse the schema otherwise.
fn require_keys(items: &mut Value, keys: &[&str]) {
    let mut required: Vec<Value> = items["required"].as_array().cloned().unwrap_or_default();
    for key in keys.iter().map(|key| json!(key)) {
        let has_default = key.as_str().is_some_and(|key| !items["properties"][key]["default"].is_null());
        if !has_default && !required.contains(&key) {
            required.push(key);
        }
    }
    if !required.is_empty() {
        items["required"] = Value::Array(required);
    }
}

/// Returns a pattern for a format, and the most characters it may have.
///
/// Patterns have no look-ahead, so that a port's name may consist of digits here; the server is stricter.
fn pattern(format: Format) -> (Option<&'static str>, Option<usize>) {
    let (pattern, max_len) = match format {
        Format::Any => return (None, None),
        Format::DnsLabel => (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", Some(63)),
        Format::DnsSubdomain => (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", Some(253)),
        Format::QualifiedName => (
            r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
            Some(317),
        ),
        Format::LabelValue => (r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", Some(63)),
        Format::ConfigKey => (r"^[-._a-zA-Z0-9]+$", Some(253)),
        Format::EnvName => (r"^[ -<>-~]+$", None),
        Format::PortName => (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", Some(15)),
        Format::AbsolutePath => (r"^/", None),
    };
    (Some(pattern), max_len)
}

#[cfg(test)]
mod tests;
