//! Repositories on this host, read where they are.
//!
//! Responsible for: refs and commits of a bare repository or one with a work tree, without copying it.
//!
//! Must never: write into the repository.

use std::path::Path;

use git2::{ErrorCode, Oid, Repository};

use super::error::FetchError;
use super::reference::{Commit, GitRef};
use super::sys;
use super::url::RepoUrl;

/// Returns the commit `reference` points at.
pub(super) fn fetch(url: &RepoUrl, path: &Path, reference: &GitRef) -> Result<Commit, FetchError> {
    let repository = sys::open(path).map_err(|error| not_a_repository(url, path, &error))?;
    let id = find(&repository, url, reference)?;
    commit(&repository, url, reference, id)
}

/// Reads the commit behind an object id, through annotated tags.
pub(super) fn commit(
    repository: &Repository,
    url: &RepoUrl,
    reference: &GitRef,
    id: Oid,
) -> Result<Commit, FetchError> {
    let corrupt = |source| FetchError::Corrupt { url: url.clone(), source };
    let object = repository.find_object(id, None).map_err(corrupt)?;
    match object.peel_to_commit() {
        Ok(commit) => Ok(Commit::from(&commit)),
        Err(error) if matches!(error.code(), ErrorCode::Peel | ErrorCode::InvalidSpec) => {
            Err(FetchError::NotACommit { url: url.clone(), reference: reference.clone() })
        }
        Err(error) => Err(corrupt(error)),
    }
}

fn find(repository: &Repository, url: &RepoUrl, reference: &GitRef) -> Result<Oid, FetchError> {
    if let GitRef::Commit(id) = reference {
        if repository.find_commit(id.oid()).is_ok() {
            return Ok(id.oid());
        }
        return Err(missing(repository, url, reference));
    }
    for name in reference.candidates() {
        match repository.find_reference(&name).and_then(|found| found.resolve()) {
            Ok(found) => {
                if let Some(id) = found.target() {
                    return Ok(id);
                }
            }
            Err(error) if error.code() == ErrorCode::NotFound => {}
            Err(source) => {
                return Err(FetchError::Corrupt { url: url.clone(), source });
            }
        }
    }
    Err(missing(repository, url, reference))
}

fn missing(repository: &Repository, url: &RepoUrl, reference: &GitRef) -> FetchError {
    let mut names = Vec::new();
    if let Ok(references) = repository.references() {
        names.extend(references.flatten().filter_map(|found| found.name().ok().map(str::to_owned)));
    }
    reference.missing(url, names.iter().map(String::as_str))
}

fn not_a_repository(url: &RepoUrl, path: &Path, error: &git2::Error) -> FetchError {
    let reason = if !path.exists() {
        "the path does not exist".to_owned()
    } else if error.code() == ErrorCode::NotFound {
        "there is no `.git` and it is not bare; run `git init` and commit, or give the top directory".to_owned()
    } else {
        error.message().to_owned()
    };
    FetchError::NotARepository { url: url.clone(), reason }
}
