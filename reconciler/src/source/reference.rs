//! Names of commits, and commits.
//!
//! Responsible for: [`GitRef`] as a person writes it, and finding it among the refs of a repository.
//!
//! Must never: accept a shortened commit id, which another push could make ambiguous.

use std::fmt;

use git2::Oid;

use super::error::FetchError;
use super::parse_oid;
use super::url::RepoUrl;
use crate::render::nearest;

/// The id of a commit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(Oid);

impl CommitId {
    /// Parses 40 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        parse_oid(text).map(Self)
    }

    /// Returns the first twelve digits, for people.
    pub fn short(&self) -> String {
        self.0.to_string()[..12].to_owned()
    }

    pub(super) fn oid(self) -> Oid {
        self.0
    }
}

impl From<Oid> for CommitId {
    fn from(oid: Oid) -> Self {
        Self(oid)
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitId({})", self.0)
    }
}

/// A commit as it is told to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The commit.
    pub id: CommitId,
    /// Its tree object: equal trees hold equal files.
    pub tree: Oid,
    /// `Name <address>` of the author, at most 200 characters.
    pub author: String,
    /// The first line of the message, at most 200 characters.
    pub subject: String,
    /// When it was committed, in seconds since 1970; the committer's claim.
    pub time: i64,
}

impl From<&git2::Commit<'_>> for Commit {
    fn from(commit: &git2::Commit<'_>) -> Self {
        let shown = |bytes: &[u8]| -> String {
            String::from_utf8_lossy(bytes).chars().filter(|letter| !letter.is_control()).take(200).collect()
        };
        let author = commit.author();
        Self {
            id: CommitId(commit.id()),
            tree: commit.tree_id(),
            author: format!("{} <{}>", shown(author.name_bytes()), shown(author.email_bytes())),
            subject: shown(commit.message_bytes().split(|byte| *byte == b'\n').next().unwrap_or_default()),
            time: commit.time().seconds(),
        }
    }
}

/// Which commit of a repository is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GitRef {
    /// The default branch, whatever it is called.
    Head,
    /// A branch.
    Branch(String),
    /// A tag, annotated or not.
    Tag(String),
    /// A branch, or a tag where there is no such branch.
    Named(String),
    /// A commit.
    Commit(CommitId),
}

/// Why a text names no commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` cannot be the name of a branch or tag: Git forbids spaces, `..`, `~`, `^`, `:`, `?`, `*`, `[` and `\\` in it (see `git check-ref-format`)"
)]
pub struct RefError {
    /// The text.
    pub name: String,
}

impl GitRef {
    /// Parses what stands behind `--ref`: `HEAD`, a full commit id, `refs/heads/…`, `refs/tags/…`, or the name of a
    /// branch or tag.
    ///
    /// # Errors
    /// [`RefError`] for a name that Git forbids.
    pub fn parse(text: &str) -> Result<Self, RefError> {
        if text.is_empty() || text == "HEAD" {
            return Ok(Self::Head);
        }
        if let Some(id) = CommitId::parse(text) {
            return Ok(Self::Commit(id));
        }
        if let Some(name) = text.strip_prefix("refs/heads/") {
            return Self::branch(name);
        }
        match text.strip_prefix("refs/tags/") {
            Some(name) => Self::tag(name),
            None => valid(text).map(Self::Named),
        }
    }

    /// Makes the ref of a branch.
    ///
    /// # Errors
    /// [`RefError`] for a name that Git forbids.
    pub fn branch(name: &str) -> Result<Self, RefError> {
        valid(name).map(Self::Branch)
    }

    /// Makes the ref of a tag.
    ///
    /// # Errors
    /// [`RefError`] for a name that Git forbids.
    pub fn tag(name: &str) -> Result<Self, RefError> {
        valid(name).map(Self::Tag)
    }

    /// Returns the full names to look for, in order; none for a commit.
    pub(super) fn candidates(&self) -> Vec<String> {
        match self {
            Self::Head => vec!["HEAD".to_owned()],
            Self::Branch(name) => vec![format!("refs/heads/{name}")],
            Self::Tag(name) => vec![format!("refs/tags/{name}")],
            Self::Named(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
            Self::Commit(_) => Vec::new(),
        }
    }

    /// Makes the error for a ref that is not among `present` (full names).
    pub(super) fn missing<'n>(&self, url: &RepoUrl, present: impl Iterator<Item = &'n str>) -> FetchError {
        let short = |name: &'n str| {
            let tail = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/"));
            tail.filter(|tail| !tail.ends_with("^{}"))
        };
        let names: Vec<&str> = present.filter_map(short).collect();
        let wanted = match self {
            Self::Branch(name) | Self::Tag(name) | Self::Named(name) => name.as_str(),
            Self::Head | Self::Commit(_) => "",
        };
        let mut near = nearest(wanted, names.iter().copied());
        if near.is_empty() {
            near = names.iter().take(3).map(|name| (*name).to_owned()).collect();
        }
        FetchError::RefMissing { url: url.clone(), reference: self.clone(), near, empty: names.is_empty() }
    }
}

impl fmt::Display for GitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("default branch"),
            Self::Branch(name) => write!(f, "branch `{name}`"),
            Self::Tag(name) => write!(f, "tag `{name}`"),
            Self::Named(name) => write!(f, "branch or tag `{name}`"),
            Self::Commit(id) => write!(f, "commit `{id}`"),
        }
    }
}

fn valid(name: &str) -> Result<String, RefError> {
    if git2::Reference::is_valid_name(&format!("refs/heads/{name}")) && !name.starts_with('-') {
        return Ok(name.to_owned());
    }
    Err(RefError { name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(case: &str, text: &str, expected: &str) {
        let shown = GitRef::parse(text).map_or_else(|_| "refused".to_owned(), |reference| reference.to_string());
        assert_eq!(shown, expected, "{case}");
    }

    #[test]
    fn refs_are_parsed_as_people_write_them() {
        check("default", "", "default branch");
        check("head", "HEAD", "default branch");
        check("a name", "main", "branch or tag `main`");
        check("a full branch", "refs/heads/feature/x", "branch `feature/x`");
        check("a full tag", "refs/tags/v1", "tag `v1`");
        let id = "0123456789abcdef0123456789abcdef01234567";
        check("a commit", id, &format!("commit `{id}`"));
        check("a short commit is a name", "0123456", "branch or tag `0123456`");
        check("an option is refused", "--upload-pack=x", "refused");
        check("a range is refused", "a..b", "refused");
        check("a refspec is refused", "a:b", "refused");
        check("a glob is refused", "a*", "refused");
    }
}
