//! Follows GitRepositories: fetches, notes the newest commit in the status, and keeps views of commits at hand.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_runtime::api::kinds::{GitRepository, GitRepositoryStatus, Secret};
use bowline_runtime::api::meta::Condition;
use bowline_runtime::api::{Key, Time, Timestamp};
use bowline_runtime::store::{Event, Snapshot, WatchFilter};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{REQUESTED_AT, Shared, lock, status};
use crate::source::{Access, Commit, CommitId, Credentials, FetchError, GitRef, Limits, LocalWatch, ReadError, RepoUrl, Source, Tree};

/// How many views of commits are kept for each source.
const TREES_MAX: usize = 4;

/// The first wait after a failed fetch, doubled for each further one up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(2);
/// The longest wait between fetches that fail.
const RETRY_MAX: Duration = Duration::from_secs(300);

/// The open sources by GitRepository.
pub(crate) struct Sources {
    cache: PathBuf,
    open: Mutex<BTreeMap<Key, Arc<OpenSource>>>,
}

/// A source and the views of its latest commits.
pub(crate) struct OpenSource {
    url: String,
    pub(crate) source: Source,
    trees: Mutex<VecDeque<(CommitId, Arc<Tree>)>>,
}

impl OpenSource {
    /// Returns the view of a commit, shared by all who read it.
    pub(crate) fn tree(&self, commit: CommitId) -> Result<Arc<Tree>, ReadError> {
        let mut trees = lock(&self.trees);
        if let Some((_, tree)) = trees.iter().find(|(id, _)| *id == commit) {
            return Ok(tree.clone());
        }
        let tree = Arc::new(self.source.tree(commit)?);
        trees.push_front((commit, tree.clone()));
        trees.truncate(TREES_MAX);
        Ok(tree)
    }
}

impl Sources {
    pub(crate) fn new(cache: PathBuf) -> Self {
        Self { cache, open: Mutex::default() }
    }

    /// Returns the open source of a GitRepository; a changed address opens another.
    pub(crate) fn open(&self, key: &Key, url: &str) -> Result<Arc<OpenSource>, String> {
        let mut open = lock(&self.open);
        if let Some(found) = open.get(key).filter(|found| found.url == url) {
            return Ok(found.clone());
        }
        let parsed = RepoUrl::parse(url).map_err(|error| error.to_string())?;
        let directory = self.cache.join(format!("{}_{}", key.namespace, key.name));
        let source = Arc::new(OpenSource {
            url: url.to_owned(),
            source: Source::open(directory, parsed),
            trees: Mutex::default(),
        });
        open.insert(key.clone(), source.clone());
        Ok(source)
    }

    fn close(&self, key: &Key) {
        lock(&self.open).remove(key);
    }
}

/// Runs one follower for each GitRepository, as they come and go.
pub(super) async fn run(shared: Arc<Shared>) {
    let resource = GitRepository::kind().resource();
    let mut followers: BTreeMap<Key, (Arc<Notify>, JoinHandle<()>)> = BTreeMap::new();
    loop {
        let snapshot = shared.config.store.snapshot();
        let Ok(mut watcher) = shared.config.store.watch(Some(snapshot.revision()), WatchFilter::resource(&*resource)) else {
            continue;
        };
        for stored in snapshot.list(&resource) {
            start(&shared, stored.key(), &mut followers);
        }
        // A watch that fell behind starts over from a new snapshot.
        while let Ok(event) = watcher.next().await {
            let key = event.key();
            if event.is_delete() {
                if let Some((_, task)) = followers.remove(key) {
                    task.abort();
                }
                shared.sources.close(key);
            } else if wants_attention(&event) {
                start(&shared, key, &mut followers);
            }
        }
    }
}

fn start(shared: &Arc<Shared>, key: &Key, followers: &mut BTreeMap<Key, (Arc<Notify>, JoinHandle<()>)>) {
    if let Some((notify, _)) = followers.get(key) {
        notify.notify_one();
        return;
    }
    let notify = Arc::new(Notify::new());
    let task = tokio::spawn(follow(shared.clone(), key.clone(), notify.clone()));
    followers.insert(key.clone(), (notify, task));
}

/// Whether a change is more than the follower's own status.
fn wants_attention(event: &Event) -> bool {
    let facts = |value: &serde_json::Value| {
        (
            value.pointer("/metadata/generation").cloned(),
            value.pointer("/metadata/annotations").cloned(),
            value.pointer("/metadata/uid").cloned(),
        )
    };
    event.old().is_none_or(|old| facts(old.value()) != facts(event.object().value()))
}

