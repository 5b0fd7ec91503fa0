//! Four kinds with the traits that the write path tells apart, and a rig around them.

use std::future::Future;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::api::schema::Rules;
use crate::api::{Field, FieldError, Kind, Kinds, ListKind, Scope, Struct, Timestamp, Type};
use crate::store::Store;
use crate::store::objects::{Objects, StatusError, WriteOptions, Written};

const fn field(name: &'static str) -> Field {
    Field {
        name,
        doc: "",
        ty: Type::Any,
        required: false,
        default: None,
        rules: Rules::NONE,
        list: ListKind::Atomic,
        atomic: false,
        immutable: false,
        not_enforced: None,
        sensitive: false,
    }
}

static WHOLE: Struct = Struct {
    name: "Whole",
    doc: "",
    fields: &[field("metadata"), field("spec"), field("status"), field("data")],
    atomic: false,
};

/// Refuses `spec.replicas` below zero.
fn replicas_are_positive(value: &Value) -> Vec<FieldError> {
    let replicas = value.pointer("/spec/replicas").and_then(Value::as_i64).filter(|count| *count < 0);
    let error =
        |count: i64| FieldError::invalid("spec.replicas", count.to_string(), "must be greater than or equal to 0");
    replicas.map(error).into_iter().collect()
}

fn one_replica(value: &mut Value) {
    if value.pointer("/spec/replicas").is_none() {
        value["spec"]["replicas"] = json!(1);
    }
}

fn active(value: &mut Value) {
    if value.pointer("/status/phase").is_none() {
        value["status"] = json!({ "phase": "Active" });
        value["spec"] = json!({ "finalizers": ["kubernetes"] });
    }
}

fn kind(group: &'static str, kind: &'static str, plural: &'static str, has_status: bool) -> Kind {
    Kind {
        group,
        version: "v1",
        kind,
        plural,
        singular: "",
        short_names: &[],
        categories: &[],
        scope: if kind == "Namespace" { Scope::Cluster } else { Scope::Namespaced },
        root: || &WHOLE,
        columns: &[],
        has_status,
        scale: None,
        default: match kind {
            "Deployment" => Some(one_replica),
            "Namespace" => Some(active),
            _ => None,
        },
        validate: Some(replicas_are_positive),
        validate_update: None,
    }
}

pub static NAMESPACE: LazyLock<Kind> = LazyLock::new(|| kind("", "Namespace", "namespaces", false));
pub static POD: LazyLock<Kind> = LazyLock::new(|| kind("", "Pod", "pods", true));
pub static DEPLOYMENT: LazyLock<Kind> = LazyLock::new(|| kind("apps", "Deployment", "deployments", true));
pub static CONFIG_MAP: LazyLock<Kind> = LazyLock::new(|| kind("", "ConfigMap", "configmaps", false));
pub static CUSTOM: LazyLock<Kind> = LazyLock::new(|| kind("bowline.dev", "Application", "applications", true));

/// A write path with a clock that stands still and a counter for randomness.
pub struct Rig {
    pub objects: Objects,
    now: Arc<AtomicI64>,
}

/// Noon of a day in 2026.
pub const NOON: i64 = 1_780_000_000;

pub fn rig() -> Rig {
    let now = Arc::new(AtomicI64::new(NOON));
    let clock = Arc::clone(&now);
    let entropy = AtomicU64::new(0);
    let objects = Objects::new(
        Store::memory(),
        Kinds::new([&*NAMESPACE, &*POD, &*DEPLOYMENT, &*CONFIG_MAP, &*CUSTOM]),
        Arc::new(move || Timestamp::from_secs(clock.load(Ordering::Relaxed))),
        Arc::new(move || u128::from(entropy.fetch_add(1, Ordering::Relaxed))),
    );
    let rig = Rig { objects, now };
    rig.create(&NAMESPACE, json!({ "metadata": { "name": "a" } })).expect("the namespace is created");
    rig
}

/// Runs a write on a store in memory, which never waits.
pub fn done<T>(write: impl Future<Output = T>) -> T {
    write.now_or_never().expect("a store in memory never waits")
}

pub fn options() -> WriteOptions {
    WriteOptions { manager: "test".to_owned(), ..WriteOptions::default() }
}

impl Rig {
    pub fn advance(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }
    pub fn create(&self, kind: &'static Kind, value: Value) -> Result<Written, StatusError> {
        let namespace = if kind.namespaced() { "a" } else { "" };
        done(self.objects.create(kind, namespace, value, &options()))
    }
    pub fn update(&self, kind: &'static Kind, name: &str, value: Value) -> Result<Written, StatusError> {
        done(self.objects.update(kind, "a", name, value, &options()))
    }
    pub fn get(&self, kind: &'static Kind, name: &str) -> Value {
        Value::clone(&self.objects.get(kind, "a", name).expect("is there").value())
    }
}

/// Returns the object without the record of ownership, which has tests of its own.
pub fn bare(written: &Written) -> Value {
    let mut value = Value::clone(&written.object.value());
    if let Some(metadata) = value["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    value
}

/// Writes a refusal as `code reason: message`.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, StatusError>) -> String {
    let error = result.expect_err("the write is refused");
    format!("{} {}: {}", error.code, error.reason, error.message)
}
