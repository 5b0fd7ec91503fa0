//! From files to manifests.
//!
//! Responsible for: finding the `*.yaml`, `*.yml` and `*.json` files below a directory of a commit or plain directory,
//! reading every document with the meaning `kubectl` gives it, and reporting every mistake at once with its file and
//! line. The result depends on the files alone, so [`InputsHash`] tells whether rendering again could change it.
//!
//! Must never: leave out a document silently, know a kind's fields, or read outside the tree.
//!
//! Start reading at [`render`].

mod error;
mod ignore;
mod manifest;
mod position;
mod scalar;
mod walk;
mod yaml;

use std::collections::BTreeMap;
use std::sync::Arc;

use git2::Oid;

use crate::source::{Content, Entry, Files, ReadError};

pub use error::{Problem, RenderError};
pub use manifest::{Manifest, ObjectName, Origin};
pub use position::Positions;
pub use walk::{Inputs, InputsHash, inputs_hash};
pub use yaml::{DEPTH_MAX, DOCUMENT_BYTES_MAX, EXPANDED_BYTES_MAX, NODES_MAX};

/// Size of one file of manifests, in bytes. A larger one is a mistake (a dump, a binary) more often than a wish.
pub const FILE_BYTES_MAX: u64 = 8 << 20;

/// Mistakes that are collected before rendering gives up: enough to repair a day's work, few enough to be read.
pub const ERRORS_MAX: usize = 200;

/// Reads a text that is to be one document, of any kind, under the budgets that files have; the error names the line.
pub(crate) fn document(text: &str) -> Result<serde_json::Value, String> {
    let told = |fault: yaml::Fault| format!("line {}: {}", fault.line, fault.problem);
    let (documents, faults) = yaml::documents(text);
    if let Some(fault) = faults.into_iter().next() {
        return Err(told(fault));
    }
    let roots: Vec<_> = documents.iter().filter_map(|document| document.root.as_ref()).collect();
    match roots.as_slice() {
        [root] => root.to_value().map(|(value, _)| value).map_err(told),
        _ => Err(format!("expected one document, found {} documents", roots.len())),
    }
}

/// What a directory renders to.
#[derive(Debug)]
pub struct Rendered<M = Manifest> {
    /// The objects, in byte order of the files and the order of documents in them.
    pub objects: Vec<M>,
    /// What was read.
    pub inputs: Inputs,
    /// The hash of what was read: equal hashes mean an equal result.
    pub inputs_hash: InputsHash,
}

/// What was made of the files of the last render of one application, by path and object id. Those that a render does
/// not meet are dropped. It holds what the last render returned, which its user holds too.
#[derive(Debug)]
pub struct RenderCache<T> {
    files: BTreeMap<(Arc<str>, Oid), Vec<Arc<T>>>,
}

impl<T> Default for RenderCache<T> {
    fn default() -> Self {
        Self { files: BTreeMap::new() }
    }
}

/// Renders the manifests below `path` (the root where it is empty).
///
/// Objects without a namespace count as being in `default_namespace` when objects are compared for being declared
/// twice; their manifests are left as written.
///
/// # Errors
/// Every mistake found, ordered by file and line, at most [`ERRORS_MAX`]. Nothing is rendered where there is one: an
/// incomplete set of objects must not be mistaken for the wish to delete the others.
pub fn render(files: &dyn Files, path: &str, default_namespace: &str) -> Result<Rendered, Vec<RenderError>> {
    let mut gathered = gather(files, path, &mut RenderCache::default(), &|manifest| manifest);
    report_duplicates(&gathered.objects, default_namespace, &mut gathered.errors);
    let Rendered { objects, inputs, inputs_hash } = gathered.finish(files, path)?;
    // The cache is gone, so nothing is copied.
    let objects = objects.into_iter().map(Arc::unwrap_or_clone).collect();
    Ok(Rendered { objects, inputs, inputs_hash })
}

/// Does as [`render`] with what `make` makes of each manifest, and reads only the files of a commit that `cache` has
/// not seen, so that one changed file among thousands costs little more than a walk. Give each application a cache of
/// its own. An object that is declared twice is left to the caller.
///
/// # Errors
/// As [`render`].
pub fn render_with<T>(
    files: &dyn Files,
    path: &str,
    cache: &mut RenderCache<T>,
    make: &dyn Fn(Manifest) -> T,
) -> Result<Rendered<Arc<T>>, Vec<RenderError>> {
    gather(files, path, cache, make).finish(files, path)
}

/// What was found below a path, mistakes included.
struct Gathered<T> {
    objects: Vec<Arc<T>>,
    inputs: Inputs,
    errors: Vec<RenderError>,
}

