//! Every attribute of a field, once.

use std::collections::BTreeMap;

use bowline_macros::Schema;
use bowline_runtime::api::value::{IntOrString, Quantity};
use serde::{Deserialize, Serialize};

/// A mailbox.
///
/// Its letters are kept; see [`Letter`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct Mailbox {
    /// Whose mailbox
    /// it is.
    #[object(required, immutable, format = "dns-label", max_len = 63)]
    pub owner_name: String,
    /// What happens when it is full.
    #[object(default = "Refuse", one_of = ["Refuse", "Forward"])]
    pub when_full: Option<String>,
    /// The most letters.
    #[object(default = 100, min = 1, max = 65_535)]
    pub capacity: Option<i32>,
    /// The place in the order of delivery.
    #[object(default = -1, min = -1)]
    pub priority: Option<i64>,
    /// Whether it takes letters.
    #[object(default = true)]
    pub open: Option<bool>,
    /// The share that may be advertising.
    #[object(default = "25%")]
    pub advertising: Option<IntOrString>,
    /// The largest letter.
    #[object(min = "1Ki")]
    pub letter_size: Option<Quantity>,
    /// Where else to deliver.
    #[object(default_json = "{\"kept\": \"yes\"}")]
    pub forwards: BTreeMap<String, String>,
    /// The letters.
    #[object(list_map("sender", "date"), patch_key = "date", min_items = 1)]
    pub letters: Vec<Letter>,
    /// The labels on the letters.
    #[object(list_map = "sender")]
    pub labels: Vec<Letter>,
    /// Who may open it.
    #[object(list_set, format = "qualified-name")]
    pub keys: Vec<String>,
    /// The letter on top.
    #[object(atomic)]
    pub top: Option<Box<Letter>>,
    /// The combination of the lock.
    #[object(sensitive)]
    pub combination: Option<String>,
    /// The colour.
    #[object(not_enforced = "bowline has no paint")]
    pub colour: Option<String>,
    /// Nothing that is stored.
    #[serde(skip)]
    pub cache: Vec<u8>,
}

/// A letter, which may hold letters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
#[object(atomic)]
pub struct Letter {
    /// Who wrote it.
    pub sender: String,
    /// When.
    pub date: String,
    /// What kind it is.
    #[serde(rename = "type")]
    pub kind: Class,
    /// What it holds.
    pub enclosed: Vec<Letter>,
}

/// The class of a letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// As fast as can be.
    #[default]
    FirstClass,
    /// When there is room.
    #[serde(rename = "economy")]
    Second,
}

#[cfg(test)]
mod tests {
    use bowline_runtime::api::schema::{Format, ListKind, Struct, Type};

    use super::*;

    fn declared<T: Schema>() -> &'static Struct {
        match T::TYPE {
            Type::Struct(declared) => declared(),
            other => panic!("{other:?}"),
        }
    }

    use bowline_runtime::api::schema::Schema;

    #[test]
    fn names_are_those_that_serde_writes() {
        let written = serde_json::to_value(Mailbox::default()).expect("serialises");
        let written: Vec<&String> = written.as_object().expect("an object").keys().collect();
        let mut declared: Vec<&str> = declared::<Mailbox>().fields.iter().map(|field| field.name).collect();
        declared.sort_unstable();
        assert_eq!(written, declared);
        assert!(matches!(Class::TYPE, Type::Enum(["first-class", "economy"])));
        assert_eq!(
            serde_json::to_value([Class::FirstClass, Class::Second]).expect("serialises"),
            serde_json::json!(["first-class", "economy"])
        );
    }

    #[test]
    fn docs_are_running_text() {
        assert_eq!(declared::<Mailbox>().doc, "A mailbox.\n\nIts letters are kept; see `Letter`.");
        assert_eq!(declared::<Mailbox>().field("ownerName").expect("declared").doc, "Whose mailbox it is.");
    }

    #[test]
    fn attributes_reach_the_constants() {
        let field = |name: &str| declared::<Mailbox>().field(name).expect("declared");
        let owner = field("ownerName");
        assert!(owner.required && owner.immutable);
        assert_eq!((owner.rules.format, owner.rules.max_len), (Format::DnsLabel, Some(63)));
        assert_eq!(field("whenFull").default, Some("\"Refuse\""));
        assert_eq!(field("whenFull").rules.one_of, ["Refuse", "Forward"]);
        assert_eq!(field("capacity").default, Some("100"));
        assert_eq!((field("capacity").rules.min, field("capacity").rules.max), (Some(1), Some(65_535)));
        assert_eq!((field("priority").default, field("priority").rules.min), (Some("-1"), Some(-1)));
        assert_eq!(field("letterSize").rules.min_text, Some("1Ki"));
        assert_eq!(field("forwards").default, Some("{\"kept\": \"yes\"}"));
        assert_eq!(field("letters").list, ListKind::Map { keys: &["sender", "date"], patch_key: "date" });
        assert_eq!(field("letters").rules.min_items, Some(1));
        assert_eq!(field("labels").list, ListKind::Map { keys: &["sender"], patch_key: "sender" });
        assert_eq!(field("keys").list, ListKind::Set);
        assert!(field("top").atomic && field("combination").sensitive);
        assert_eq!(field("colour").not_enforced, Some("bowline has no paint"));
    }

    #[test]
    fn a_type_may_hold_itself() {
        let Type::List(Type::Struct(inner)) = declared::<Letter>().field("enclosed").expect("declared").ty else {
            panic!("a list")
        };
        assert_eq!(inner().name, "Letter");
        assert!(inner().atomic);
    }
}
