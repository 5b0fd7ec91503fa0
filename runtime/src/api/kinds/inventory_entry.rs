//! An object in the inventory of an Application, written as one text.
//!
//! An Application may own ten thousand objects, and its status is read and written with every commit: a text for each
//! takes a tenth of what an object of four fields does.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::api::schema::{Schema, Type};

/// An object that belongs to an application, written as `<id> <version>`, and ` adopted` or ` finished=<hash>` behind
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryEntry {
    /// `<namespace>_<name>_<group>_<plural>`.
    pub id: String,
    /// API version of the object.
    pub version: String,
    /// Whether the object was there before the commit that is being applied; a rejected commit releases it again.
    pub adopted: bool,
    /// Hash of the manifest that ran to its end, for a Job that is removed by its `ttlSecondsAfterFinished`.
    pub finished: Option<String>,
}

impl fmt::Display for InventoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        if !self.version.is_empty() {
            write!(f, " {}", self.version)?;
        }
        if self.adopted {
            f.write_str(" adopted")?;
        }
        match &self.finished {
            Some(hash) => write!(f, " finished={hash}"),
            None => Ok(()),
        }
    }
}

impl From<&str> for InventoryEntry {
    /// Reads what `Display` writes; words that a later release adds are passed over.
    fn from(text: &str) -> Self {
        let mut words = text.split(' ');
        let mut entry = Self {
            id: words.next().unwrap_or_default().to_owned(),
            version: words.next().unwrap_or_default().to_owned(),
            ..Self::default()
        };
        for word in words {
            entry.adopted |= word == "adopted";
            entry.finished = word.strip_prefix("finished=").map(str::to_owned).or(entry.finished);
        }
        entry
    }
}

impl Serialize for InventoryEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InventoryEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::from(&*text))
    }
}

impl Schema for InventoryEntry {
    const TYPE: Type = Type::String;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, entry: &InventoryEntry) {
        assert_eq!(InventoryEntry::from(text), *entry);
        assert_eq!(entry.to_string(), text);
    }

    #[test]
    fn an_entry_survives_as_text() {
        let plain = InventoryEntry { id: "a_web_apps_deployments".into(), version: "v1".into(), ..Default::default() };
        check("a_web_apps_deployments v1", &plain);
        check("a_web_apps_deployments v1 adopted", &InventoryEntry { adopted: true, ..plain.clone() });
        check("a_web_apps_deployments v1 finished=0a", &InventoryEntry { finished: Some("0a".into()), ..plain });
    }
}
