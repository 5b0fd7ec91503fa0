//! Which files of a directory are manifests.
//!
//! Responsible for: the walk in byte order, `.bowlineignore`, symbolic links inside the tree, and the record of what a
//! render depends on.
//!
//! Must never: follow a link out of the tree or around in a circle, pass over a directory silently except those whose
//! name begins with a dot.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::ignore::Ignore;
use super::{ERRORS_MAX, Problem, RenderError, nearest, read_error};
use crate::source::{Content, Entry, EntryKind, Files, ReadError, normal, resolve_noting};

/// The name of the file that lists what is no manifest.
pub(super) const IGNORE_FILE: &str = ".bowlineignore";
const IGNORE_BYTES_MAX: u64 = 64 << 10;
/// Depth of directories; Linux' `PATH_MAX` allows more only in theory.
const DIRECTORIES_MAX: usize = 64;
/// Entries of one render. Past this the directory is not one of manifests.
const ENTRIES_MAX: usize = 200_000;

/// The paths a render depends on: its directory, and the targets of links that lead elsewhere in the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    paths: BTreeSet<String>,
}

impl Inputs {
    /// Returns the paths in byte order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }
}

/// The identity of everything a render read (SHA-256 over paths and Git object ids).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputsHash([u8; 32]);

impl fmt::Display for InputsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for InputsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InputsHash({self})")
    }
}

/// Returns the hash of what a render with these inputs would read now; a few object look-ups for a commit, a full read
/// for a plain directory.
pub fn inputs_hash(files: &dyn Files, inputs: &Inputs) -> Result<InputsHash, ReadError> {
    let mut hasher = Sha256::new();
    for path in &inputs.paths {
        let id = files.tree_hash(path)?.map(|id| id.to_string()).unwrap_or_default();
        hasher.update(format!("{path}\0{id}\n").as_bytes());
    }
    Ok(InputsHash(hasher.finalize().into()))
}

/// A file that is to be read as manifests.
pub(super) struct Candidate {
    /// The path a person knows it under.
    pub shown: Arc<str>,
    /// The file itself: its path is another one where a link led to it.
    pub entry: Entry,
}

/// What a walk found.
pub(super) struct Found {
    pub manifests: Vec<Candidate>,
    pub inputs: Inputs,
}

/// Walks the directory `path`.
pub(super) fn walk(files: &dyn Files, path: &str, errors: &mut Vec<RenderError>) -> Found {
    let mut walker = Walker {
        files,
        found: Found { manifests: Vec::new(), inputs: Inputs::default() },
        ignores: Vec::new(),
        trail: Vec::new(),
        entries: 0,
        errors,
    };
    match walker.start(path) {
        Ok(root) => walker.directory(&root, &root),
        Err(error) => walker.errors.push(error),
    }
    walker.found
}

struct Walker<'a> {
    files: &'a dyn Files,
    found: Found,
    /// The ignore files on the way down, each with the (shown) directory it stands in.
    ignores: Vec<(String, Ignore)>,
    /// The real directories on the way down, to notice a link that leads back up.
    trail: Vec<String>,
    entries: usize,
    errors: &'a mut Vec<RenderError>,
}

