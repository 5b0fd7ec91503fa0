//! What Git wants: rendered manifests, checked against the kinds and given their full names.
//!
//! Pure: the same manifests and kinds always give the same set or the same mistakes, all of them at once.

use std::collections::BTreeMap;
use std::fmt;

use bowline_runtime::api::{Key, Kind, Kinds, defaults, strict, validate};
use serde_json::Value;

use crate::render::Manifest;

/// One object that Git wants.
#[derive(Clone, Debug)]
pub struct Desired {
    /// Its kind.
    pub kind: &'static Kind,
    /// Its name in the store.
    pub key: Key,
    /// The manifest with its namespace filled in and its status left out.
    pub config: Value,
    /// Where it stands, `file:line`.
    pub place: String,
}

/// A mistake in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where, `file:line`.
    pub place: String,
    /// What, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// The outcome of [`resolve`].
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// The objects, in the order of the manifests.
    pub objects: Vec<Desired>,
    /// What is wrong; with any of these nothing is applied.
    pub problems: Vec<Problem>,
    /// What has no effect.
    pub warnings: Vec<Problem>,
}

/// Checks manifests and gives them their full names. Objects without a namespace get `default_namespace`.
pub fn resolve(manifests: &[Manifest], kinds: &Kinds, default_namespace: &str) -> Resolved {
    let mut resolved = Resolved::default();
    let mut places: BTreeMap<Key, String> = BTreeMap::new();
    for manifest in manifests {
        let Some(desired) = one(manifest, kinds, default_namespace, &mut resolved) else { continue };
        match places.get(&desired.key) {
            Some(first) => resolved.problems.push(Problem {
                place: desired.place,
                message: format!(
                    "{} `{}` is declared twice, first at {first}: remove or rename one of them",
                    desired.kind.kind, desired.key.name
                ),
            }),
            None => {
                places.insert(desired.key.clone(), desired.place.clone());
                resolved.objects.push(desired);
            }
        }
    }
    resolved.problems.sort();
    resolved.warnings.sort();
    resolved
}

fn one(manifest: &Manifest, kinds: &Kinds, default_namespace: &str, out: &mut Resolved) -> Option<Desired> {
    let text = |pointer: &str| manifest.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let at = |line: u32| format!("{}:{line}", manifest.origin.file);
    let (api_version, kind_name) = (text("/apiVersion"), text("/kind"));
    let Some(kind) = kinds.find(api_version, kind_name) else {
        let message = unknown_kind(kinds, api_version, kind_name);
        out.problems.push(Problem { place: at(manifest.line_of("kind")), message });
        return None;
    };
    let mut config = manifest.value.clone();
    if kind.has_status
        && let Some(map) = config.as_object_mut()
    {
        map.remove("status");
    }
    let metadata = config.get_mut("metadata").and_then(Value::as_object_mut)?;
    let name = metadata.get("name").and_then(Value::as_str)?.to_owned();
    let namespace = if kind.namespaced() {
        let own = metadata.get("namespace").and_then(Value::as_str).filter(|own| !own.is_empty());
        let namespace = own.unwrap_or(default_namespace).to_owned();
        metadata.insert("namespace".into(), namespace.clone().into());
        namespace
    } else {
        metadata.remove("namespace");
        String::new()
    };
    let before = out.problems.len();
    for unknown in strict::unknown_fields(kind, &config) {
        let near = unknown.nearest.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
        let message = format!("{kind_name} `{name}`: unknown field `{}`{near}", unknown.path);
        out.problems.push(Problem { place: at(manifest.line_of(&unknown.path)), message });
    }
    let mut full = config.clone();
    defaults::apply(kind, &mut full);
    for error in validate::object(kind, &full) {
        let message = format!("{kind_name} `{name}`: {error}");
        out.problems.push(Problem { place: at(manifest.line_of(&error.path)), message });
    }
    for warning in strict::warnings(kind, &config) {
        let path = warning.split(':').next().unwrap_or_default();
        let message = format!("{kind_name} `{name}`: {warning}");
        out.warnings.push(Problem { place: at(manifest.line_of(path)), message });
    }
    (out.problems.len() == before).then(|| Desired {
        kind,
        key: kind.key(&namespace, &name),
        config,
        place: manifest.origin.to_string(),
    })
}

fn unknown_kind(kinds: &Kinds, api_version: &str, kind: &str) -> String {
    let same_kind: Vec<String> =
        kinds.iter().filter(|known| known.kind == kind).map(|known| format!("`{}`", known.api_version())).collect();
    if !same_kind.is_empty() {
        return format!("kind `{kind}` has apiVersion {}, not `{api_version}`", same_kind.join(" or "));
    }
    let near = kinds.iter().map(|known| known.kind).find(|known| known.eq_ignore_ascii_case(kind));
    match near {
        Some(near) => format!("unknown kind `{kind}`: did you mean `{near}`?"),
        None => {
            let all: Vec<_> = kinds.iter().map(|known| known.kind).collect();
            format!("unknown kind `{kind}` of `{api_version}`: this release serves {}", all.join(", "))
        }
    }
}
