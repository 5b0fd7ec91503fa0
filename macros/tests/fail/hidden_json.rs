//! Types whose JSON a schema cannot describe.

use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// Flattened fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default)]
pub struct Letter {
    /// Another struct's fields.
    #[serde(flatten)]
    pub parcel: Parcel,
    /// A second name.
    #[serde(alias = "from")]
    pub sender: String,
    /// Two names.
    #[serde(rename(serialize = "to", deserialize = "receiver"))]
    pub receiver: String,
}

/// A parcel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default)]
pub struct Parcel {
    /// How heavy it is; Kubernetes has no unsigned numbers.
    pub weight: u32,
}

/// A wrapper.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(transparent)]
pub struct Stamp(String);

/// A tagged union.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[serde(tag = "type")]
#[object(atomic)]
pub enum Delivery {
    /// By hand.
    Hand,
    /// By post.
    Post {
        /// Which office.
        office: String,
    },
    /// By air.
    #[object(required)]
    #[serde(rename = "Hand")]
    Air,
}

/// A parameter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default)]
pub struct Envelope<T> {
    /// What it holds.
    pub content: T,
}

fn main() {}
