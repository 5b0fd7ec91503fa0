//! Event objects: what controllers and nodes tell people, one object for each distinct sentence.
//!
//! Responsible for: counting up the same event about the same object instead of storing it again, and leaving out one
//! that comes too often: a token bucket for each object, with client-go's numbers. Never writes: whoever records puts
//! the returned object into a transaction of its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api::{Key, Time, Timestamp};

/// Whether an event reports trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Something went as planned.
    Normal,
    /// Something needs a look.
    Warning,
}

impl Importance {
    /// Returns the `type` of the Event object.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

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
pub struct Recorder {
    buckets: BTreeMap<(&'static str, String), Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: i64,
    filled: Timestamp,
}

/// What is to be told.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Who tells it: a controller's name, or `bowline` for a node.
    pub component: &'static str,
    /// The node that tells it, if one does.
    pub host: Option<&'a str>,
    /// The part of the object it is about, such as `spec.containers{web}`.
    pub field_path: Option<&'a str>,
    /// Whether it is trouble.
    pub importance: Importance,
    /// One word for programs.
    pub reason: &'a str,
    /// One sentence for people.
    pub message: &'a str,
}

impl Recorder {
    /// Returns the Event object to store, or `None` where there are too many about `about`.
    ///
    /// `known` finds the Event that is there already, be it stored or about to be.
    pub fn record(
        &mut self,
        known: impl Fn(&Key) -> Option<Value>,
        about: &Value,
        told: &Told<'_>,
        now: Timestamp,
    ) -> Option<(Key, Value)> {
        let uid = about["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        if !self.allow(told.component, uid, now) {
            return None;
        }
        let (key, fresh) = event(about, told, now);
        let value = match known(&key) {
            Some(mut value) => {
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
    let uid_of_about = metadata["uid"].as_str().unwrap_or_default();
    let place = [told.host.unwrap_or_default(), told.field_path.unwrap_or_default()];
    for part in [uid_of_about, told.component, place[0], place[1], kind, told.reason, &message] {
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
            "fieldPath": told.field_path,
        },
        "reason": told.reason,
        "message": message,
        "type": kind,
        "source": { "component": told.component, "host": told.host },
        "reportingComponent": told.component,
        "reportingInstance": told.host.unwrap_or_default(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str) -> Value {
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "shop", "uid": name } })
    }

    fn told(message: &str) -> Told<'_> {
        Told {
            component: "bowline",
            host: Some("node-1"),
            field_path: Some("spec.containers{web}"),
            importance: Importance::Warning,
            reason: "BackOff",
            message,
        }
    }

    #[test]
    fn the_same_event_counts_up_and_another_is_another_object() {
        let mut recorder = Recorder::default();
        let (key, first) = recorder.record(|_| None, &pod("a"), &told("one"), Timestamp::EPOCH).expect("is told");
        let known = |asked: &Key| (*asked == key).then(|| first.clone());
        let later = Timestamp::from_secs(60);
        let (again, second) = recorder.record(known, &pod("a"), &told("one"), later).expect("is told");
        assert_eq!(
            (&again, &second["count"], &second["lastTimestamp"]),
            (&key, &json!(2), &json!("1970-01-01T00:01:00Z"))
        );
        let (other, _) = recorder.record(known, &pod("a"), &told("two"), later).expect("is told");
        assert_ne!(other, key);
        assert_eq!(first["source"], json!({ "component": "bowline", "host": "node-1" }));
        assert_eq!(first["involvedObject"]["fieldPath"], json!("spec.containers{web}"));
    }

    #[test]
    fn a_flood_about_one_object_is_cut_and_the_others_are_heard() {
        let mut recorder = Recorder::default();
        let heard = |recorder: &mut Recorder, name: &str, at: i64| {
            let texts = (0..40).map(|number| format!("{at} {number}"));
            texts
                .filter(|text| recorder.record(|_| None, &pod(name), &told(text), Timestamp::from_secs(at)).is_some())
                .count()
        };
        assert_eq!(heard(&mut recorder, "a", 0), 25, "a burst");
        assert_eq!(heard(&mut recorder, "b", 0), 25, "another object has a bucket of its own");
        assert_eq!(heard(&mut recorder, "a", 650), 2, "one more for each five minutes");
    }
}
