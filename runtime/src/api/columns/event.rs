//! Cells of Events.

use serde_json::Value;

use super::{Timestamp, since, text};

/// Returns how long ago the event was first seen.
pub fn first_seen(value: &Value, now: Timestamp) -> String {
    let first = &value["firstTimestamp"];
    since(if first.is_null() { &value["eventTime"] } else { first }, now)
}

/// Returns how long ago the event was last seen.
pub fn last_seen(value: &Value, now: Timestamp) -> String {
    if value["series"].is_object() {
        return since(&value["series"]["lastObservedTime"], now);
    }
    let last = &value["lastTimestamp"];
    if last.is_null() { first_seen(value, now) } else { since(last, now) }
}

/// Returns how often the event was seen.
pub fn count(value: &Value, _: Timestamp) -> String {
    let series = value["series"].is_object().then(|| super::count(&value["series"]["count"]));
    series.unwrap_or_else(|| super::count(&value["count"]).max(1)).to_string()
}

/// Returns the object that it happened to.
pub fn object(value: &Value, _: Timestamp) -> String {
    let object = &value["involvedObject"];
    let kind = text(&object["kind"]).to_lowercase();
    if text(&object["name"]).is_empty() { kind } else { format!("{kind}/{}", text(&object["name"])) }
}

/// Returns who reports it.
pub fn source(value: &Value, _: Timestamp) -> String {
    let first = |one: &'_ Value, other: &'_ Value| {
        if text(one).is_empty() { text(other).to_owned() } else { text(one).to_owned() }
    };
    let component = first(&value["source"]["component"], &value["reportingComponent"]);
    let host = first(&value["source"]["host"], &value["reportingInstance"]);
    if host.is_empty() { component } else { format!("{component}, {host}") }
}

/// Returns the message without space around it.
pub fn message(value: &Value, _: Timestamp) -> String {
    text(&value["message"]).trim().to_owned()
}
