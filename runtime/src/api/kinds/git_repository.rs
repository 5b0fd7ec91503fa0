//! The GitRepository: a repository that is watched for commits.

use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::error::FieldError;
use crate::api::kinds::LocalObjectReference;
use crate::api::meta::Condition;
use crate::api::value::{Duration, Time};

/// Watches a Git repository for commits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    kind = "GitRepository", group = "bowline.dev", version = "v1alpha1", plural = "gitrepositories", short("gitrepo"), scope = Namespaced,
    status = GitRepositoryStatus, validate = validate,
    column(name = "URL", type = "string", path = "/spec/url"),
    column(name = "Ready", type = "string", render = crate::api::columns::ready_condition),
    column(name = "Revision", type = "string", render = crate::api::columns::git_repository::revision),
    column(name = "Message", type = "string", render = crate::api::columns::ready_message),
    column(name = "Age", type = "string", render = crate::api::columns::age),
    column(name = "Subject", type = "string", wide, path = "/status/subject"),
    column(name = "Author", type = "string", wide, path = "/status/author")
)]
pub struct GitRepositorySpec {
    /// Where to fetch from: `https://`, `http://`, `file://` or an absolute path on this host.
    #[object(required)]
    pub url: String,
    /// What to follow; the remote's default branch if empty.
    #[serde(rename = "ref")]
    #[object(default_json = "{}")]
    pub ref_: Option<GitReference>,
    /// How often to look for commits; local paths are noticed at once.
    #[object(default = "1m", min = "10s")]
    pub interval: Option<Duration>,
    /// How long one fetch may take.
    #[object(default = "1m", min = "1s")]
    pub timeout: Option<Duration>,
    /// Secret with `username`, `password` or `bearerToken`, and `ca.crt`.
    pub secret_ref: Option<LocalObjectReference>,
    /// Whether no commits are fetched for now.
    pub suspend: Option<bool>,
}

/// What to follow in a repository; at most one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct GitReference {
    /// A branch.
    pub branch: Option<String>,
    /// A tag.
    pub tag: Option<String>,
    /// A commit by its full hash.
    pub commit: Option<String>,
    /// A branch, or a tag where there is no such branch.
    pub name: Option<String>,
}

/// What was last seen of a repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct GitRepositoryStatus {
    /// Generation that was acted on.
    pub observed_generation: Option<i64>,
    /// Conditions `Ready`, `Reconciling`, `Stalled`.
    #[object(list_map = "type")]
    pub conditions: Vec<Condition>,
    /// Commit that was last fetched.
    pub revision: Option<String>,
    /// Full name of the ref that led there, for example `refs/heads/main`.
    #[serde(rename = "ref")]
    pub ref_: Option<String>,
    /// First line of the commit's message.
    pub subject: Option<String>,
    /// Author of the commit.
    pub author: Option<String>,
    /// When the commit was made.
    pub commit_time: Option<Time>,
    /// When the last new commit was found.
    pub last_fetch_time: Option<Time>,
    /// Last value of the annotation `bowline.dev/requested-at` that was acted on.
    pub last_handled_reconcile_at: Option<String>,
}

fn validate(value: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let spec = &value["spec"];
    let url = spec["url"].as_str().unwrap_or_default();
    let known = ["https://", "http://", "file:///", "/"].iter().any(|scheme| url.starts_with(scheme));
    if !url.is_empty() && !known {
        let detail = "must start with `https://`, `http://`, `file:///` or be an absolute path";
        errors.push(FieldError::invalid("spec.url", quoted(url), detail));
    }
    if has_password(url) {
        errors.push(FieldError::invalid("spec.url", "", "must not contain a password; use `spec.secretRef`"));
    }
    let given = ["branch", "tag", "commit", "name"].into_iter().filter(|field| spec["ref"][field].is_string());
    for field in given.skip(1) {
        let detail = "may not specify more than one of `branch`, `tag`, `commit` and `name`";
        errors.push(FieldError::forbidden(format!("spec.ref.{field}"), detail));
    }
    if let Some(commit) = spec["ref"]["commit"].as_str()
        && !(matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
    {
        let detail = "must be a full commit hash of 40 or 64 lower case hexadecimal digits";
        errors.push(FieldError::invalid("spec.ref.commit", quoted(commit), detail));
    }
    errors
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Whether the part before the host of a URL holds a password.
fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}
