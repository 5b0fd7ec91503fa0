//! Where a repository is.
//!
//! Responsible for: parsing once what a person or a manifest wrote; credentials are taken out of a URL at the door.
//!
//! Must never: print the credentials of a URL.

use std::cmp::Ordering;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Url;

use super::access::Credentials;

/// Where a repository is: a path on this host, or an HTTP(S) URL. Printed without credentials.
#[derive(Clone)]
pub struct RepoUrl(Arc<Parts>);

struct Parts {
    place: Place,
    credentials: Option<Credentials>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Local(PathBuf),
    Remote(Url),
}

/// Whether unencrypted HTTP is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpPolicy {
    /// Only to this host itself.
    #[default]
    LoopbackOnly,
    /// To any host: whoever is on the way can change what this host runs.
    AnyHost,
}

/// Why a text is no place of a repository. The texts in here never contain credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// There is nothing.
    #[error("the repository URL is empty: give a path on this host or an `https://` URL")]
    Empty,
    /// SSH, Git's own protocol, FTP and so on.
    #[error(
        "`{scheme}` repositories are not supported: use the `https://` URL of the same repository, with a token if it is private"
    )]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// A path that depends on the working directory.
    #[error("`{path}` is relative: give the absolute path of the repository, or a URL that begins with `https://`")]
    RelativePath {
        /// The path.
        path: String,
    },
    /// Malformed.
    #[error("the repository URL is malformed: {reason}")]
    Malformed {
        /// In which way.
        reason: String,
    },
    /// HTTP to another host.
    #[error(
        "`{url}` is not encrypted, so anyone on the way could change what this host runs: use `https://`, or allow insecure HTTP for this repository"
    )]
    Insecure {
        /// The URL.
        url: String,
    },
}

impl RepoUrl {
    /// Parses an absolute path, `file://`, `https://`, or `http://` to this host itself.
    ///
    /// # Errors
    /// [`UrlError`], whose text is safe to print.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        Self::parse_under(text, HttpPolicy::LoopbackOnly)
    }

    /// Does as [`RepoUrl::parse`] with a policy of the caller's for `http://`.
    ///
    /// # Errors
    /// [`UrlError`], whose text is safe to print.
    pub fn parse_under(text: &str, policy: HttpPolicy) -> Result<Self, UrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        match text.split_once("://") {
            Some(("file", path)) => Self::local(path.strip_prefix("localhost").unwrap_or(path)),
            Some(("http" | "https", _)) => Self::remote(text, policy),
            Some((scheme, _)) => Err(UrlError::Scheme { scheme: format!("{scheme}://") }),
            None if is_scp(text) => Err(UrlError::Scheme { scheme: "ssh".to_owned() }),
            None => Self::local(text),
        }
    }

    /// Makes the place of a repository on this host; the path is made absolute.
    ///
    /// # Errors
    /// [`UrlError::RelativePath`] where there is no working directory to take it from.
    pub fn from_path(path: &Path) -> Result<Self, UrlError> {
        let path =
            std::path::absolute(path).map_err(|_| UrlError::RelativePath { path: path.display().to_string() })?;
        Ok(Self::new(Place::Local(path), None))
    }

    fn new(place: Place, credentials: Option<Credentials>) -> Self {
        Self(Arc::new(Parts { place, credentials }))
    }

    fn local(path: &str) -> Result<Self, UrlError> {
        if !path.starts_with('/') {
            return Err(UrlError::RelativePath { path: path.to_owned() });
        }
        if path.contains('\0') {
            return Err(UrlError::Malformed { reason: "a path cannot contain NUL".to_owned() });
        }
        Ok(Self::new(Place::Local(PathBuf::from(path)), None))
    }

    fn remote(text: &str, policy: HttpPolicy) -> Result<Self, UrlError> {
        let malformed = |reason: &str| UrlError::Malformed { reason: reason.to_owned() };
        let mut url = Url::parse(text).map_err(|error| malformed(&error.to_string()))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(malformed("it names no host"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(malformed("it has a query or fragment, which Git cannot use"));
        }
        let credentials =
            take_credentials(&mut url).ok_or_else(|| malformed("its user or password is not encoded right"))?;
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        if url.scheme() == "http" && policy == HttpPolicy::LoopbackOnly && !is_loopback(&url) {
            return Err(UrlError::Insecure { url: url.to_string() });
        }
        Ok(Self::new(Place::Remote(url), credentials))
    }

    /// Returns the path of a repository on this host.
    pub fn local_path(&self) -> Option<&Path> {
        match &self.0.place {
            Place::Local(path) => Some(path),
            Place::Remote(_) => None,
        }
    }

    /// Returns the URL of a remote repository, without credentials.
    pub(super) fn remote_url(&self) -> Option<&Url> {
        match &self.0.place {
            Place::Local(_) => None,
            Place::Remote(url) => Some(url),
        }
    }

    /// Returns the credentials that stood in the URL.
    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.0.credentials.as_ref()
    }
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.place {
            Place::Local(path) => write!(f, "{}", path.display()),
            Place::Remote(url) => f.write_str(url.as_str()),
        }
    }
}

