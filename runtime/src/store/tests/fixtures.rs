//! Objects and stores to test with.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::Key;
use crate::store::{Options, Precondition, Retention, Store, Txn};

/// A directory that is removed with the value, and the path of a store in it.
pub struct Place {
    _directory: tempfile::TempDir,
    pub path: PathBuf,
}

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("store.db");
        Self { _directory: directory, path }
    }
    pub fn open(&self) -> Store {
        self.open_with(Options::default())
    }
    pub fn open_with(&self, options: Options) -> Store {
        Store::open(&self.path, options).expect("the store opens")
    }
}

pub fn key(text: &str) -> Key {
    let mut parts = text.split('/');
    let mut part = || -> Arc<str> { parts.next().expect("a key is resource/namespace/name").into() };
    Key { resource: part(), namespace: part(), name: part() }
}

pub fn value(text: &str) -> Value {
    json!({ "metadata": { "name": "x", "uid": format!("uid-{text}") }, "data": text })
}

pub fn put(store: &Store, name: &str, text: &str) -> u64 {
    let txn = Txn::new().put(key(name), Precondition::Any, value(text));
    store.commit(txn).expect("the put is accepted").revision
}

pub fn delete(store: &Store, name: &str) -> u64 {
    let txn = Txn::new().delete(key(name), Precondition::Exists);
    store.commit(txn).expect("the deletion is accepted").revision
}

/// Keeps the last `revisions_min` changes whatever their age.
pub fn keep(revisions_min: u64) -> Options {
    let age_min = std::time::Duration::ZERO;
    Options { retention: Retention { age_min, revisions_min, revisions_max: u64::MAX }, ..Options::default() }
}

/// Writes the state as text: `name=data@revision` in key order.
pub fn render(store: &Store) -> String {
    let snapshot = store.snapshot();
    let lines = snapshot.iter().map(|stored| {
        let value = stored.value();
        let data = value["data"].as_str().unwrap_or("-");
        format!("{}={data}@{}", stored.key(), stored.revision())
    });
    lines.collect::<Vec<_>>().join(" ")
}
