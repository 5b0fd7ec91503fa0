//! What Git wants: rendered manifests, checked against the kinds and given their full names.
//!
//! Pure: the same manifests and kinds always give the same set or the same mistakes, all of them at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use bowline_runtime::api::{Key, Kind, Kinds, default, strict, validate};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::render::Manifest;

/// One object that Git wants.
#[derive(Clone, Debug)]
pub struct Desired {
    /// Its kind.
    pub kind: &'static Kind,
    /// Its name in the store.
    pub key: Key,
    /// Where it stands, `file:line`.
    pub place: Box<str>,
    /// The manifest, as compact JSON: ten thousand of them are held, few are read.
    json: Box<str>,
}

impl Desired {
    /// Makes the wish for `config`: a manifest with its namespace filled in and its status left out.
    pub fn new(kind: &'static Kind, key: Key, config: &Value, place: impl Into<Box<str>>) -> Self {
        Self { kind, key, place: place.into(), json: config.to_string().into() }
    }

    /// Returns the manifest with its namespace filled in and its status left out.
    pub fn config(&self) -> Value {
        serde_json::from_str(&self.json).expect("invariant: the text was made from a value")
    }

    /// Returns [`Desired::config`] as compact JSON; equal manifests have equal texts.
    pub fn json(&self) -> &str {
        &self.json
    }
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
    pub objects: Vec<Arc<Desired>>,
    /// What is wrong; with any of these nothing is applied.
    pub problems: Vec<Problem>,
    /// What has no effect.
    pub warnings: Vec<Problem>,
    wanted: OnceLock<BTreeSet<Key>>,
}

impl Resolved {
    /// Returns the keys of the objects. Made once: objects are not added later.
    pub fn wanted(&self) -> &BTreeSet<Key> {
        self.wanted.get_or_init(|| self.objects.iter().map(|desired| desired.key.clone()).collect())
    }
}

/// Checks manifests and gives them their full names. Objects without a namespace get `default_namespace`.
pub fn resolve(manifests: &[Manifest], kinds: &Kinds, default_namespace: &str) -> Resolved {
    let checked: Vec<Arc<Checked>> =
        manifests.iter().map(|manifest| Arc::new(check(manifest, kinds, default_namespace))).collect();
    join(&checked)
}

/// Joins checked manifests; two of one object are a mistake.
pub fn join(checked: &[Arc<Checked>]) -> Resolved {
    let mut collector = Collector::default();
    for one in checked {
        collector.add(one);
    }
    collector.finish()
}

/// Returns a hash of the objects: equal hashes mean that the same is wanted.
pub fn digest(checked: &[Arc<Checked>]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    checked.iter().for_each(|one| hasher.update(one.digest));
    hasher.finalize().into()
}

/// One manifest, checked for itself alone.
#[derive(Debug, Default)]
pub struct Checked {
    object: Option<Arc<Desired>>,
    /// SHA-256 of the object as JSON.
    digest: [u8; 32],
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

#[derive(Default)]
struct Collector {
    resolved: Resolved,
    first: BTreeMap<Key, Arc<Desired>>,
}

impl Collector {
    fn add(&mut self, checked: &Checked) {
        self.resolved.problems.extend(checked.problems.iter().cloned());
        self.resolved.warnings.extend(checked.warnings.iter().cloned());
        let Some(desired) = &checked.object else { return };
        match self.first.get(&desired.key) {
            Some(first) => self.resolved.problems.push(Problem {
                place: desired.place.to_string(),
                message: format!(
                    "{} `{}` is declared twice, first at {}: remove or rename one of them",
                    desired.kind.kind, desired.key.name, first.place
                ),
            }),
            None => {
                self.first.insert(desired.key.clone(), desired.clone());
                self.resolved.objects.push(desired.clone());
            }
        }
    }

    fn finish(mut self) -> Resolved {
        self.resolved.problems.sort();
        self.resolved.warnings.sort();
        self.resolved
    }
}

/// Checks one manifest.
pub fn check(manifest: &Manifest, kinds: &Kinds, default_namespace: &str) -> Checked {
    let at = |path: &str| format!("{}:{}", manifest.origin.file, manifest.line_of(path));
    match check_one(&manifest.value, kinds, default_namespace) {
        Err(problems) => {
            let problems = problems.into_iter().map(|(path, message)| Problem { place: at(&path), message }).collect();
            Checked { problems, ..Checked::default() }
        }
        Ok((kind, key, config)) => {
            let warning = |text: String| {
                let path = text.split(':').next().unwrap_or_default();
                Problem { place: at(path), message: format!("{} `{}`: {text}", kind.kind, key.name) }
            };
            let warnings = strict::warnings(kind, &config).into_iter().map(warning).collect();
            let object = Desired::new(kind, key, &config, manifest.origin.to_string());
            let digest = Sha256::digest(object.json()).into();
            Checked { object: Some(Arc::new(object)), digest, warnings, problems: Vec::new() }
        }
    }
}

/// Mistakes as `(field path, message)`.
pub type Mistakes = Vec<(String, String)>;

/// Checks one object and gives it its full name: kind, key, and the manifest with its namespace filled in.
///
/// # Errors
/// Every mistake as `(field path, message)`.
pub fn check_one(
    value: &Value,
    kinds: &Kinds,
    default_namespace: &str,
) -> Result<(&'static Kind, Key, Value), Mistakes> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind_name, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
    let Some(kind) = kinds.find(api_version, kind_name) else {
        return Err(vec![("kind".to_owned(), unknown_kind(kinds, api_version, kind_name))]);
    };
    let mut config = value.clone();
    if kind.has_status
        && let Some(map) = config.as_object_mut()
    {
        map.remove("status");
    }
    let Some(metadata) = config.get_mut("metadata").and_then(Value::as_object_mut) else {
        return Err(vec![("metadata".to_owned(), format!("{kind_name}: metadata: Required value"))]);
    };
    let mut namespace = String::new();
    if kind.namespaced() {
        let own = metadata.get("namespace").and_then(Value::as_str).filter(|own| !own.is_empty());
        namespace = own.unwrap_or(default_namespace).to_owned();
        metadata.insert("namespace".into(), namespace.clone().into());
    } else {
        metadata.remove("namespace");
    }
    let named = |message: String| format!("{kind_name} `{name}`: {message}");
    let mut problems: Vec<(String, String)> = strict::unknown_fields(kind, &config)
        .into_iter()
        .map(|unknown| (unknown.path.clone(), named(unknown.to_string())))
        .collect();
    let mut full = config.clone();
    // Some defaults are made from the object's identity, which it gets when it is created.
    full["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000".into();
    default::apply(kind, &mut full);
    problems
        .extend(validate::object(kind, &full).into_iter().map(|error| (error.path.clone(), named(error.to_string()))));
    if kind.group.is_empty()
        && kind.kind == "Secret"
        && let Some(fold) = kind.default
    {
        // `stringData` is only a way to write `data`: what is compared and owned is the latter.
        fold(&mut config);
    }
    if problems.is_empty() { Ok((kind, kind.key(&namespace, name), config)) } else { Err(problems) }
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
