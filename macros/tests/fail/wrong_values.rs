//! Values of the wrong form: each message shows the right one.

use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};

/// A mailbox.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default)]
#[object("atomic")]
pub struct Mailbox {
    /// Whose it is.
    #[object(required = true, max_len = "63", format)]
    pub owner: String,
    /// What happens when it is full.
    #[object(one_of = [Refuse, Forward], default = REFUSE)]
    pub when_full: String,
    /// How many letters.
    #[object(min = 1.5, max =, default = 'c')]
    pub capacity: i32,
    /// How many letters at most.
    #[object(max = 99999999999999999999)]
    pub limit: i64,
    /// Where else to deliver.
    #[object(default_json = "{forward: 1}", not_enforced)]
    pub forwards: std::collections::BTreeMap<String, String>,
    /// Who has a key.
    #[object(list_map, patch_key(name))]
    pub keys: Vec<Mailbox>,
    /// The postcode.
    #[object = "required"]
    pub postcode: String,
}

/// A post office.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default)]
#[object(
    version = 1,
    kind = "Post Office",
    scope = "Namespaced",
    status = "Status",
    scale(spec = "/spec/counters"),
    column = "Open",
    column(path = "/spec/open"),
    column(name = "Open"),
    column(name = "Open", path = "/spec/open", render = open),
    validate = "check"
)]
pub struct PostOfficeSpec {
    /// Whether it is open.
    pub open: bool,
}

fn main() {
    let _ = PostOffice::kind();
}
