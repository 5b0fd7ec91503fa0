//! Kinds whose names or forms do not fit.

use bowline_macros::{Object, Schema};
use bowline_runtime::api::meta::ObjectMeta;
use serde::{Deserialize, Serialize};

/// A specification that is called as its kind, without a version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default)]
pub struct Letter {
    /// Who wrote it.
    pub sender: String,
}

/// Names that are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default)]
#[object(group = "Post Office", version = "1.0", kind = "post_office", plural = "PostOffices", short("P"), categories("All"))]
pub struct OfficeSpec {
    /// Whether it is open.
    pub open: bool,
}

/// Pointers that lead nowhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default)]
#[object(
    version = "v1",
    scale(spec = "/spec/counter", status = "/status/counters", selector = "/statuss/labelSelector"),
    column(name = "Open", path = ".spec.open"),
    column(name = "Open", path = "/spec/open", type = "bool"),
    column(name = "Age", path = "/metadata/creationTimestamp", type = "date")
)]
pub struct CounterSpec {
    /// Whether it is open.
    pub open: bool,
    /// How many there are.
    pub counters: i32,
}

/// A whole object without metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default)]
#[object(whole, version = "v1", kind = "Board", status = BoardStatus, column(name = "Notes", path = "/note"))]
pub struct NoteBoard {
    /// The notes.
    pub notes: Vec<String>,
}

/// A status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default)]
pub struct BoardStatus {}

/// A specification with metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default)]
#[object(version = "v1")]
pub struct ShelfSpec {
    /// Name and labels.
    pub metadata: ObjectMeta,
}

/// A kind out of words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[object(version = "v1")]
pub enum ColourSpec {
    /// As the sky.
    #[default]
    Blue,
}

fn main() {
    let _ = (Office::default(), Counter::kind(), Shelf::kind());
}
