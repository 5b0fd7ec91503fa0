//! Reading: one object, and lists, in pages where the client wants them.
//!
//! Responsible for: every page of a list coming from one revision. A snapshot costs nothing to keep, so the ones that
//! clients are paging through are kept for a while.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bowline_runtime::store::objects::StatusError;
use bowline_runtime::store::{Snapshot, Stored};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::options::ListOptions;
use super::route::Call;
use super::{answer, refusal, watch};

/// Lists that can be paged through at once; the oldest gives way.
const PAGED_MAX: usize = 64;
/// How long a client may take from the first page to the last; upstream forgets after 5 to 10 minutes.
const PAGED_FOR: Duration = Duration::from_secs(300);

const TOKEN_OLD: &str = "The provided continue parameter is too old to display a consistent list result. You can \
    start a new list without the continue parameter, or use the continue token in this response to retrieve the \
    remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were \
    created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// The snapshots of lists that are being paged, oldest first.
#[derive(Default)]
pub(super) struct Pages(Mutex<VecDeque<(Instant, Snapshot)>>);

impl Pages {
    fn keep(&self, snapshot: &Snapshot, now: Instant) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(since, other)| now.duration_since(*since) < PAGED_FOR && other.revision() != snapshot.revision());
        if kept.len() >= PAGED_MAX {
            kept.pop_front();
        }
        kept.push_back((now, snapshot.clone()));
    }

    fn find(&self, revision: u64, now: Instant) -> Option<Snapshot> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = kept.iter().filter(|(since, _)| now.duration_since(*since) < PAGED_FOR);
        fresh.map(|(_, snapshot)| snapshot).find(|snapshot| snapshot.revision() == revision).cloned()
    }
}

/// A continue token, in upstream's form (`apiserver/pkg/storage/continue.go`).
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Token {
    v: String,
    /// The revision of all pages; -1 for whatever is newest.
    rv: i64,
    /// `namespace/name` of the last object, and a zero behind it.
    start: String,
}

impl Token {
    fn after(revision: i64, stored: &Stored) -> Self {
        let key = stored.key();
        Self { v: "meta.k8s.io/v1".to_owned(), rv: revision, start: format!("{}/{}\0", key.namespace, key.name) }
    }

    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).expect("invariant: a token serialises"))
    }

    fn decode(text: &str) -> Result<Self, StatusError> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        let token = bytes.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        let known = token.filter(|token| token.v == "meta.k8s.io/v1" && token.start.contains('/'));
        known.ok_or_else(|| StatusError::bad_request("continue key is not valid: it was not made by this server"))
    }

    /// Returns the namespace and name after which to go on.
    fn last(&self) -> (&str, &str) {
        self.start.trim_end_matches('\0').split_once('/').unwrap_or_default()
    }
}

/// Answers with one object.
pub(super) fn get(call: &Call) -> Result<Response, StatusError> {
    let options = ListOptions::parse(call.kind, &call.query)?;
    check_ahead(call, options.revision)?;
    let stored = call.server.state.objects.get(call.kind, call.namespace(), &call.name)?;
    call.object(StatusCode::OK, &stored.value())
}

/// Answers with a list, or by a watch.
pub(super) fn answer(call: Call) -> Result<Response, StatusError> {
    let options = ListOptions::parse(call.kind, &call.query)?;
    if options.watch {
        return watch::answer(call);
    }
    check_ahead(&call, options.revision)?;
    let now = Instant::now();
    let token = options.continue_at.as_deref().map(Token::decode).transpose()?;
    let Some(snapshot) = snapshot(&call, &options, token.as_ref(), now)? else {
        return Ok(token_expired(token));
    };
    let page = page(&call, &options, &snapshot, token.as_ref());
    if page.next.is_some() {
        call.server.pages.keep(&snapshot, now);
    }
    let mut metadata = json!({"resourceVersion": snapshot.revision().to_string()});
    if let Some(next) = page.next {
        metadata["continue"] = next.into();
    }
    if let Some(remaining) = page.remaining {
        metadata["remainingItemCount"] = remaining.into();
    }
    let time = call.server.state.objects.now();
    Ok(answer::raw(StatusCode::OK, call.view()?.list(call.kind, page.items.iter(), metadata, time)))
}

/// Returns the state to list; `None` where the token's is forgotten.
fn snapshot(
    call: &Call,
    options: &ListOptions,
    token: Option<&Token>,
    now: Instant,
) -> Result<Option<Snapshot>, StatusError> {
    let newest = call.server.state.objects.store().snapshot();
    let wanted = match token {
        Some(token) => u64::try_from(token.rv).ok(),
        None => options.revision.filter(|_| options.exact),
    };
    let Some(wanted) = wanted.filter(|wanted| *wanted != newest.revision()) else { return Ok(Some(newest)) };
    match call.server.pages.find(wanted, now) {
        None if token.is_none() => {
            let message = format!(
                "The resourceVersion for the provided list is too old: {wanted}, current: {}",
                newest.revision()
            );
            Err(refusal::expired(message))
        }
        found => Ok(found),
    }
}

/// Refuses with a token by which the client can go on all the same, from the newest state.
fn token_expired(token: Option<Token>) -> Response {
    let mut status = refusal::expired(TOKEN_OLD).to_value();
    if let Some(token) = token {
        status["metadata"]["continue"] = Token { rv: -1, ..token }.encode().into();
    }
    answer::json(StatusCode::GONE, &status, false)
}

struct Page {
    items: Vec<Arc<Stored>>,
    next: Option<String>,
    remaining: Option<usize>,
}

fn page(call: &Call, options: &ListOptions, snapshot: &Snapshot, token: Option<&Token>) -> Page {
    let resource = call.kind.resource();
    let all: Box<dyn Iterator<Item = &Arc<Stored>>> = match &call.namespace {
        Some(namespace) => Box::new(snapshot.list_in(&resource, namespace)),
        None => Box::new(snapshot.list(&resource)),
    };
    let after = token.map(Token::last);
    let mut wanted = all
        .skip_while(|stored| after.is_some_and(|after| (&*stored.key().namespace, &*stored.key().name) <= after))
        .filter(|stored| options.selectors.matches(stored));
    let limit = options.limit.unwrap_or(usize::MAX);
    let items: Vec<_> = wanted.by_ref().take(limit).cloned().collect();
    let left = if options.selectors.is_empty() { wanted.count() } else { usize::from(wanted.next().is_some()) };
    let revision = match token {
        Some(token) if token.rv < 0 => -1,
        _ => i64::try_from(snapshot.revision()).unwrap_or(i64::MAX),
    };
    let next = items.last().filter(|_| left > 0).map(|last| Token::after(revision, last).encode());
    let remaining = (next.is_some() && options.selectors.is_empty()).then_some(left);
    Page { items, next, remaining }
}

/// A client that knows a revision this store never had reads another store's past.
pub(super) fn check_ahead(call: &Call, revision: Option<u64>) -> Result<(), StatusError> {
    let current = call.server.state.objects.store().revision();
    match revision {
        Some(revision) if revision > current => Err(refusal::ahead(revision, current)),
        _ => Ok(()),
    }
}

/// Returns a list of values as the answer to a deletion of a collection.
pub(super) fn of_values(call: &Call, items: &[Value]) -> Result<Response, StatusError> {
    let objects = &call.server.state.objects;
    let metadata = json!({"resourceVersion": objects.store().revision().to_string()});
    Ok(answer::raw(StatusCode::OK, call.view()?.list(call.kind, items.iter(), metadata, objects.now())))
}
