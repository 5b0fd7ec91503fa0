//! The bare copy of a remote repository.
//!
//! Responsible for: bringing refs and objects of a remote into a directory of ours, checking that they are complete,
//! and starting afresh beside it when the copy is broken. The refs kept are `refs/bowline/…`, so that objects in use
//! stay named.
//!
//! Must never: replace a copy by one that was not checked, or report a commit whose files are not all here.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use git2::{AutotagOption, Direction, ErrorClass, ErrorCode, FetchOptions, FetchPrune, ObjectType, Oid, Repository};
use git2::{RepositoryInitOptions, TreeWalkMode, TreeWalkResult};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::access::{Access, Limits};
use super::error::FetchError;
use super::http::Session;
use super::reference::{Commit, GitRef};
use super::transport::Dialogue;
use super::url::RepoUrl;
use super::{local, sys, tidy};

/// The name space of the refs kept here.
const KEPT: &str = "refs/bowline";

/// A ref of the remote.
struct Head {
    name: String,
    id: Oid,
}

/// One fetch, with what its steps share.
struct Fetch<'a> {
    url: &'a RepoUrl,
    reference: &'a GitRef,
    limits: &'a Limits,
    access: &'a Access,
}

/// Returns the commit `reference` points at in the remote, all its files being in the cache.
pub(super) fn fetch(
    url: &RepoUrl,
    cache: &Path,
    reference: &GitRef,
    limits: &Limits,
    access: &Access,
) -> Result<Commit, FetchError> {
    let fetch = Fetch { url, reference, limits, access };
    if !cache.join("HEAD").exists() {
        return fetch.afresh(cache);
    }
    let Ok(repository) = sys::open(cache) else {
        return fetch.afresh(cache);
    };
    if let Some(commit) = fetch.pinned(&repository) {
        return Ok(commit);
    }
    match fetch.bring(&repository) {
        Err(error @ (FetchError::Corrupt { .. } | FetchError::Protocol { .. })) => {
            drop(repository);
            tracing::warn!(cache = %cache.display(), %error, "the cache of a repository is renewed");
            fetch.afresh(cache)
        }
        result => result,
    }
}

/// Removes a cache.
pub(super) fn discard(cache: &Path) -> Result<(), FetchError> {
    match fs::remove_dir_all(cache) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cache_error("remove", cache)(error)),
        _ => Ok(()),
    }
}

