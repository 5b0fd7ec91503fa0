//! What clients ask for first: which groups, versions and resources there are.
//!
//! The legacy documents only; a client that would rather have the aggregated form takes these. Pure.

use bowline_runtime::api::{Kind, Kinds};
use serde_json::{Value, json};

/// The Kubernetes release whose API is spoken; clients choose their ways by it.
const KUBERNETES: (&str, &str, &str) = ("1", "33", "v1.33.0");

/// What can be done with every resource.
const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Returns the document of `/version`.
pub(super) fn version() -> Value {
    let (major, minor, version) = KUBERNETES;
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "major": major, "minor": minor,
        "gitVersion": format!("{version}+bowline.{}", env!("CARGO_PKG_VERSION")),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "rustc", "platform": format!("{}/{architecture}", std::env::consts::OS),
    })
}

/// Returns the document of `/api`.
pub(super) fn versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// Returns the document of `/apis`.
pub(super) fn groups(kinds: &Kinds) -> Value {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for kind in kinds.iter().filter(|kind| !kind.group.is_empty()) {
        match groups.iter_mut().find(|(group, _)| *group == kind.group) {
            Some((_, versions)) if versions.contains(&kind.version) => {}
            Some((_, versions)) => versions.push(kind.version),
            None => groups.push((kind.group, vec![kind.version])),
        }
    }
    let one = |(group, versions): &(&str, Vec<&str>)| {
        let versions: Vec<Value> = versions
            .iter()
            .map(|version| json!({"groupVersion": format!("{group}/{version}"), "version": version}))
            .collect();
        json!({"name": group, "preferredVersion": versions[0], "versions": versions})
    };
    let groups: Vec<Value> = groups.iter().map(one).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// Returns the document of `/api/v1` or `/apis/<group>/<version>`; `None` where nothing is served there.
pub(super) fn resources(kinds: &Kinds, group: &str, version: &str) -> Option<Value> {
    let found = kinds.iter().filter(|kind| kind.group == group && kind.version == version);
    let rows: Vec<Value> = found.flat_map(rows).collect();
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    (!rows.is_empty())
        .then(|| json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": rows}))
}

fn rows(kind: &'static Kind) -> Vec<Value> {
    let namespace = kind.group.is_empty() && kind.kind == "Namespace";
    // Namespaces are the one kind whose collection cannot be deleted at once.
    let verbs: Vec<&str> = VERBS.into_iter().filter(|verb| !namespace || *verb != "deletecollection").collect();
    let mut first = json!({
        "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced(), "kind": kind.kind,
        "verbs": verbs,
    });
    if !kind.short_names.is_empty() {
        first["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        first["categories"] = json!(kind.categories);
    }
    let sub = |name: &str, of: &str, verbs: &[&str]| {
        json!({
            "name": format!("{}/{name}", kind.plural), "singularName": "", "namespaced": kind.namespaced(),
            "kind": of, "verbs": verbs,
        })
    };
    let mut rows = vec![first];
    if kind.has_status || namespace {
        rows.push(sub("status", kind.kind, &["get", "patch", "update"]));
    }
    if kind.scale.is_some() {
        let mut row = sub("scale", "Scale", &["get", "patch", "update"]);
        row["group"] = "autoscaling".into();
        row["version"] = "v1".into();
        rows.push(row);
    }
    if namespace {
        rows.push(sub("finalize", kind.kind, &["update"]));
    }
    if kind.group.is_empty() && kind.kind == "Pod" {
        rows.push(sub("log", kind.kind, &["get"]));
        rows.push(sub("exec", "PodExecOptions", &["create", "get"]));
    }
    rows
}