/// Follows one GitRepository until it is deleted.
async fn follow(shared: Arc<Shared>, key: Key, notify: Arc<Notify>) {
    let mut watch: Option<(String, Option<LocalWatch>)> = None;
    let mut failures = 0_u32;
    loop {
        let snapshot = shared.config.store.snapshot();
        let Some(repository) = snapshot.typed_get::<GitRepository>(&key.namespace, &key.name) else { return };
        if repository.spec.suspend == Some(true) {
            notify.notified().await;
            continue;
        }
        let url = repository.spec.url.clone();
        let opened = shared.sources.open(&key, &url);
        if watch.as_ref().is_none_or(|(watched, _)| *watched != url) {
            // Armed before the fetch, so that no commit falls between the two.
            let local = opened.as_ref().ok().map(|open| {
                let notify = notify.clone();
                open.source.watch(move || notify.notify_one())
            });
            let local = match local {
                Some(Err(error)) => {
                    tracing::warn!(repository = %key, %error, "cannot watch the repository");
                    None
                }
                Some(Ok(local)) => local,
                None => None,
            };
            watch = Some((url.clone(), local));
        }
        let request = request(&repository, &snapshot);
        let outcome = match opened {
            Err(message) => Err(message),
            Ok(open) => {
                let (source, asked) = (open.clone(), request.clone());
                let fetched = tokio::task::spawn_blocking(move || {
                    let (reference, limits, access) = asked?;
                    source.source.fetch(&reference, &limits, &access).map_err(|error| describe(&error))
                });
                match fetched.await {
                    Ok(result) => result,
                    Err(error) => Err(format!("fetching ended unexpectedly: {error}")),
                }
            }
        };
        failures = if outcome.is_ok() { 0 } else { failures.saturating_add(1) };
        record(&shared, &key, &repository, &outcome);
        let interval = repository.spec.interval.as_ref().map_or(Duration::from_secs(60), |interval| interval.0);
        let pause = if failures == 0 { interval } else { backoff(failures).min(interval.max(RETRY_MIN)) };
        tokio::select! {
            () = notify.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn backoff(failures: u32) -> Duration {
    RETRY_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(RETRY_MAX)
}

type Request = Result<(GitRef, Limits, Access), String>;

/// Reads what to fetch, under which limits, as whom.
fn request(repository: &GitRepository, snapshot: &Snapshot) -> Request {
    let spec = &repository.spec;
    let wanted = spec.ref_.clone().unwrap_or_default();
    let reference = match (&wanted.commit, &wanted.tag, &wanted.branch, &wanted.name) {
        (Some(commit), ..) => CommitId::parse(commit).map(GitRef::Commit).ok_or_else(|| format!("`{commit}` is no commit id"))?,
        (_, Some(tag), ..) => GitRef::tag(tag).map_err(|error| error.to_string())?,
        (_, _, Some(branch), _) => GitRef::branch(branch).map_err(|error| error.to_string())?,
        (_, _, _, Some(name)) => GitRef::parse(name).map_err(|error| error.to_string())?,
        _ => GitRef::Head,
    };
    let mut limits = Limits::default();
    if let Some(timeout) = &spec.timeout {
        limits.total = timeout.0;
        limits.stall = limits.stall.min(limits.total);
        limits.connect = limits.connect.min(limits.total);
    }
    let mut access = Access::default();
    if let Some(name) = spec.secret_ref.as_ref().and_then(|secret| secret.name.as_deref()) {
        let namespace = repository.metadata.namespace.as_deref().unwrap_or_default();
        let secret = snapshot.typed_get::<Secret>(namespace, name);
        let secret = secret.ok_or_else(|| format!("the Secret `{name}` of `spec.secretRef` does not exist in namespace `{namespace}`"))?;
        let text = |key: &str| secret.data.get(key).and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
        access.credentials = match (text("bearerToken"), text("username"), text("password")) {
            (Some(token), ..) => Some(Credentials::Bearer(token)),
            (None, user, Some(password)) => Some(Credentials::Basic { user: user.unwrap_or_default(), password }),
            _ => None,
        };
        access.ca_pem = secret.data.get("ca.crt").map(|bytes| Arc::from(bytes.0.as_slice()));
    }
    Ok((reference, limits, access))
}

/// Returns an error with its causes in one line.
fn describe(error: &FetchError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.contains(&next_text) {
            text.push_str(": ");
            text.push_str(&next_text);
        }
        cause = next.source();
    }
    text
}

/// Notes the outcome in the status. A failure keeps the last commit: what runs stays.
fn record(shared: &Shared, key: &Key, read: &GitRepository, outcome: &Result<Commit, String>) {
    let now = shared.now();
    let result = status::write::<GitRepository>(&shared.config, key, |repository| {
        let mut next: GitRepositoryStatus = repository.status.clone().unwrap_or_default();
        next.observed_generation = read.metadata.generation;
        next.last_handled_reconcile_at = read.metadata.annotations.get(REQUESTED_AT).cloned();
        match outcome {
            Ok(commit) => found(&mut next, commit, now),
            Err(message) => {
                let stale = next.revision.as_deref().map(|revision| format!(" (going on with {})", short(revision)));
                let message = format!("{message}{}", stale.unwrap_or_default());
                status::set(&mut next.conditions, condition("Ready", "False", "FetchFailed", &message), now);
            }
        }
        repository.status = Some(next);
    });
    if let Err(error) = result {
        tracing::warn!(repository = %key, %error, "cannot record the state of the repository");
    }
}

fn found(next: &mut GitRepositoryStatus, commit: &Commit, now: Timestamp) {
    let id = commit.id.to_string();
    // The time moves only with the commit: a poll that finds nothing new writes nothing.
    if next.revision.as_deref() != Some(id.as_str()) {
        next.last_fetch_time = Some(Time::from(now));
    }
    next.subject = Some(commit.subject.clone());
    next.author = Some(commit.author.clone());
    next.commit_time = Some(Time::from(Timestamp::from_secs(commit.time)));
    let message = format!("read {} ({})", short(&id), commit.subject);
    next.revision = Some(id);
    status::set(&mut next.conditions, condition("Ready", "True", "Fetched", &message), now);
}

fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

fn condition(kind: &str, state: &str, reason: &str, message: &str) -> Condition {
    Condition {
        type_: kind.into(),
        status: state.into(),
        reason: Some(reason.into()),
        message: Some(message.into()),
        ..Condition::default()
    }
}
