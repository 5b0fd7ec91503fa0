//! A kind whose struct is the whole object, because it has no specification.

use std::collections::BTreeMap;

use bowline_macros::Object;
use bowline_runtime::api::meta::ObjectMeta;
use serde::{Deserialize, Serialize};

/// A board with notes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(whole, version = "v1", column(name = "Notes", path = "/notes"))]
pub struct Board {
    /// Name and labels.
    pub metadata: ObjectMeta,
    /// The notes.
    #[object(immutable)]
    pub notes: BTreeMap<String, String>,
}

/// A board that reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(whole, group = "example.org", version = "v1", scope = Cluster)]
pub struct Gateway {
    /// Name and labels.
    pub metadata: ObjectMeta,
    /// What was last seen.
    pub status: Option<String>,
}

#[cfg(test)]
mod tests {
    use bowline_runtime::api::object::Object as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_struct_is_the_object() {
        let kind = Board::kind();
        assert_eq!((kind.resource().as_str(), kind.has_status), ("boards", false));
        assert_eq!((kind.root)().fields.iter().map(|field| field.name).collect::<Vec<_>>(), ["metadata", "notes"]);
        let mut board = Board::default();
        board.meta_mut().name = "kitchen".to_owned();
        assert_eq!(
            board.to_value(),
            json!({"apiVersion": "v1", "kind": "Board", "metadata": {"name": "kitchen"}, "notes": {}})
        );
    }

    #[test]
    fn a_field_called_status_is_the_status() {
        assert_eq!((Gateway::kind().has_status, Gateway::kind().plural), (true, "gateways"));
    }
}