impl fmt::Debug for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RepoUrl({self})")
    }
}

impl PartialEq for RepoUrl {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for RepoUrl {}

impl PartialOrd for RepoUrl {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RepoUrl {
    /// Compares the places only: with other credentials it is the same repository.
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.place.cmp(&other.0.place)
    }
}

/// Removes user and password from the URL; `None` where they are not valid percent-encoded UTF-8.
fn take_credentials(url: &mut Url) -> Option<Option<Credentials>> {
    let (user, password) = (percent_decode(url.username())?, percent_decode(url.password().unwrap_or(""))?);
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    let given = !user.is_empty() || !password.is_empty();
    Some(given.then_some(Credentials::Basic { user, password }))
}

fn percent_decode(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Returns whether a text without `://` is SSH's short form, `user@host:path`, by Git's rule: a colon before any slash.
fn is_scp(text: &str) -> bool {
    text.find(':').is_some_and(|colon| !text[..colon].contains('/'))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(case: &str, text: &str, expected: &str) {
        let shown = match RepoUrl::parse(text) {
            Ok(url) => url.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert!(shown.starts_with(expected), "{case}: {shown}");
        assert!(!shown.contains("s3cret"), "{case}: {shown}");
    }

    #[test]
    fn places_are_parsed_once_and_never_show_credentials() {
        check("a path", "/srv/config.git", "/srv/config.git");
        check("a file URL", "file:///srv/config.git", "/srv/config.git");
        check("a file URL with host", "file://localhost/srv/x", "/srv/x");
        check("https", "https://example.com/a/b.git/", "https://example.com/a/b.git");
        check("credentials are hidden", "https://u:s3cret@example.com/a", "https://example.com/a");
        check("loopback http", "http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a");
        check("loopback http by name", "http://localhost/a", "http://localhost/a");
        check("loopback http over IPv6", "http://[::1]:1/a", "http://[::1]:1/a");
        check("http elsewhere", "http://u:s3cret@example.com/a", "error: `http://example.com/a` is not encrypted");
        check("ssh", "ssh://git@example.com/a", "error: `ssh://` repositories are not supported");
        check("short ssh", "git@example.com:a/b.git", "error: `ssh` repositories are not supported");
        check("relative", "config", "error: `config` is relative");
        check("empty", "  ", "error: the repository URL is empty");
        check("query", "https://u:s3cret@example.com/a?x=1", "error: the repository URL is malformed");
        check("no host", "https://", "error: the repository URL is malformed");
        check("a path with a colon", "/srv/a:b", "/srv/a:b");
    }

    #[test]
    fn unencrypted_http_can_be_allowed() {
        let url = RepoUrl::parse_under("http://example.com/a", HttpPolicy::AnyHost);
        assert_eq!(url.expect("allowed").to_string(), "http://example.com/a");
    }

    #[test]
    fn debug_output_hides_credentials() {
        let url = RepoUrl::parse("https://u:s3cret%21@example.com/a").expect("valid");
        assert!(!format!("{url:?} {:?}", url.credentials()).contains("s3cret"));
        let expected = Credentials::Basic { user: "u".to_owned(), password: "s3cret!".to_owned() };
        assert_eq!(url.credentials(), Some(&expected));
    }
}
