//! Forgets old Event objects: they are news, not records.

use std::sync::Arc;
use std::time::Duration;

use bowline_macros::controller;

use crate::api::kinds::Event;
use crate::api::{Key, Object, Timestamp};
use crate::store::Snapshot;

use super::{Action, Blocker, Propagation, owner, pods};

/// How long an event is kept after it was last seen: upstream's default.
const KEPT: Duration = Duration::from_secs(3600);

fn observe(snapshot: &Snapshot, key: &Key) -> Option<((), Arc<Event>)> {
    Some(((), snapshot.typed_get::<Event>(&key.namespace, &key.name)?))
}

/// Deletes an event an hour after it was last seen.
#[controller(name = "event-expiry", kind = Event, observe = observe)]
pub fn decide(_observed: &(), desired: &Event, now: Timestamp) -> Vec<Action> {
    let series = desired.series.as_ref().and_then(|series| series.last_observed_time).map(|time| time.0);
    let seen = series.max(desired.event_time.map(|time| time.0)).max(desired.last_timestamp.map(|time| time.0));
    let until = seen.unwrap_or_else(|| pods::created(&desired.metadata)) + KEPT;
    if until > now {
        return vec![Action::Wait { on: Blocker::TimeToLive, until: Some(until) }];
    }
    let uid = owner::uid(&desired.metadata).to_owned();
    vec![Action::Delete { key: desired.key(), uid, propagation: Propagation::Background }]
}
