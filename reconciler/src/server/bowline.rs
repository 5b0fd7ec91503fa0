//! bowline's own endpoints, below `/bowline/v1/`.

use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bowline_runtime::store::objects::StatusError;
use bowline_runtime::store::{Store, WatchFilter};
use http::request::Parts;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::admin::PlanRequest;
use super::options::Query;
use super::{Server, answer, body, refusal};

/// How long `changes` waits where nothing else is said, and at most.
const CHANGES_TIMEOUT: Duration = Duration::from_secs(30);
const CHANGES_TIMEOUT_MAX: Duration = Duration::from_secs(600);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanBody {
    applications: Vec<PlanRequest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImagesBody {
    path: PathBuf,
}

/// Answers a request below `/bowline/v1/`; `endpoint` is the rest of its path.
pub(super) async fn answer(
    server: &Server,
    endpoint: &str,
    parts: &Parts,
    query: &Query,
    body: Body,
) -> Result<Response, StatusError> {
    let expected = match endpoint {
        "plan" | "images" | "down" => Method::POST,
        "changes" => Method::GET,
        _ => return Err(refusal::unknown_path()),
    };
    if parts.method != expected {
        return Err(refusal::method());
    }
    let (admin, limits) = (&server.state.admin, &server.limits);
    let value = match endpoint {
        "plan" => {
            let body: PlanBody = read(body, limits.plan_bytes, limits.body).await?;
            json!({"plans": admin.plan(body.applications).await?})
        }
        "images" => {
            let ImagesBody { path } = read(body, limits.body_bytes, limits.body).await?;
            if !path.is_absolute() {
                let message =
                    format!("`path` must be absolute: `{}` means something else to each process", path.display());
                return Err(StatusError::bad_request(message));
            }
            json!({"images": admin.load_images(path).await?})
        }
        "down" => json!({"pods": admin.down().await?}),
        _ => json!({"revision": changes(server.state.objects.store(), query).await?}),
    };
    Ok(answer::json(StatusCode::OK, &value, false))
}

async fn read<T: for<'de> Deserialize<'de>>(body: Body, limit: usize, timeout: Duration) -> Result<T, StatusError> {
    let bytes = body::bytes(body, limit, timeout).await?;
    let malformed = |error| StatusError::bad_request(format!("the body of the request does not fit: {error}"));
    serde_json::from_slice(&bytes).map_err(malformed)
}

/// Waits until the store is past the revision in `after` (by default the present one), or for `timeoutSeconds`;
/// returns the store's revision.
async fn changes(store: &Store, query: &Query) -> Result<u64, StatusError> {
    let negative = |name, value: i64| refusal::parameter(name, &value.to_string(), "must not be negative");
    let seconds = query.number("timeoutSeconds")?;
    let seconds =
        seconds.map(|given| u64::try_from(given).map_err(|_| negative("timeoutSeconds", given))).transpose()?;
    let timeout = seconds.map_or(CHANGES_TIMEOUT, Duration::from_secs).min(CHANGES_TIMEOUT_MAX);
    let after = query.number("after")?;
    let after = after.map(|given| u64::try_from(given).map_err(|_| negative("after", given))).transpose()?;
    let after = after.unwrap_or_else(|| store.revision());
    // A revision that is forgotten is one that the store is past.
    if let Ok(mut watcher) = store.watch(Some(after), WatchFilter::all())
        && store.revision() <= after
    {
        // Either outcome is an answer: the revision is read below.
        drop(tokio::time::timeout(timeout, watcher.next()).await);
    }
    Ok(store.revision())
}
