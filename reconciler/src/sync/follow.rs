//! Follows GitRepositories: fetches, and notes the newest commit in the status.
//!
//! Must never: take a failure to read for a change. What was last read stays what is wanted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bowline_runtime::api::kinds::{GitRepository, GitRepositoryStatus, Secret};
use bowline_runtime::api::meta::Condition;
use bowline_runtime::api::{Key, Time, Timestamp};
use bowline_runtime::store::{Event, Snapshot, WatchFilter};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::rendering::chain;
use super::sources::OpenSource;
use super::{REQUESTED_AT, Shared, status};
use crate::source::{Access, Commit, CommitId, Credentials, GitRef, Limits, LocalWatch};

/// The first wait after a failed fetch, doubled for each further one up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(2);
/// The longest wait between fetches that fail.
const RETRY_MAX: Duration = Duration::from_secs(300);
/// How often commits are looked for if the GitRepository does not say.
const INTERVAL: Duration = Duration::from_secs(60);

/// Runs one follower for each GitRepository, as they come and go.
pub(super) async fn run(shared: Arc<Shared>) {
    let resource = GitRepository::kind().resource();
    let mut followers: BTreeMap<Key, (Arc<Notify>, JoinHandle<()>)> = BTreeMap::new();
    loop {
        let snapshot = shared.config.store.snapshot();
        let Ok(mut watcher) = shared.config.store.watch(Some(snapshot.revision()), WatchFilter::resource(&*resource))
        else {
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
    event.old().is_none_or(|old| facts(&old.value()) != facts(&event.object().value()))
}

/// Follows one GitRepository until it is deleted.
async fn follow(shared: Arc<Shared>, key: Key, notify: Arc<Notify>) {
    let mut watch: Option<(String, Option<LocalWatch>)> = None;
    let mut failures = 0_u32;
    loop {
        let snapshot = shared.config.store.snapshot();
        let Some(repository) = snapshot.typed_get::<GitRepository>(&key.namespace, &key.name) else { return };
        let url = &repository.spec.url;
        if watch.as_ref().is_none_or(|(watched, _)| watched != url) {
            // Armed before the fetch, so that no commit falls between the two.
            let opened = shared.sources.open(&key, url).ok();
            watch = Some((url.clone(), opened.and_then(|open| watch_local(&key, &open, &notify))));
        }
        let (task, subject) = (shared.clone(), key.clone());
        let round = match tokio::task::spawn_blocking(move || fetch(&task, &subject)).await {
            Ok(round) => round,
            Err(error) => {
                tracing::error!(repository = %key, %error, "fetching ended unexpectedly");
                Some(Round::Failed)
            }
        };
        let interval = repository.spec.interval.as_ref().map_or(INTERVAL, |interval| interval.0);
        let pause = match round {
            None => return,
            Some(Round::Suspended) => {
                notify.notified().await;
                continue;
            }
            Some(Round::Fetched) => {
                failures = 0;
                interval
            }
            Some(Round::Failed) => {
                failures = failures.saturating_add(1);
                backoff(failures).min(interval.max(RETRY_MIN))
            }
        };
        tokio::select! {
            () = notify.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn watch_local(key: &Key, open: &OpenSource, notify: &Arc<Notify>) -> Option<LocalWatch> {
    let notify = notify.clone();
    open.source.watch(move || notify.notify_one()).unwrap_or_else(|error| {
        tracing::warn!(repository = %key, %error, "cannot watch the repository");
        None
    })
}

fn backoff(failures: u32) -> Duration {
    RETRY_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(RETRY_MAX)
}

/// What one look at a repository came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// The newest commit is known.
    Fetched,
    /// It cannot be read now; what was known stays.
    Failed,
    /// A person suspended it.
    Suspended,
}

/// Looks at a repository once and notes the outcome; `None` when the GitRepository is gone. Blocks.
pub(super) fn fetch(shared: &Shared, key: &Key) -> Option<Round> {
    let snapshot = shared.config.store.snapshot();
    let repository = snapshot.typed_get::<GitRepository>(&key.namespace, &key.name)?;
    if repository.spec.suspend == Some(true) {
        record(shared, key, &repository, &Noted::Suspended);
        return Some(Round::Suspended);
    }
    let outcome = shared.sources.open(key, &repository.spec.url).and_then(|open| {
        let (reference, limits, access) = request(&repository, &snapshot)?;
        let commit = open.source.fetch(&reference, &limits, &access).map_err(|error| chain(&error));
        let since = open.read_at();
        match commit {
            Ok(commit) => {
                open.set_read_at(shared.now());
                let known = repository.status.as_ref().and_then(|status| CommitId::parse(status.revision.as_ref()?));
                let left = known.filter(|known| !open.source.is_ancestor(*known, commit.id).unwrap_or(true));
                Ok((commit, left))
            }
            Err(message) => Err(format!("{message}{}", stale(&repository, since))),
        }
    });
    let (round, noted) = match &outcome {
        Ok((commit, left)) => (Round::Fetched, Noted::Found { commit, left: *left }),
        Err(message) => (Round::Failed, Noted::Failed { message }),
    };
    record(shared, key, &repository, &noted);
    Some(round)
}

/// Says what goes on while the source cannot be read, and how old it is.
fn stale(repository: &GitRepository, read_at: Option<Timestamp>) -> String {
    let Some(status) = &repository.status else { return String::new() };
    let Some(revision) = &status.revision else { return String::new() };
    let at = read_at.or(status.last_fetch_time.map(|time| time.0));
    let at = at.map(|at| format!(", last read at {}", at.whole_secs())).unwrap_or_default();
    format!(" (going on with {}{at})", short(revision))
}

type Request = Result<(GitRef, Limits, Access), String>;

/// Reads what to fetch, under which limits, as whom.
fn request(repository: &GitRepository, snapshot: &Snapshot) -> Request {
    let spec = &repository.spec;
    let wanted = spec.ref_.clone().unwrap_or_default();
    let reference = match (&wanted.commit, &wanted.tag, &wanted.branch, &wanted.name) {
        (Some(commit), ..) => {
            CommitId::parse(commit).map(GitRef::Commit).ok_or_else(|| format!("`{commit}` is no commit id"))?
        }
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
        let secret = secret.ok_or_else(|| {
            format!("the Secret `{name}` of `spec.secretRef` does not exist in namespace `{namespace}`")
        })?;
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

/// What is noted about a repository.
enum Noted<'a> {
    /// The newest commit; `left` is the one known before, if it is no ancestor.
    Found {
        commit: &'a Commit,
        left: Option<CommitId>,
    },
    Failed {
        message: &'a str,
    },
    Suspended,
}

/// Notes the outcome in the status. A failure keeps the last commit: what runs stays.
fn record(shared: &Shared, key: &Key, read: &GitRepository, noted: &Noted<'_>) {
    let now = shared.now();
    let generation = read.metadata.generation;
    let result = status::write::<GitRepository>(&shared.config, key, |repository| {
        let mut next: GitRepositoryStatus = repository.status.clone().unwrap_or_default();
        next.observed_generation = generation;
        next.last_handled_reconcile_at = read.metadata.annotations.get(REQUESTED_AT).cloned();
        match noted {
            Noted::Found { commit, left } => found(&mut next, commit, *left, generation, now),
            Noted::Failed { message } => {
                conditions(
                    &mut next,
                    generation,
                    now,
                    [
                        ("Ready", false, "FetchFailed", message),
                        ("Reconciling", true, "FetchFailed", "it is tried again"),
                        ("Stalled", false, "FetchFailed", ""),
                    ],
                );
            }
            Noted::Suspended => conditions(
                &mut next,
                generation,
                now,
                [
                    ("Ready", false, "Suspended", "suspended by `spec.suspend`"),
                    ("Reconciling", false, "Suspended", ""),
                    ("Stalled", false, "Suspended", ""),
                ],
            ),
        }
        repository.status = Some(next);
    });
    if let Err(error) = result {
        tracing::warn!(repository = %key, %error, "cannot record the state of the repository");
    }
}

fn found(
    next: &mut GitRepositoryStatus,
    commit: &Commit,
    left: Option<CommitId>,
    generation: Option<i64>,
    now: Timestamp,
) {
    let id = commit.id.to_string();
    let mut message = format!("read {} ({})", short(&id), commit.subject);
    let is_new = next.revision.as_deref() != Some(id.as_str());
    // The time and the note on history move only with the commit: a poll that finds nothing new writes nothing.
    if is_new {
        next.last_fetch_time = Some(Time::from(now));
        if let Some(left) = left {
            let left = left.to_string();
            message = format!("{message}; history was rewritten: {} is not among its ancestors", short(&left));
            tracing::warn!(old = left, new = id, "the history of the repository was rewritten");
        }
    } else if let Some(known) = next.conditions.iter().find(|known| known.type_ == "Ready" && known.status == "True") {
        message = known.message.clone().unwrap_or(message);
    }
    next.subject = Some(commit.subject.clone());
    next.author = Some(commit.author.clone());
    next.commit_time = Some(Time::from(Timestamp::from_secs(commit.time)));
    next.revision = Some(id);
    conditions(
        next,
        generation,
        now,
        [
            ("Ready", true, "Fetched", &message),
            ("Reconciling", false, "Fetched", ""),
            ("Stalled", false, "Fetched", ""),
        ],
    );
}

fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

fn conditions(
    next: &mut GitRepositoryStatus,
    generation: Option<i64>,
    now: Timestamp,
    all: [(&str, bool, &str, &str); 3],
) {
    for (kind, holds, reason, message) in all {
        let condition = Condition {
            type_: kind.into(),
            status: if holds { "True" } else { "False" }.into(),
            observed_generation: generation,
            reason: Some(reason.into()),
            message: Some(message.into()),
            ..Condition::default()
        };
        status::set(&mut next.conditions, condition, now);
    }
}
