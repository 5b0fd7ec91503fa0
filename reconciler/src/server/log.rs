//! The `log` subresource of pods: what a container wrote, as it comes.

use std::io;

use axum::body::Body;
use axum::response::Response;
use bowline_runtime::api::{FieldError, Timestamp};
use bowline_runtime::store::objects::StatusError;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::{Method, StatusCode};
use serde_json::Value;

use super::options::Query;
use super::patience::Patience;
use super::route::Call;
use super::streams::{LogQuery, LogStream};
use super::{answer, refusal};

/// Answers with a container's output.
pub(super) async fn answer(call: Call) -> Result<Response, StatusError> {
    if call.parts.method != Method::GET {
        return Err(refusal::method());
    }
    let mut query = parse(&call.query)?;
    let pod = call.server.state.objects.get(call.kind, call.namespace(), &call.name)?;
    let wanted = Some(query.container.as_str()).filter(|name| !name.is_empty());
    query.container = container(&call.name, &pod.value(), wanted)?;
    let media_type = "text/plain";
    if pod.node_name().is_none() {
        // Nothing runs yet, so nothing was written; upstream answers the same.
        return Ok(answer::typed(StatusCode::OK, media_type, Body::empty()));
    }
    if let Some(patience) = call.parts.extensions.get::<Patience>() {
        patience.endless();
    }
    let limit = query.limit_bytes;
    let lines = call.server.state.pods.log(call.namespace(), &call.name, query).await?;
    let lines = match limit {
        Some(limit) => limited(lines, limit),
        None => lines,
    };
    Ok(answer::typed(StatusCode::OK, media_type, Body::from_stream(lines)))
}

fn parse(query: &Query) -> Result<LogQuery, StatusError> {
    let mut errors = Vec::new();
    let mut number = |name: &str, min: i64| -> Result<Option<u64>, StatusError> {
        let Some(value) = query.number(name)? else { return Ok(None) };
        if value < min {
            let why = format!("must be greater than or equal to {min}");
            errors.push(FieldError::invalid(name, value.to_string(), why));
        }
        Ok(u64::try_from(value).ok())
    };
    let (tail_lines, limit_bytes) = (number("tailLines", 0)?, number("limitBytes", 1)?);
    let since_seconds = number("sinceSeconds", 1)?;
    let since_time = query.text("sinceTime");
    if since_time.is_some() && since_seconds.is_some() {
        errors.push(FieldError::forbidden(
            "sinceSeconds",
            "at most one of `sinceTime` or `sinceSeconds` may be specified",
        ));
    }
    if !errors.is_empty() {
        return Err(refusal::options("PodLogOptions", &errors));
    }
    let unreadable =
        |text: &str| refusal::parameter("sinceTime", text, "use RFC 3339, for example 2026-01-31T12:00:00Z");
    Ok(LogQuery {
        container: query.text("container").unwrap_or_default().to_owned(),
        follow: query.flag("follow")?.unwrap_or(false),
        previous: query.flag("previous")?.unwrap_or(false),
        tail_lines,
        since_seconds,
        since_time: since_time.map(|text| text.parse::<Timestamp>().map_err(|_| unreadable(text))).transpose()?,
        timestamps: query.flag("timestamps")?.unwrap_or(false),
        limit_bytes,
    })
}

/// Returns the container that is meant: the named one, the only one, or the one that the pod's annotation names.
///
/// # Errors
/// 400 with the names to choose from.
pub(super) fn container(name: &str, pod: &Value, wanted: Option<&str>) -> Result<String, StatusError> {
    let names = |field: &str| -> Vec<&str> {
        let list = pod["spec"][field].as_array().into_iter().flatten();
        list.filter_map(|container| container["name"].as_str()).collect()
    };
    let (main, init) = (names("containers"), names("initContainers"));
    if let Some(wanted) = wanted {
        let known = [&main, &init, &names("ephemeralContainers")].iter().any(|names| names.contains(&wanted));
        let unknown = || StatusError::bad_request(format!("container {wanted} is not valid for pod {name}"));
        return known.then(|| wanted.to_owned()).ok_or_else(unknown);
    }
    let marked = pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
    if let Some(marked) = marked.filter(|marked| main.contains(marked)) {
        return Ok(marked.to_owned());
    }
    if let [only] = main[..] {
        return Ok(only.to_owned());
    }
    let mut message = format!("a container name must be specified for pod {name}, choose one of: [{}]", main.join(" "));
    if !init.is_empty() {
        message.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
    }
    Err(StatusError::bad_request(message))
}

/// Ends a stream after so many bytes.
fn limited(lines: LogStream, limit: u64) -> LogStream {
    let cut = |(mut lines, left): (LogStream, u64)| async move {
        if left == 0 {
            return None;
        }
        let item: io::Result<Bytes> = lines.next().await?;
        let item = item.map(|piece| piece.slice(..piece.len().min(usize::try_from(left).unwrap_or(usize::MAX))));
        let taken = item.as_ref().map_or(left, |piece| piece.len() as u64);
        Some((item, (lines, left - taken)))
    };
    stream::unfold((lines, limit), cut).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(case: &str, pod: Value, wanted: Option<&str>, expected: &str) {
        let found = container("web", &pod, wanted).unwrap_or_else(|error| error.message);
        assert_eq!(found, expected, "{case}");
    }

    #[test]
    fn the_container_is_found_as_kubernetes_finds_it() {
        let one = json!({"spec": {"containers": [{"name": "a"}], "initContainers": [{"name": "i"}]}});
        let two = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]}});
        let mut marked = two.clone();
        marked["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] = json!("b");
        check("the only one", one.clone(), None, "a");
        check("an init container by name", one.clone(), Some("i"), "i");
        check("an unknown name", one, Some("x"), "container x is not valid for pod web");
        check("the marked one", marked, None, "b");
        let choose =
            "a container name must be specified for pod web, choose one of: [a b] or one of the init containers: [i]";
        check("several", two, None, choose);
    }
}
