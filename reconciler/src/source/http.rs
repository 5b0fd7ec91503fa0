//! Smart HTTP requests under limits.
//!
//! Responsible for: one HTTP client per kind of trust, redirects by rule, the translation of statuses, and bodies that
//! are measured while they are read.
//!
//! Must never: follow a redirect to another host or to an unencrypted URL, send credentials anywhere but to the host of
//! the configured URL, or read without a limit.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bowline_runtime::api::chain;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Certificate, StatusCode, Url, redirect};

use super::access::{Access, Credentials, Limits};
use super::error::FetchError;
use super::url::RepoUrl;

/// Forges look at the beginning: some answer only to a name that starts with `git/`.
const USER_AGENT: &str = concat!("git/2.45.0 (bowline ", env!("CARGO_PKG_VERSION"), ")");
/// Redirects of the first request; Git follows twenty, forges need two (scheme, then renamed repository).
const REDIRECTS_MAX: usize = 5;
/// Clients kept for reuse of their connections. Past it all are dropped and made anew.
const CLIENTS_MAX: usize = 16;

const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
const REQUEST: &str = "application/x-git-upload-pack-request";
const RESULT: &str = "application/x-git-upload-pack-result";

/// One conversation with one remote.
pub(super) struct Session {
    pub url: RepoUrl,
    limits: Limits,
    credentials: Option<Credentials>,
    client: Client,
    started: Instant,
    /// Where the repository is after redirects, without the service's path.
    base: Mutex<Url>,
    failure: Mutex<Option<FetchError>>,
}

impl Session {
    /// Prepares a conversation; nothing is sent yet.
    pub(super) fn new(url: &RepoUrl, remote: &Url, limits: &Limits, access: &Access) -> Result<Self, FetchError> {
        Ok(Self {
            url: url.clone(),
            limits: limits.clone(),
            credentials: access.credentials.as_ref().or(url.credentials()).cloned(),
            client: client(url, limits, access)?,
            started: Instant::now(),
            base: Mutex::new(remote.clone()),
            failure: Mutex::new(None),
        })
    }

    /// Takes the failure that made libgit2 give up, which says more than libgit2's own error.
    pub(super) fn take_failure(&self) -> Option<FetchError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps a failure and makes the error for libgit2 of it.
    pub(super) fn fail(&self, failure: FetchError) -> io::Error {
        let error = io::Error::other(failure.to_string());
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        error
    }

    /// Asks for the refs.
    pub(super) fn refs(&self) -> Result<Body, FetchError> {
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..=REDIRECTS_MAX {
            let mut target = service(&base, "info/refs");
            target.set_query(Some("service=git-upload-pack"));
            let request = self.client.get(target.clone()).header(ACCEPT, "*/*").header("Pragma", "no-cache");
            let response = self.send(request)?;
            if !response.status().is_redirection() {
                let response = self.accept(response, ADVERTISEMENT)?;
                return Ok(self.body(response, "refs", self.limits.refs_bytes_max));
            }
            *base = self.redirected(&target, &response)?;
        }
        Err(self.refused(&base, "too many redirects"))
    }

    /// Sends one request of the negotiation and returns what comes back.
    pub(super) fn upload_pack(&self, request: Vec<u8>) -> Result<Body, FetchError> {
        let base = self.base.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let target = service(&base, "git-upload-pack");
        let request =
            self.client.post(target.clone()).header(CONTENT_TYPE, REQUEST).header(ACCEPT, RESULT).body(request);
        let response = self.send(request)?;
        if response.status().is_redirection() {
            return Err(self.refused(&target, "only the first request may be redirected"));
        }
        let response = self.accept(response, RESULT)?;
        Ok(self.body(response, "pack", self.limits.pack_bytes_max))
    }

    fn send(&self, request: RequestBuilder) -> Result<Response, FetchError> {
        self.check_total()?;
        let request = match &self.credentials {
            None => request,
            Some(Credentials::Basic { user, password }) => request.basic_auth(user, Some(password)),
            Some(Credentials::Bearer(token)) => request.bearer_auth(token),
        };
        request.send().map_err(|error| self.send_failure(error))
    }

    fn send_failure(&self, error: reqwest::Error) -> FetchError {
        // The URL of the request is known already; without it the texts stay short.
        let error = error.without_url();
        if error.is_timeout() && !error.is_connect() {
            return FetchError::Stalled { url: self.url.clone(), limit: self.limits.stall };
        }
        FetchError::Unreachable { url: self.url.clone(), reason: chain(&error) }
    }

    fn check_total(&self) -> Result<(), FetchError> {
        if self.started.elapsed() > self.limits.total {
            return Err(FetchError::Timeout { url: self.url.clone(), limit: self.limits.total });
        }
        Ok(())
    }

