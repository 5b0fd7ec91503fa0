//! Names that are almost right, or right in another place: all are reported at once.

use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};

/// A mailbox.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default)]
#[object(atomc, version = "v1", required)]
pub struct Mailbox {
    /// Whose it is.
    #[object(requird, immutible, pattern = "[a-z]+")]
    pub owner: String,
    /// What happens when it is full.
    #[object(one_off = ["Refuse"], colour = "red", scope = Cluster)]
    pub when_full: String,
    /// Who has a key.
    #[object(list_set, list_set, format = "dns-lable")]
    pub keys: Vec<String>,
}

/// A post office.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default)]
#[object(groop = "example.org", version = "v1", namespaced, shortname = "po", scope = Clustered, required)]
#[object(column(name = "Open", typ = "boolean", path = "/spec/open"))]
pub struct PostOfficeSpec {
    /// Whether it is open.
    pub open: bool,
}

/// Uses what was emitted all the same.
fn main() {
    let _ = (PostOffice::kind(), PostOffice::default().spec.open);
    let _ = <Mailbox as bowline_runtime::api::schema::Schema>::TYPE;
}
