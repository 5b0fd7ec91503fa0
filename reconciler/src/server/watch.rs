//! Watches: a line of JSON for each change that a client is to see.
//!
//! Responsible for: where a watch begins, what an event is to a client that sees only a selection, bookmarks, and the
//! end. The store gives every change once and in order; a client that falls too far behind is told that it expired.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bowline_runtime::api::Kind;
use bowline_runtime::store::objects::{Objects, Selectors, StatusError};
use bowline_runtime::store::{Event, EventKind, Stored, WatchFilter, Watcher};
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use serde_json::Value;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::answer;
use super::list::check_ahead;
use super::negotiate::{Item, View};
use super::options::ListOptions;
use super::route::Call;

/// How often a client learns of the revision that it has seen everything up to.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// How long a watch runs that names no time: this to twice this, so that watches do not all end together.
const TIMEOUT_MIN: Duration = Duration::from_secs(1800);
/// The longest time that is heeded; the clock's arithmetic must not overflow.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);

/// Answers with a watch.
pub(super) fn answer(call: Call) -> Result<Response, StatusError> {
    let options = ListOptions::parse(call.kind, &call.query)?;
    check_ahead(&call, options.revision)?;
    let watch = Watch::start(&call, options)?;
    let lines = stream::unfold(watch, |mut watch| async move {
        let line = watch.next_line().await?;
        Some((Ok::<_, Infallible>(line), watch))
    });
    Ok(answer::typed(StatusCode::OK, "application/json", Body::from_stream(lines)))
}

/// A watch under way.
struct Watch {
    kind: &'static Kind,
    view: View,
    selectors: Selectors,
    objects: Objects,
    watcher: Watcher,
    /// What is told before any change.
    initial: VecDeque<Arc<Stored>>,
    /// The revision of `initial`, until its end was told.
    initial_end: Option<u64>,
    /// Whether a table has named its columns yet.
    headed: bool,
    bookmarks: Option<Interval>,
    end: Instant,
    over: bool,
}

impl Watch {
    fn start(call: &Call, options: ListOptions) -> Result<Self, StatusError> {
        let objects = call.server.state.objects.clone();
        let snapshot = objects.store().snapshot();
        let from = options.revision.filter(|revision| *revision > 0);
        let synthetic = options.initial.unwrap_or(from.is_none());
        let mut filter = WatchFilter::resource(call.kind.resource());
        let resource = call.kind.resource();
        let mut initial = VecDeque::new();
        if let Some(namespace) = &call.namespace {
            filter = filter.in_namespace(namespace.as_str());
        }
        if synthetic {
            let chosen = |stored: &&Arc<Stored>| options.selectors.matches(stored);
            match &call.namespace {
                Some(namespace) => initial.extend(snapshot.list_in(&resource, namespace).filter(chosen).cloned()),
                None => initial.extend(snapshot.list(&resource).filter(chosen).cloned()),
            }
        }
        let start = if synthetic { snapshot.revision() } else { from.unwrap_or(snapshot.revision()) };
        let watcher = objects.store().watch(Some(start), filter)?;
        let timeout = options.timeout.unwrap_or_else(some_time).min(TIMEOUT_MAX);
        Ok(Self {
            kind: call.kind,
            view: call.view()?,
            selectors: options.selectors,
            watcher,
            initial,
            initial_end: (options.initial == Some(true) && options.bookmarks).then_some(snapshot.revision()),
            headed: false,
            bookmarks: options.bookmarks.then(bookmark_interval),
            end: Instant::now() + timeout,
            over: false,
            objects,
        })
    }

    /// Returns the next line; `None` at the end.
    async fn next_line(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        if let Some(stored) = self.initial.pop_front() {
            return Some(self.line("ADDED", &stored));
        }
        if let Some(revision) = self.initial_end.take() {
            return Some(self.bookmark(revision, true));
        }
        loop {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(self.end) => {
                    self.over = true;
                    return self.bookmarks.is_some().then(|| self.bookmark(self.watcher.revision(), false));
                }
                event = self.watcher.next() => match event {
                    Ok(event) => {
                        match seen(&event, &self.selectors) {
                            Some((what, Shown::Stored(stored))) => return Some(self.line(what, stored)),
                            Some((what, Shown::Value(value))) => return Some(self.line(what, &value)),
                            None => {}
                        }
                    }
                    Err(expired) => {
                        self.over = true;
                        return Some(line("ERROR", &StatusError::from(expired).to_value()));
                    }
                },
                () = tick(&mut self.bookmarks) => return Some(self.bookmark(self.watcher.revision(), false)),
            }
        }
    }

    fn line(&mut self, what: &str, item: &impl Item) -> Bytes {
        let head = !std::mem::replace(&mut self.headed, true);
        line_of(what, &self.view.object_text(self.kind, item, self.objects.now(), head))
    }

    fn bookmark(&self, revision: u64, initial_end: bool) -> Bytes {
        line("BOOKMARK", &self.view.bookmark(self.kind, revision, initial_end))
    }
}

fn line(what: &str, object: &Value) -> Bytes {
    line_of(what, &Item::text(object))
}

fn line_of(what: &str, object: &[u8]) -> Bytes {
    [br#"{"type":""#, what.as_bytes(), br#"","object":"#, object, b"}\n"].concat().into()
}

fn bookmark_interval() -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + BOOKMARK_EVERY, BOOKMARK_EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

/// Returns a time between the shortest and twice that. Nothing is decided by it but when a client asks again.
fn some_time() -> Duration {
    let random = RandomState::new().build_hasher().finish();
    TIMEOUT_MIN + Duration::from_secs(random % TIMEOUT_MIN.as_secs())
}

/// What a watch shows: an object as it is stored, or another one.
enum Shown<'a> {
    Stored(&'a Arc<Stored>),
    Value(Value),
}

/// Returns what an event is to one who sees only a selection: an object that enters it was added, one that leaves it
/// was deleted, and is shown as it last was in it.
fn seen<'a>(event: &'a Event, selectors: &Selectors) -> Option<(&'static str, Shown<'a>)> {
    match &event.kind {
        EventKind::Put { old, new } => {
            let before = old.as_ref().filter(|old| selectors.matches(old));
            match (before, selectors.matches(new)) {
                (None, true) => Some(("ADDED", Shown::Stored(new))),
                (Some(_), true) => Some(("MODIFIED", Shown::Stored(new))),
                (Some(old), false) => {
                    let mut value = Value::clone(&old.value());
                    value["metadata"]["resourceVersion"] = event.revision.to_string().into();
                    Some(("DELETED", Shown::Value(value)))
                }
                (None, false) => None,
            }
        }
        EventKind::Delete { old } => selectors.matches(old).then_some(("DELETED", Shown::Stored(old))),
    }
}
