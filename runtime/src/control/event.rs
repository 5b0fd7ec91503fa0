//! Event objects: what controllers tell people, one object for each distinct sentence.
//!
//! The same event about the same object counts up instead of being stored again, and one that comes too often is left
//! out: a token bucket for each object, with client-go's numbers.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api::{Key, Time, Timestamp};
use crate::store::Snapshot;

use super::Importance;

/// How many events about one object may come at once.
const BURST: i64 = 25;
/// Seconds until one more may come.
const REFILL_SECS: i64 = 300;
/// How many objects are watched for floods; the one seen longest ago is forgotten first.
const OBJECTS_MAX: usize = 4096;
/// The longest message (`event.message` in the API).
const MESSAGE_MAX: usize = 1024;

/// Remembers how many events there were about each object.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    buckets: BTreeMap<(&'static str, String), Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: i64,
    filled: Timestamp,
}

/// What is to be told.
pub(super) struct Told<'a> {
    pub(super) component: &'static str,
    pub(super) importance: Importance,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
}

impl Recorder {
    /// Returns the Event object to store, or `None` where there are too many about `about`.
    pub(super) fn record(
        &mut self,
        snapshot: &Snapshot,
        about: &Value,
        told: &Told<'_>,
        now: Timestamp,
    ) -> Option<(Key, Value)> {
        let uid = about["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        if !self.allow(told.component, uid, now) {
            return None;
        }
        let (key, fresh) = event(about, told, now);
        let value = match snapshot.get(&key) {
            Some(stored) => {
                let mut value = stored.value().clone();
                value["count"] = json!(value["count"].as_i64().unwrap_or(0) + 1);
                value["lastTimestamp"] = json!(Time::from(now));
                value
            }
            None => fresh,
        };
        Some((key, value))
    }

    fn allow(&mut self, component: &'static str, uid: String, now: Timestamp) -> bool {
        if self.buckets.len() >= OBJECTS_MAX
            && let Some(oldest) =
                self.buckets.iter().min_by_key(|(_, bucket)| bucket.filled).map(|(key, _)| key.clone())
        {
            self.buckets.remove(&oldest);
        }
        let bucket = self.buckets.entry((component, uid)).or_insert(Bucket { tokens: BURST, filled: now });
        let refilled = (now.secs() - bucket.filled.secs()) / REFILL_SECS;
        if refilled > 0 {
            bucket.tokens = (bucket.tokens + refilled).min(BURST);
            bucket.filled = bucket.filled + std::time::Duration::from_secs((refilled * REFILL_SECS).unsigned_abs());
        }
        let allowed = bucket.tokens > 0;
        bucket.tokens -= i64::from(allowed);
        allowed
    }
}

/// Makes the object; its name is a digest of what it says, so that the same event has the same name.
fn event(about: &Value, told: &Told<'_>, now: Timestamp) -> (Key, Value) {
    let metadata = &about["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    // Events about cluster-wide objects live in `default`, as upstream.
    let namespace = metadata["namespace"].as_str().filter(|namespace| !namespace.is_empty()).unwrap_or("default");
    let message: String = told.message.chars().take(MESSAGE_MAX).collect();
    let mut digest = Sha256::new();
    let kind = told.importance.as_str();
    for part in [metadata["uid"].as_str().unwrap_or_default(), told.component, kind, told.reason, &message] {
        digest.update(part);
        digest.update([0]);
    }
    let digest = digest.finalize();
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{name}.{hash}");
    let time = Time::from(now);
    let value = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "name": name, "namespace": namespace, "uid": uid(&digest), "creationTimestamp": time },
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "reason": told.reason,
        "message": message,
        "type": kind,
        "source": { "component": told.component },
        "reportingComponent": told.component,
        "reportingInstance": "",
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    });
    (Key { resource: "events".into(), namespace: namespace.into(), name: name.into() }, without_nulls(value))
}

/// Makes a UID of a digest (RFC 9562, version 8): the same event has the same one.
fn uid(digest: &[u8]) -> String {
    let bits = digest.iter().skip(8).take(16).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x8 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn without_nulls(mut value: Value) -> Value {
    crate::api::object::strip_absent(&mut value);
    value
}