fn gather<T>(files: &dyn Files, path: &str, cache: &mut RenderCache<T>, make: &dyn Fn(Manifest) -> T) -> Gathered<T> {
    let mut errors = Vec::new();
    let found = walk::walk(files, path, &mut errors);
    let (mut objects, mut before) = (Vec::new(), std::mem::take(&mut cache.files));
    for candidate in &found.manifests {
        if errors.len() >= ERRORS_MAX {
            break;
        }
        let key = candidate.entry.id.map(|id| (candidate.shown.clone(), id));
        if let Some((key, cached)) = key.as_ref().and_then(|key| before.remove_entry(key)) {
            objects.extend(cached.iter().cloned());
            cache.files.insert(key, cached);
            continue;
        }
        let wrong = errors.len();
        let fresh = render_file(files, &candidate.shown, &candidate.entry, &mut errors);
        let fresh: Vec<Arc<T>> = fresh.into_iter().map(|manifest| Arc::new(make(manifest))).collect();
        objects.extend(fresh.iter().cloned());
        if let Some(key) = key.filter(|_| errors.len() == wrong) {
            cache.files.insert(key, fresh);
        }
    }
    Gathered { objects, inputs: found.inputs, errors }
}

impl<T> Gathered<T> {
    fn finish(self, files: &dyn Files, path: &str) -> Result<Rendered<Arc<T>>, Vec<RenderError>> {
        let Self { objects, inputs, mut errors } = self;
        let inputs_hash = match inputs_hash(files, &inputs) {
            Ok(hash) => hash,
            Err(error) => {
                errors.push(RenderError::file(&Arc::from(path), Problem::Read(error)));
                return Err(errors);
            }
        };
        if errors.is_empty() {
            return Ok(Rendered { objects, inputs, inputs_hash });
        }
        errors.sort_by(|one, other| (&one.file, one.line, one.column).cmp(&(&other.file, other.line, other.column)));
        errors.truncate(ERRORS_MAX);
        Err(errors)
    }
}

fn render_file(files: &dyn Files, file: &Arc<str>, entry: &Entry, errors: &mut Vec<RenderError>) -> Vec<Manifest> {
    let mut objects = Vec::new();
    let text = match read_text(files, entry) {
        Ok(text) => text,
        Err(problem) => {
            errors.push(RenderError::file(file, problem));
            return Vec::new();
        }
    };
    let (documents, faults) = yaml::documents(text.trim_start_matches('\u{feff}'));
    for fault in faults {
        let (line, column) = (Some(fault.line), fault.column);
        errors.push(RenderError { file: file.clone(), line, column, problem: fault.problem });
    }
    for document in &documents {
        manifest::collect(file, document, &mut objects, errors);
    }
    objects
}

/// Reads a file as UTF-8 text with `\n` line ends as the YAML parser takes them.
fn read_text(files: &dyn Files, entry: &Entry) -> Result<String, Problem> {
    match files.read_entry(entry, FILE_BYTES_MAX) {
        Ok(Content::Bytes(bytes)) => String::from_utf8(bytes).map_err(|error| Problem::Syntax {
            message: format!("the file is not UTF-8 text (byte {})", error.utf8_error().valid_up_to()),
            hint: "save it as UTF-8, or list it in `.bowlineignore` if it is no manifest",
        }),
        Ok(Content::LfsPointer) => Err(Problem::Entry(
            "this is a Git LFS pointer, the file itself is not in the repository: commit manifests without LFS",
        )),
        Err(error) => Err(Problem::Read(error)),
    }
}

fn report_duplicates(objects: &[Arc<Manifest>], default_namespace: &str, errors: &mut Vec<RenderError>) {
    let mut seen = BTreeMap::<ObjectName, &Origin>::new();
    for object in objects {
        let name = object.name(default_namespace);
        match seen.get(&name) {
            Some(first) => {
                let problem = Problem::DuplicateObject { object: name.to_string(), first: first.to_string() };
                errors.push(RenderError::line(&object.origin.file, object.origin.line, problem));
            }
            None => {
                seen.insert(name, &object.origin);
            }
        }
    }
}

/// Returns up to three of `names` that resemble `wanted`, best first.
pub(crate) fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let mut ranked: Vec<(usize, &str)> = names
        .map(|name| (distance(&wanted.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= wanted.chars().count().max(name.chars().count()).div_ceil(3))
        .collect();
    ranked.sort();
    ranked.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// Returns the edit distance of two short texts (Levenshtein); the inputs are cut at 64 characters.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for column in 0..other.len() {
            let change = diagonal + usize::from(letter != other[column]);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

/// Makes a read error of one path.
fn read_error(path: &str, error: ReadError) -> RenderError {
    RenderError::file(&Arc::from(path), Problem::Read(error))
}

#[cfg(test)]
mod tests;
