//! A directory or repository as its Applications would read it, without a daemon.
//!
//! Starts with one directory and follows the Applications declared there into their own directories of the same
//! tree, as the running system does.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use bowline_runtime::api::kinds;
use serde_json::{Value, json};

use crate::plan::{Problem, Resolved, resolve};
use crate::render;
use crate::source::{Access, DirTree, Files, GitRef, Limits, RepoUrl, Source};
use crate::sync::{ROOT, SYSTEM_NAMESPACE};

/// Everything one tree declares, by Application.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The root Application first, then those it declares.
    pub applications: Vec<LoadedApplication>,
    /// What is wrong, with file and line.
    pub errors: Vec<Problem>,
    /// What has no effect.
    pub warnings: Vec<String>,
}

/// One Application's objects.
#[derive(Debug)]
pub struct LoadedApplication {
    /// `namespace/name`.
    pub id: String,
    /// Its objects; free of mistakes only when [`Loaded::errors`] is empty.
    pub resolved: Resolved,
    /// The namespace of objects that name none.
    pub target_namespace: String,
}

/// What `validate` reports.
#[derive(Debug)]
pub struct Report {
    /// How many objects were found.
    pub objects: usize,
    /// What is wrong, with file and line.
    pub errors: Vec<Problem>,
    /// What has no effect.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// Returns the Applications as the plan endpoint takes them.
    pub fn wire(&self) -> Value {
        let one = |application: &LoadedApplication| {
            let objects: Vec<Value> = application
                .resolved
                .objects
                .iter()
                .map(|desired| json!({"value": desired.config(), "place": desired.place}))
                .collect();
            json!({
                "application": application.id,
                "targetNamespace": application.target_namespace,
                "objects": objects,
            })
        };
        self.applications.iter().map(one).collect()
    }
}

/// Checks a directory.
///
/// # Errors
/// The directory cannot be read at all.
pub fn directory(dir: &Path) -> anyhow::Result<Report> {
    let loaded = load_directory(dir, ".")?;
    Ok(Report {
        objects: loaded.applications.iter().map(|application| application.resolved.objects.len()).sum(),
        errors: loaded.errors,
        warnings: loaded.warnings,
    })
}

/// Loads a plain directory, committed or not.
///
/// # Errors
/// The directory cannot be read at all.
pub fn load_directory(dir: &Path, path: &str) -> anyhow::Result<Loaded> {
    let tree = DirTree::open(dir).with_context(|| format!("cannot read `{}`", dir.display()))?;
    Ok(load(&tree, path))
}

/// Loads a commit of a local repository.
///
/// # Errors
/// The repository or the reference cannot be read.
pub fn load_repository(repository: &Path, reference: &GitRef, path: &str) -> anyhow::Result<Loaded> {
    let absolute = repository.canonicalize().with_context(|| format!("cannot find `{}`", repository.display()))?;
    let source = Source::open(std::env::temp_dir(), RepoUrl::from_path(&absolute)?);
    let fetched = source.fetch(reference, &Limits::default(), &Access::default());
    let commit = fetched.with_context(|| format!("cannot read `{}`", repository.display()))?;
    Ok(load(&source.tree(commit.id)?, path))
}

/// Loads a tree: `path` first, then the directories of the Applications found.
pub fn load(files: &dyn Files, path: &str) -> Loaded {
    let mut loaded = Loaded::default();
    let root = format!("{SYSTEM_NAMESPACE}/{ROOT}");
    let mut todo = vec![(root, path.to_owned(), "default".to_owned(), None::<String>)];
    let mut seen = BTreeSet::new();
    while let Some((id, path, target_namespace, place)) = todo.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        let rendered = match render::render(files, &path, &target_namespace) {
            Ok(rendered) => rendered,
            Err(errors) => {
                loaded.errors.extend(errors.iter().map(|error| from_render(error, place.as_deref())));
                continue;
            }
        };
        let resolved = resolve(&rendered.objects, &kinds::builtin(), &target_namespace);
        loaded.errors.extend(resolved.problems.iter().cloned());
        loaded.warnings.extend(resolved.warnings.iter().map(ToString::to_string));
        for desired in resolved.objects.iter().rev().filter(|desired| desired.kind.kind == "Application") {
            let config = desired.config();
            let text = |pointer: &str, default: &str| {
                config.pointer(pointer).and_then(Value::as_str).unwrap_or(default).to_owned()
            };
            if text("/spec/source/name", ROOT) == ROOT {
                let id = format!("{}/{}", desired.key.namespace, desired.key.name);
                let target = text("/spec/targetNamespace", "default");
                todo.push((id, text("/spec/path", "."), target, Some(desired.place.to_string())));
            }
        }
        loaded.applications.push(LoadedApplication { id, resolved, target_namespace });
    }
    loaded
}

fn from_render(error: &render::RenderError, application: Option<&str>) -> Problem {
    let place = match (error.line, application) {
        (Some(line), _) => format!("{}:{line}", error.file),
        // Where a whole directory is meant, the Application that names it is the place to look at.
        (None, Some(application)) => application.to_owned(),
        (None, None) => error.file.to_string(),
    };
    Problem { place, message: error.problem.to_string() }
}
