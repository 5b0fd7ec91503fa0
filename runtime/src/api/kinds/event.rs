//! The Event: a note on what happened to an object.

use crate::api::kinds::ObjectReference;
use crate::api::meta::ObjectMeta;
use crate::api::value::{MicroTime, Time};
use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};

/// A note on what happened to an object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    whole, version = "v1", plural = "events", short("ev"), scope = Namespaced,
    column(name = "Last Seen", type = "string", render = crate::api::columns::event::last_seen),
    column(name = "Type", type = "string", path = "/type"),
    column(name = "Reason", type = "string", path = "/reason"),
    column(name = "Object", type = "string", render = crate::api::columns::event::object),
    column(name = "Subobject", type = "string", wide, path = "/involvedObject/fieldPath"),
    column(name = "Source", type = "string", wide, render = crate::api::columns::event::source),
    column(name = "Message", type = "string", render = crate::api::columns::event::message),
    column(name = "First Seen", type = "string", wide, render = crate::api::columns::event::first_seen),
    column(name = "Count", type = "integer", wide, render = crate::api::columns::event::count)
)]
pub struct Event {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// Object that it happened to.
    #[object(default_json = "{}")]
    pub involved_object: ObjectReference,
    /// One word for programs.
    pub reason: Option<String>,
    /// One sentence for people.
    pub message: Option<String>,
    /// Who reports it.
    #[object(default_json = "{}")]
    pub source: Option<EventSource>,
    /// When it was first seen.
    pub first_timestamp: Option<Time>,
    /// When it was last seen.
    pub last_timestamp: Option<Time>,
    /// How often it was seen.
    pub count: Option<i32>,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub type_: Option<String>,
    /// When it was first seen, in microseconds.
    pub event_time: Option<MicroTime>,
    /// How often and until when it was seen.
    pub series: Option<EventSeries>,
    /// What was done about the object.
    pub action: Option<String>,
    /// Further object that took part.
    pub related: Option<ObjectReference>,
    /// Controller that reports it.
    #[object(default = "")]
    pub reporting_component: Option<String>,
    /// Instance of that controller.
    #[object(default = "")]
    pub reporting_instance: Option<String>,
}

/// Who reports an event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct EventSource {
    /// Name of the component.
    pub component: Option<String>,
    /// Host it runs on.
    pub host: Option<String>,
}

/// A run of equal events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct EventSeries {
    /// How many.
    pub count: Option<i32>,
    /// When the last was seen.
    pub last_observed_time: Option<MicroTime>,
}