impl Walker<'_> {
    fn start(&mut self, path: &str) -> Result<String, RenderError> {
        let shown = normal(path).map_err(|error| read_error(path, error))?;
        // The path itself is an input even when it is missing or a link: its appearance changes the result.
        self.found.inputs.paths.insert(shown.clone());
        let missing = |files: &dyn Files| {
            let near = near_directories(files, &shown);
            RenderError::file(&Arc::from(shown.as_str()), Problem::NoSuchDirectory { path: shown.clone(), near })
        };
        let real = match self.resolve(&shown) {
            Ok(real) => real,
            Err(ReadError::NotFound { .. }) => return Err(missing(self.files)),
            Err(error) => return Err(read_error(&shown, error)),
        };
        match self.files.entry(&real).map_err(|error| read_error(&shown, error))? {
            Some(entry) if entry.kind == EntryKind::Directory => {}
            _ => return Err(missing(self.files)),
        }
        self.found.inputs.paths.insert(real.clone());
        Ok(real)
    }

    /// Resolves a path and notes everything the answer depends on, also where there is none.
    fn resolve(&mut self, path: &str) -> Result<String, ReadError> {
        let mut links = Vec::new();
        let result = resolve_noting(self.files, path, &mut |link| links.push(link.to_owned()));
        self.found.inputs.paths.extend(links);
        if let Err(ReadError::NotFound { path }) = &result {
            self.found.inputs.paths.insert(path.clone());
        }
        result
    }

    /// Walks the directory `real`, which a person knows as `shown`.
    fn directory(&mut self, real: &str, shown: &str) {
        if self.trail.iter().any(|above| above == real) {
            let problem = Problem::Entry("this symbolic link leads back to a directory above it");
            return self.errors.push(RenderError::file(&Arc::from(shown), problem));
        }
        if self.trail.len() >= DIRECTORIES_MAX {
            let problem =
                Problem::Budget { what: "directories are nested too deep", limit: format!("{DIRECTORIES_MAX} levels") };
            return self.errors.push(RenderError::file(&Arc::from(shown), problem));
        }
        let entries = match self.files.list(real) {
            Ok(entries) => entries,
            Err(error) => return self.errors.push(read_error(shown, error)),
        };
        let ignores = self.ignores.len();
        if entries.iter().any(|entry| entry.name() == IGNORE_FILE && entry.kind == EntryKind::File) {
            self.read_ignore(real, shown);
        }
        self.trail.push(real.to_owned());
        for entry in entries {
            self.entries += 1;
            if self.entries > ENTRIES_MAX || self.errors.len() >= ERRORS_MAX {
                break;
            }
            self.entry(&entry, shown);
        }
        self.trail.pop();
        self.ignores.truncate(ignores);
        if self.trail.is_empty() && self.entries > ENTRIES_MAX {
            let problem =
                Problem::Budget { what: "the directory has too many files", limit: format!("{ENTRIES_MAX} entries") };
            self.errors.push(RenderError::file(&Arc::from(shown), problem));
        }
    }

    fn read_ignore(&mut self, real: &str, shown: &str) {
        let path = crate::source::join(real, IGNORE_FILE);
        let file: Arc<str> = Arc::from(crate::source::join(shown, IGNORE_FILE));
        match self.files.read(&path, IGNORE_BYTES_MAX) {
            Ok(Content::Bytes(bytes)) => {
                let (ignore, wrong) = Ignore::parse(&String::from_utf8_lossy(&bytes));
                self.errors.extend(
                    wrong.into_iter().map(|(line, text)| RenderError::line(&file, line, Problem::IgnorePattern(text))),
                );
                self.ignores.push((shown.to_owned(), ignore));
            }
            Ok(Content::LfsPointer) => {
                self.errors.push(RenderError::file(&file, Problem::Entry("this is a Git LFS pointer")))
            }
            Err(error) => self.errors.push(read_error(&file, error)),
        }
    }

    fn entry(&mut self, entry: &Entry, shown_directory: &str) {
        let name = entry.name();
        let shown = crate::source::join(shown_directory, name);
        if name.starts_with('.') || self.ignored(&shown, entry.kind == EntryKind::Directory) {
            return;
        }
        match entry.kind {
            EntryKind::Directory => self.directory(&entry.path, &shown),
            EntryKind::File if is_manifest_name(name) => self.manifest(&shown, entry.clone()),
            EntryKind::File => {}
            EntryKind::Symlink => self.symlink(entry, &shown),
            EntryKind::Submodule => {
                let problem = Problem::Entry(
                    "this is a submodule, its manifests are not read: add them to this repository, or list it in `.bowlineignore`",
                );
                self.errors.push(RenderError::file(&Arc::from(shown), problem));
            }
            EntryKind::Special if is_manifest_name(name) => {
                self.errors.push(RenderError::file(&Arc::from(shown), Problem::Entry("this is not a regular file")));
            }
            EntryKind::Special => {}
        }
    }

    fn manifest(&mut self, shown: &str, entry: Entry) {
        if shown.rsplit('/').next().is_some_and(is_kustomization) {
            let problem = Problem::Entry(
                "kustomizations are not rendered: commit the output of `kubectl kustomize`, or list this file in `.bowlineignore`",
            );
            return self.errors.push(RenderError::file(&Arc::from(shown), problem));
        }
        self.found.manifests.push(Candidate { shown: Arc::from(shown), entry });
    }

    fn symlink(&mut self, entry: &Entry, shown: &str) {
        let target = match self.resolve(&entry.path) {
            Ok(target) => target,
            // A dangling or foreign link matters only where a manifest was to be expected.
            Err(_) if !is_manifest_name(entry.name()) => return,
            Err(error) => return self.errors.push(read_error(shown, error)),
        };
        self.found.inputs.paths.insert(target.clone());
        match self.files.entry(&target) {
            Ok(Some(found)) if found.kind == EntryKind::Directory => {
                if !self.ignored(shown, true) {
                    self.directory(&target, shown);
                }
            }
            Ok(Some(found)) if found.kind == EntryKind::File && is_manifest_name(entry.name()) => {
                self.manifest(shown, found)
            }
            Ok(_) => {}
            Err(error) => self.errors.push(read_error(shown, error)),
        }
    }

    fn ignored(&self, shown: &str, directory: bool) -> bool {
        self.ignores.iter().any(|(base, ignore)| {
            let relative = shown.strip_prefix(base.as_str()).unwrap_or(shown).trim_start_matches('/');
            ignore.matches(relative, directory)
        })
    }
}

fn is_manifest_name(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(stem, extension)| !stem.is_empty() && matches!(extension, "yaml" | "yml" | "json"))
}

fn is_kustomization(name: &str) -> bool {
    // The names kustomize itself looks for; `Kustomization` has no extension and is not reached.
    matches!(name, "kustomization.yaml" | "kustomization.yml")
}

fn near_directories(files: &dyn Files, path: &str) -> Vec<String> {
    let mut parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let entries = loop {
        match files.list(parent) {
            Ok(entries) => break entries,
            Err(_) if parent.is_empty() => return Vec::new(),
            Err(_) => parent = parent.rsplit_once('/').map_or("", |(above, _)| above),
        }
    };
    let directories: Vec<&str> =
        entries.iter().filter(|entry| entry.kind == EntryKind::Directory).map(|entry| entry.path.as_str()).collect();
    let near = nearest(path, directories.iter().copied());
    if near.is_empty() { directories.into_iter().take(3).map(str::to_owned).collect() } else { near }
}
