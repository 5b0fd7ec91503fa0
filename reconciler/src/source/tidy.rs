//! One pack instead of many.
//!
//! Responsible for: joining the packs that fetches leave behind, one each, before they slow every look-up down.
//!
//! Must never: remove a pack before what is kept of it is written elsewhere. A reader that has an old pack open goes on
//! with it; one that looks for an object later finds it in the new one.

use std::fs;
use std::path::{Path, PathBuf};

use git2::Repository;

/// Packs that may lie side by side. Git itself joins them at fifty (`gc.autoPackLimit`).
pub(super) const PACKS_MAX: usize = 50;

/// Joins the packs of a repository where there are more than [`PACKS_MAX`], keeping what the refs below `kept` reach.
pub(super) fn tidy(repository: &Repository, kept: &str) -> Result<(), git2::Error> {
    let directory = repository.path().join("objects/pack");
    let before = files(&directory);
    let is_pack = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "pack");
    if before.iter().filter(is_pack).count() <= PACKS_MAX {
        return Ok(());
    }
    let mut walk = repository.revwalk()?;
    let mut builder = repository.packbuilder()?;
    for reference in repository.references_glob(&format!("{kept}/*"))? {
        let Some(id) = reference?.target() else {
            continue;
        };
        let object = repository.find_object(id, None)?;
        // The tag itself, where the ref is an annotated one; the walk knows commits only.
        builder.insert_object(id, None)?;
        if let Ok(commit) = object.peel_to_commit() {
            walk.push(commit.id())?;
        }
    }
    builder.insert_walk(&mut walk)?;
    builder.write(&directory, 0)?;
    let name = builder.name()?.unwrap_or_default().to_owned();
    if name.is_empty() {
        return Ok(());
    }
    for path in before.iter().filter(|path| !path.to_string_lossy().contains(&name)) {
        // What cannot be removed is looked at again after the next fetch.
        let _ = fs::remove_file(path);
    }
    Ok(())
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
