//! Attributes that cannot both hold, or not for the field's type.

use std::collections::BTreeMap;

use bowline_macros::Schema;
use bowline_runtime::api::value::Quantity;
use serde::{Deserialize, Serialize};

/// A mailbox.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct Mailbox {
    /// Required, and never absent.
    #[object(required, default = "me")]
    pub owner: String,
    /// A default that is not allowed.
    #[object(one_of = ["Refuse", "Forward", "Refuse"], default = "refuse")]
    pub when_full: Option<String>,
    /// A default below the limits, which exclude each other.
    #[object(min = 10, max = 5, default = 1)]
    pub capacity: Option<i32>,
    /// A default above the limit.
    #[object(max = 5, default = 6)]
    pub shelves: Option<i64>,
    /// A default of the wrong type.
    #[object(default = "5")]
    pub doors: Option<i32>,
    /// Another one.
    #[object(default = "a")]
    pub keys: Vec<String>,
    /// And another one.
    #[object(default_json = "[]", default = true)]
    pub labels: BTreeMap<String, String>,
    /// A default that is too long.
    #[object(max_len = 3, default = "four")]
    pub town: Option<String>,
    /// Rules for other types.
    #[object(min = 1, max = 63)]
    pub street: String,
    /// Rules for other types.
    #[object(max_len = 3, one_of = ["a"], format = "dns-label", min = "1s")]
    pub number: i32,
    /// A limit that is no text.
    #[object(min = 1)]
    pub size: Quantity,
    /// Lists that are none.
    #[object(list_map = "name", min_items = 1)]
    pub letter: Letter,
    /// Three ways to merge.
    #[object(list_map("name", "name"), list_set, atomic)]
    pub letters: Vec<Letter>,
    /// Scalars have no fields, and nothing has fewer than no items.
    #[object(list_map = "name", min_items = -1)]
    pub words: Vec<String>,
    /// A key of none.
    #[object(patch_key = "name")]
    pub parcels: Vec<Letter>,
    /// A scalar in parts, without a reason.
    #[object(atomic, not_enforced = " ")]
    pub open: bool,
    /// A name that is taken.
    #[serde(rename = "owner")]
    pub landlord: String,
}

/// A letter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default)]
pub struct Letter {
    /// Who wrote it.
    pub name: String,
}

fn main() {}