    /// Returns the base URL behind a redirect, or why it is not followed.
    fn redirected(&self, from: &Url, response: &Response) -> Result<Url, FetchError> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(target) = location.and_then(|location| from.join(location).ok()) else {
            return Err(self.refused(from, "it gives no valid target"));
        };
        if target.host_str() != from.host_str() {
            return Err(self.refused(&target, "another host"));
        }
        let upgrade = from.scheme() == "http" && target.scheme() == "https";
        if target.scheme() != from.scheme() && !upgrade {
            return Err(self.refused(&target, "not encrypted"));
        }
        if target.port_or_known_default() != from.port_or_known_default() && !upgrade {
            return Err(self.refused(&target, "another port"));
        }
        let Some(path) = target.path().strip_suffix("/info/refs") else {
            return Err(self.refused(&target, "not a Git service"));
        };
        let mut base = target.clone();
        base.set_path(path);
        base.set_query(None);
        base.set_fragment(None);
        Ok(base)
    }

    fn refused(&self, target: &Url, reason: &'static str) -> FetchError {
        // A target may carry tokens in its user part or query.
        let mut shown = target.clone();
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        shown.set_query(None);
        shown.set_fragment(None);
        FetchError::Redirected { url: self.url.clone(), target: shown.to_string(), reason }
    }

    fn accept(&self, response: Response, wanted: &str) -> Result<Response, FetchError> {
        let (status, url) = (response.status(), self.url.clone());
        let code = status.as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(FetchError::Unauthorized { url, status: code, sent: self.credentials.is_some() });
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                return Err(FetchError::NotFound { url, status: code });
            }
            StatusCode::TOO_MANY_REQUESTS => {
                return Err(FetchError::Busy { url, status: code, retry_after });
            }
            StatusCode::SERVICE_UNAVAILABLE if retry_after.is_some() => {
                return Err(FetchError::Busy { url, status: code, retry_after });
            }
            StatusCode::OK => {}
            _ => return Err(FetchError::Server { url, status: code }),
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("nothing");
        if kind.split(';').next().map(str::trim) != Some(wanted) {
            let kind: String = kind.chars().take(100).collect();
            let reason = format!("the server answers with `{kind}` instead of a Git service; check the path");
            return Err(FetchError::NotARepository { url, reason });
        }
        Ok(response)
    }

    fn body(&self, response: Response, what: &'static str, bytes_max: u64) -> Body {
        Body { response, what, bytes_max, bytes: 0, window: Instant::now(), window_bytes: 0 }
    }
}

/// A body that is being read.
pub(super) struct Body {
    response: Response,
    what: &'static str,
    bytes_max: u64,
    bytes: u64,
    window: Instant,
    window_bytes: u64,
}

impl Body {
    /// Reads what is there; 0 at the end.
    pub(super) fn read(&mut self, session: &Session, buffer: &mut [u8]) -> Result<usize, FetchError> {
        session.check_total()?;
        let url = || session.url.clone();
        let count = self.response.read(buffer).map_err(|error| {
            if is_timeout(&error) {
                return FetchError::Stalled { url: url(), limit: session.limits.stall };
            }
            FetchError::Interrupted { url: url(), bytes: self.bytes, reason: chain(&error) }
        })?;
        self.bytes += count as u64;
        self.window_bytes += count as u64;
        if self.bytes > self.bytes_max {
            return Err(FetchError::TooLarge { url: url(), what: self.what, bytes_max: self.bytes_max });
        }
        if count > 0 {
            self.check_speed(session)?;
        }
        Ok(count)
    }

    fn check_speed(&mut self, session: &Session) -> Result<(), FetchError> {
        let elapsed = self.window.elapsed();
        if elapsed < session.limits.stall {
            return Ok(());
        }
        let bytes_per_second = (self.window_bytes as f64 / elapsed.as_secs_f64()) as u64;
        let bytes_per_second_min = session.limits.bytes_per_second_min;
        if bytes_per_second < bytes_per_second_min {
            return Err(FetchError::Slow { url: session.url.clone(), bytes_per_second, bytes_per_second_min });
        }
        (self.window, self.window_bytes) = (Instant::now(), 0);
        Ok(())
    }
}

type ClientKey = (Duration, Duration, Option<Vec<u8>>);

/// Returns the client for these limits and trust; clients are shared, since each owns a thread and its connections.
fn client(url: &RepoUrl, limits: &Limits, access: &Access) -> Result<Client, FetchError> {
    static CLIENTS: Mutex<BTreeMap<ClientKey, Client>> = Mutex::new(BTreeMap::new());
    let key = (limits.connect, limits.stall.min(limits.total), access.ca_pem.as_deref().map(<[u8]>::to_vec));
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = clients.get(&key) {
        return Ok(client.clone());
    }
    let trust = |reason: String| FetchError::Trust { url: url.clone(), reason };
    // The client's own timeout counts anew for each read of a body, so it is the limit for silence.
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(key.0)
        .timeout(key.1);
    if let Some(pem) = &key.2 {
        let certificates = Certificate::from_pem_bundle(pem).map_err(|error| trust(chain(&error)))?;
        if certificates.is_empty() {
            return Err(trust("there is no certificate in it".to_owned()));
        }
        builder = builder.tls_certs_only(certificates);
    }
    let client = builder.build().map_err(|error| trust(chain(&error)))?;
    if clients.len() >= CLIENTS_MAX {
        clients.clear();
    }
    clients.insert(key, client.clone());
    Ok(client)
}

fn service(base: &Url, name: &str) -> Url {
    let mut target = base.clone();
    target.set_path(&format!("{}/{name}", base.path().trim_end_matches('/')));
    target
}

fn is_timeout(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>());
    error.kind() == io::ErrorKind::TimedOut || inner.is_some_and(reqwest::Error::is_timeout)
}
