//! Nothing that a Kubernetes v1 object says is lost, and nothing is declared that Kubernetes does not have.

use k8s_openapi::Resource;
use k8s_openapi::api::{apps, batch, coordination, core};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::fabricate::{Fabricate, Text};
use crate::api::kinds::*;
use crate::api::schema::Type;
use crate::api::{Object, strict};

/// Fields of the one shared condition that older kinds' conditions lack.
const BEYOND_UPSTREAM: [&str; 2] =
    ["Namespace.status.conditions[0].observedGeneration", "ReplicaSet.status.conditions[0].observedGeneration"];

/// Returns the paths of all leaves.
fn paths(prefix: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(name, item)| paths(&format!("{prefix}.{name}"), item, found))
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, item)| paths(&format!("{prefix}[{index}]"), item, found))
        }
        _ => found.push(prefix.to_owned()),
    }
}

fn leaves(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    paths(value["kind"].as_str().expect("a kind"), value, &mut found);
    found.retain(|path| !BEYOND_UPSTREAM.contains(&path.as_str()));
    found.sort();
    found
}

/// Makes a value with every declared field set, from the schema alone.
fn from_schema(ty: &Type) -> Value {
    match ty {
        Type::String => json!("text"),
        Type::Enum(values) => json!(values[0]),
        Type::Int32 | Type::Int64 | Type::IntOrString => json!(7),
        Type::Number => json!(0.5),
        Type::Boolean => json!(true),
        Type::Quantity => json!("1500m"),
        Type::Time => json!("2026-01-31T09:00:00Z"),
        Type::MicroTime => json!("2026-01-31T09:00:00.000001Z"),
        Type::Duration => json!("1m30s"),
        Type::Bytes => json!("AAEC"),
        Type::Any => json!({ "f:spec": 7 }),
        Type::Struct(inner) => inner()
            .fields
            .iter()
            .map(|field| (field.name.to_owned(), from_schema(&field.ty)))
            .collect::<Map<_, _>>()
            .into(),
        Type::List(inner) => json!([from_schema(inner)]),
        Type::Map(inner) => json!({ "key": from_schema(inner) }),
    }
}

/// Sends an object with every field set through both libraries, in both directions.
#[track_caller]
fn check<Upstream, Ours>()
where
    Upstream: Resource + DeserializeOwned + serde::Serialize,
    Ours: Object,
{
    let kind = Ours::kind();
    assert_eq!(
        (kind.api_version(), kind.kind, kind.plural),
        (Upstream::API_VERSION.into(), Upstream::KIND, Upstream::URL_PATH_SEGMENT)
    );
    for zero in [false, true] {
        let root = Some((Upstream::API_VERSION, Upstream::KIND));
        let upstream =
            Upstream::deserialize(Fabricate { root, zero, text: Text::Plain }).expect("every field can be made");
        let full = serde_json::to_value(upstream).expect("writes");
        assert!(leaves(&full).len() > 10, "{}: an object with every field set is large", kind.kind);
        assert_eq!(strict::unknown_fields(kind, &full), [], "{}: every field is declared", kind.kind);
        let ours: Ours = serde_json::from_value(full.clone()).expect("parses as ours");
        assert_eq!(ours.to_value(), full, "{}: nothing is lost", kind.kind);
    }

    let mut declared = from_schema(&Type::Struct(kind.root));
    declared["apiVersion"] = json!(kind.api_version());
    declared["kind"] = json!(kind.kind);
    let upstream: Upstream = serde_json::from_value(declared.clone()).expect("parses as Kubernetes'");
    let back = serde_json::to_value(upstream).expect("writes");
    assert_eq!(leaves(&declared), leaves(&back), "{}: Kubernetes has every declared field", kind.kind);
    let ours: Ours = serde_json::from_value(declared.clone()).expect("parses as ours");
    assert_eq!(ours.to_value(), declared, "{}: the schema is that of the type", kind.kind);
}

#[test]
fn every_field_of_every_kubernetes_kind_survives() {
    check::<core::v1::Namespace, Namespace>();
    check::<core::v1::Node, Node>();
    check::<core::v1::ConfigMap, ConfigMap>();
    check::<core::v1::Secret, Secret>();
    check::<core::v1::ServiceAccount, ServiceAccount>();
    check::<core::v1::Pod, Pod>();
    check::<core::v1::Event, Event>();
    check::<apps::v1::ReplicaSet, ReplicaSet>();
    check::<apps::v1::Deployment, Deployment>();
    check::<batch::v1::Job, Job>();
    check::<batch::v1::CronJob, CronJob>();
    check::<coordination::v1::Lease, Lease>();
}

#[test]
fn every_field_of_bowlines_own_kinds_survives() {
    fn check<T: Object>() {
        let mut full = from_schema(&Type::Struct(T::kind().root));
        full["apiVersion"] = json!(T::kind().api_version());
        full["kind"] = json!(T::kind().kind);
        let typed: T = serde_json::from_value(full.clone()).expect("parses");
        assert_eq!(typed.to_value(), full);
    }
    check::<GitRepository>();
    check::<Application>();
}

#[test]
fn kinds_are_found_by_every_name() {
    for (word, kind) in [
        ("deploy", "Deployment"),
        ("po", "Pod"),
        ("rs", "ReplicaSet"),
        ("cj", "CronJob"),
        ("ns", "Namespace"),
        ("no", "Node"),
        ("cm", "ConfigMap"),
        ("sa", "ServiceAccount"),
        ("ev", "Event"),
        ("secrets", "Secret"),
        ("jobs.batch", "Job"),
        ("Lease", "Lease"),
        ("app", "Application"),
        ("gitrepo", "GitRepository"),
    ] {
        assert_eq!(builtin().lookup(word).map(|found| found.kind), Some(kind), "{word}");
    }
}