impl Fetch<'_> {
    /// Returns the commit that is asked for by its id where it is here already: it cannot have changed.
    fn pinned(&self, repository: &Repository) -> Option<Commit> {
        let GitRef::Commit(id) = self.reference else {
            return None;
        };
        let commit = repository.find_commit(id.oid()).ok()?;
        check_complete(repository, commit.tree_id()).ok()?;
        Some(Commit::from(&commit))
    }

    /// Fetches into a new directory beside the cache and puts it in the cache's place.
    fn afresh(&self, cache: &Path) -> Result<Commit, FetchError> {
        let fresh = beside(cache, "new");
        discard(&fresh)?;
        let result = self.bring_into_new(&fresh);
        let Ok(commit) = result else {
            // What was half fetched is worth nothing; the first error is the one to tell.
            let _ = discard(&fresh);
            return result;
        };
        replace(&fresh, cache)?;
        Ok(commit)
    }

    fn bring_into_new(&self, fresh: &Path) -> Result<Commit, FetchError> {
        fs::create_dir_all(fresh).map_err(cache_error("make", fresh))?;
        let mut options = RepositoryInitOptions::new();
        options.bare(true).no_reinit(true).external_template(false);
        let repository = Repository::init_opts(fresh, &options)
            .map_err(|error| cache_error("make", fresh)(io::Error::other(error.message().to_owned())))?;
        self.bring(&repository)
    }

    fn bring(&self, repository: &Repository) -> Result<Commit, FetchError> {
        let remote_url = self.url.remote_url().expect("invariant: only remote repositories have a cache");
        let dialogue = Dialogue::open(Session::new(self.url, remote_url, self.limits, self.access)?);
        let result = self.converse(repository, &dialogue);
        result.map_err(|error| match error {
            Step::Git(error) => dialogue.take_failure().unwrap_or_else(|| self.classify(repository, error)),
            Step::Fetch(error) => error,
        })
    }

    fn converse(&self, repository: &Repository, dialogue: &Dialogue) -> Result<Commit, Step> {
        let mut remote = repository.remote_anonymous(&dialogue.address())?;
        let mut connection = remote.connect_auth(Direction::Fetch, None, None)?;
        let heads: Vec<Head> =
            connection.list()?.iter().map(|head| Head { name: head.name().to_owned(), id: head.oid() }).collect();
        let (id, refspecs) = self.choose(&heads)?;
        let here = id.is_some_and(|id| self.is_here(repository, id));
        if !here {
            let mut options = FetchOptions::new();
            options.download_tags(AutotagOption::None).update_fetchhead(false).prune(FetchPrune::Off);
            connection.remote().fetch(&refspecs, Some(&mut options), None)?;
        }
        drop(connection);
        let id = match (id, self.reference) {
            (Some(id), _) => id,
            (None, GitRef::Commit(wanted)) if repository.find_commit(wanted.oid()).is_ok() => wanted.oid(),
            (None, reference) => {
                return Err(reference.missing(self.url, heads.iter().map(|head| head.name.as_str())).into());
            }
        };
        let commit = local::commit(repository, self.url, self.reference, id)?;
        if !here {
            check_complete(repository, commit.tree)
                .map_err(|source| FetchError::Corrupt { url: self.url.clone(), source })?;
            if let Err(error) = tidy::tidy(repository, KEPT) {
                tracing::warn!(cache = %repository.path().display(), %error, "the packs of a cache were not joined");
            }
        }
        Ok(commit)
    }

    /// Finds the ref among those of the remote and says what to transfer. A commit that no ref points at may still be
    /// in the history of one: then everything is transferred, which any server allows.
    fn choose(&self, heads: &[Head]) -> Result<(Option<Oid>, Vec<String>), FetchError> {
        if let GitRef::Commit(wanted) = self.reference {
            let exact = heads.iter().find(|head| head.id == wanted.oid() && !head.name.ends_with("^{}"));
            return Ok(match exact {
                Some(head) => (Some(head.id), vec![refspec(&head.name)]),
                None => (None, vec![format!("+refs/heads/*:{KEPT}/heads/*"), format!("+refs/tags/*:{KEPT}/tags/*")]),
            });
        }
        for name in self.reference.candidates() {
            if let Some(head) = heads.iter().find(|head| head.name == name) {
                return Ok((Some(head.id), vec![refspec(&name)]));
            }
        }
        Err(self.reference.missing(self.url, heads.iter().map(|head| head.name.as_str())))
    }

    /// Returns whether the object and the commit and root tree behind it are here. Their files were checked when they came.
    fn is_here(&self, repository: &Repository, id: Oid) -> bool {
        let found = repository.find_object(id, None).and_then(|object| object.peel_to_commit());
        found.and_then(|commit| commit.tree()).is_ok()
    }

    fn classify(&self, repository: &Repository, source: git2::Error) -> FetchError {
        let url = self.url.clone();
        match source.class() {
            ErrorClass::Odb | ErrorClass::Object | ErrorClass::Zlib | ErrorClass::Indexer | ErrorClass::Tree => {
                FetchError::Corrupt { url, source }
            }
            ErrorClass::Reference | ErrorClass::Repository | ErrorClass::Sha1 => FetchError::Corrupt { url, source },
            ErrorClass::Os | ErrorClass::Filesystem => FetchError::Cache {
                action: "write",
                path: repository.path().to_owned(),
                source: io::Error::other(source.message().to_owned()),
            },
            _ => FetchError::Protocol { url, source },
        }
    }
}

/// A step that failed: in libgit2, which the transport may know more about, or in our own rules.
enum Step {
    Git(git2::Error),
    Fetch(FetchError),
}

impl From<git2::Error> for Step {
    fn from(error: git2::Error) -> Self {
        Self::Git(error)
    }
}

impl From<FetchError> for Step {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

fn refspec(name: &str) -> String {
    format!("+{name}:{KEPT}/{}", name.strip_prefix("refs/").unwrap_or(name))
}

/// Checks that every object below a tree is here.
fn check_complete(repository: &Repository, tree: Oid) -> Result<(), git2::Error> {
    let odb = repository.odb()?;
    let (mut seen, mut absent) = (BTreeSet::new(), None);
    repository
        .find_tree(tree)?
        .walk(TreeWalkMode::PreOrder, |_, entry| match entry.kind() {
            Some(ObjectType::Tree) if !seen.insert(entry.id()) => TreeWalkResult::Skip,
            Some(ObjectType::Blob) if !odb.exists(entry.id()) => {
                absent = Some(entry.id());
                TreeWalkResult::Abort
            }
            _ => TreeWalkResult::Ok,
        })
        .or_else(|error| if error.code() == ErrorCode::User { Ok(()) } else { Err(error) })?;
    match absent {
        None => Ok(()),
        Some(id) => Err(git2::Error::new(ErrorCode::NotFound, ErrorClass::Odb, format!("object `{id}` is missing"))),
    }
}

fn beside(cache: &Path, suffix: &str) -> PathBuf {
    let mut name = cache.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{suffix}"));
    cache.with_file_name(name)
}

/// Puts `fresh` in the place of `cache` in one step, then removes what was there.
fn replace(fresh: &Path, cache: &Path) -> Result<(), FetchError> {
    if !cache.exists() {
        return fs::rename(fresh, cache).map_err(cache_error("replace", cache));
    }
    renameat2(AT_FDCWD, fresh, AT_FDCWD, cache, RenameFlags::RENAME_EXCHANGE)
        .map_err(|errno| cache_error("replace", cache)(errno.into()))?;
    // What is left over is removed at the latest by the next renewal.
    let _ = fs::remove_dir_all(fresh);
    Ok(())
}

fn cache_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> FetchError {
    let path = path.to_owned();
    move |source| FetchError::Cache { action, path: path.clone(), source }
}
