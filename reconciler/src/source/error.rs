//! Why a commit could not be brought here.
//!
//! Responsible for: one variant for each thing a person would do something else about.
//!
//! Must never: hold credentials.

use std::path::PathBuf;
use std::time::Duration;

use super::reference::GitRef;
use super::url::RepoUrl;

/// Why [`Source::fetch`](super::Source::fetch) failed. What was fetched before stays usable in every case.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection: name, route, port or TLS.
    #[error("cannot reach `{url}`: {reason}; check the host name, the network and, for TLS, the certificate authority")]
    Unreachable {
        /// The repository.
        url: RepoUrl,
        /// What failed, innermost cause last.
        reason: String,
    },
    /// The connection broke in the middle of an answer.
    #[error("the connection to `{url}` broke after {bytes} bytes: {reason}; it is tried again")]
    Interrupted {
        /// The repository.
        url: RepoUrl,
        /// Bytes received in this fetch.
        bytes: u64,
        /// What failed.
        reason: String,
    },
    /// The server sent nothing.
    #[error("`{url}` sent nothing for {} s; check the server, or raise the stall limit", .limit.as_secs_f32())]
    Stalled {
        /// The repository.
        url: RepoUrl,
        /// The limit.
        limit: Duration,
    },
    /// The server is slower than the limit.
    #[error(
        "`{url}` sends {bytes_per_second} bytes a second, fewer than the {bytes_per_second_min} that are waited for; check the server or the line"
    )]
    Slow {
        /// The repository.
        url: RepoUrl,
        /// What was measured.
        bytes_per_second: u64,
        /// The limit.
        bytes_per_second_min: u64,
    },
    /// The whole fetch took too long.
    #[error("fetching `{url}` took longer than {} s; raise the timeout, or make the repository smaller", .limit.as_secs_f32())]
    Timeout {
        /// The repository.
        url: RepoUrl,
        /// The limit.
        limit: Duration,
    },
    /// 401 or 403.
    #[error("`{url}` refused access (HTTP {status}): {}", if *.sent { "the credentials are wrong, expired, or lack the right to read" } else { "it needs credentials, give a user and token" })]
    Unauthorized {
        /// The repository.
        url: RepoUrl,
        /// The HTTP status.
        status: u16,
        /// Whether credentials were sent.
        sent: bool,
    },
    /// 404 or 410.
    #[error(
        "there is no repository at `{url}` (HTTP {status}): check the path; forges give the same answer for a private repository without valid credentials"
    )]
    NotFound {
        /// The repository.
        url: RepoUrl,
        /// The HTTP status.
        status: u16,
    },
    /// 429, or 503 with a time to come back.
    #[error("`{url}` asks to come back later (HTTP {status}){}", .retry_after.map(|after| format!(": in {} s", after.as_secs())).unwrap_or_default())]
    Busy {
        /// The repository.
        url: RepoUrl,
        /// The HTTP status.
        status: u16,
        /// When to come back, from the answer.
        retry_after: Option<Duration>,
    },
    /// Any other status that is no success.
    #[error("`{url}` answered HTTP {status}; see the server's log, it is tried again")]
    Server {
        /// The repository.
        url: RepoUrl,
        /// The HTTP status.
        status: u16,
    },
    /// A redirect to another host, to an unencrypted URL, or too many.
    #[error(
        "`{url}` redirects to `{target}`, which is not followed ({reason}); if it moved, write the new URL into the configuration"
    )]
    Redirected {
        /// The repository.
        url: RepoUrl,
        /// Scheme, host and path of the target.
        target: String,
        /// Why it is not followed.
        reason: &'static str,
    },
    /// More bytes than allowed.
    #[error(
        "`{url}` sent more than {bytes_max} bytes of {what}; raise the limit, or keep large files out of the repository"
    )]
    TooLarge {
        /// The repository.
        url: RepoUrl,
        /// What was being received.
        what: &'static str,
        /// The limit.
        bytes_max: u64,
    },
    /// What is there does not speak Git or is no repository.
    #[error("`{url}` is not a Git repository: {reason}")]
    NotARepository {
        /// The repository.
        url: RepoUrl,
        /// What was found instead.
        reason: String,
    },
    /// The repository is there, the ref is not. For a ref that was there before: it was deleted or renamed.
    #[error("{reference} does not exist in `{url}`{}", names_there(.near, *.empty))]
    RefMissing {
        /// The repository.
        url: RepoUrl,
        /// The ref.
        reference: GitRef,
        /// Similar names that exist, or the first few.
        near: Vec<String>,
        /// Whether the repository has no branch and no tag at all.
        empty: bool,
    },
    /// The ref is there and is no commit.
    #[error("{reference} in `{url}` is not a commit; point it at one")]
    NotACommit {
        /// The repository.
        url: RepoUrl,
        /// The ref.
        reference: GitRef,
    },
    /// Objects are missing or broken, also in a second, fresh copy.
    #[error("the objects of `{url}` are incomplete or broken: run `git fsck` where the repository is kept")]
    Corrupt {
        /// The repository.
        url: RepoUrl,
        /// What libgit2 found.
        #[source]
        source: git2::Error,
    },
    /// The server's side of the protocol is not understood.
    #[error("`{url}` broke the Git protocol; check that it is a Git server and no proxy changes its answers")]
    Protocol {
        /// The repository.
        url: RepoUrl,
        /// What libgit2 found.
        #[source]
        source: git2::Error,
    },
    /// The certificates given for the remote cannot be used.
    #[error("the certificate authority for `{url}` cannot be used: {reason}; give PEM certificates")]
    Trust {
        /// The repository.
        url: RepoUrl,
        /// What is wrong with them.
        reason: String,
    },
    /// The local cache cannot be written.
    #[error("cannot {action} the cache `{}`: check space and permissions", .path.display())]
    Cache {
        /// What was tried.
        action: &'static str,
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl FetchError {
    /// Returns a word for a condition's `reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "Unreachable",
            Self::Interrupted { .. } => "Interrupted",
            Self::Stalled { .. } => "Stalled",
            Self::Slow { .. } => "TooSlow",
            Self::Timeout { .. } => "Timeout",
            Self::Unauthorized { .. } => "AuthenticationFailed",
            Self::NotFound { .. } => "RepositoryNotFound",
            Self::Busy { .. } => "RateLimited",
            Self::Server { .. } => "ServerError",
            Self::Redirected { .. } => "RedirectRefused",
            Self::TooLarge { .. } => "TooLarge",
            Self::NotARepository { .. } => "NotARepository",
            Self::RefMissing { .. } => "RefMissing",
            Self::NotACommit { .. } => "NotACommit",
            Self::Corrupt { .. } => "Corrupt",
            Self::Protocol { .. } => "ProtocolError",
            Self::Trust { .. } => "InvalidCertificateAuthority",
            Self::Cache { .. } => "CacheFailed",
        }
    }

    /// Returns when the server asked to be tried again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn names_there(names: &[String], empty: bool) -> String {
    if empty {
        return ": the repository has no commits yet, push one".to_owned();
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!(": there is {}", names.join(", "))
}
