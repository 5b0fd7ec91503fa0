//! The list of objects that an Application has applied, as its status holds it.

use std::borrow::Cow;

use bowline_runtime::api::kinds::InventoryEntry;
use bowline_runtime::api::{Key, Kinds};

/// Returns `<namespace>_<name>_<group>_<resource>`: Flux' form, with the plural in place of the kind.
pub fn id(key: &Key) -> String {
    let (plural, group) = key.resource.split_once('.').unwrap_or((&key.resource, ""));
    format!("{}_{}_{group}_{plural}", key.namespace, key.name)
}

/// Returns the key that an id names; `None` for a text that is no id.
pub fn key(id: &str) -> Option<Key> {
    let mut parts = id.split('_');
    let (namespace, name, group, plural) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || name.is_empty() || plural.is_empty() {
        return None;
    }
    let resource = if group.is_empty() { Cow::Borrowed(plural) } else { format!("{plural}.{group}").into() };
    Some(Key::new(&resource, namespace, name))
}

/// Returns the entry of a key.
pub fn entry(key: &Key, kinds: &Kinds) -> InventoryEntry {
    let version = kinds.resource(&key.resource).map_or("", |kind| kind.version);
    InventoryEntry { id: id(key), version: version.to_owned(), ..InventoryEntry::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(resource: &str, namespace: &str, name: &str, expected: &str) {
        let found = Key { resource: resource.into(), namespace: namespace.into(), name: name.into() };
        assert_eq!(id(&found), expected);
        assert_eq!(key(expected), Some(found));
    }

    #[test]
    fn a_key_survives_the_inventory() {
        check("deployments.apps", "staging", "web", "staging_web_apps_deployments");
        check("configmaps", "staging", "web.conf", "staging_web.conf__configmaps");
        check("namespaces", "", "staging", "_staging__namespaces");
        assert_eq!(key("a_b"), None);
    }
}
