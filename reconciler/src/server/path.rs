//! The paths of the Kubernetes API, taken apart.

use bowline_runtime::api::{Kind, Kinds};

/// What a path names.
#[derive(Debug)]
pub enum Target {
    /// `/api`.
    Versions,
    /// `/apis`.
    Groups,
    /// `/api/v1` or `/apis/<group>/<version>`: what can be found there.
    Resources {
        /// The group; empty for the core group.
        group: String,
        /// The version.
        version: String,
    },
    /// A collection, an object, or a subresource of one.
    Object(ObjectPath),
    /// Nothing that is served.
    Unknown,
}

/// A path to objects of one kind.
#[derive(Debug)]
pub struct ObjectPath {
    /// The kind.
    pub kind: &'static Kind,
    /// The namespace; `None` over all namespaces and for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// The name; `None` for the collection.
    pub name: Option<String>,
    /// The subresource, for example `status` or `log`.
    pub subresource: Option<String>,
}

/// Takes a path apart. Percent-encoding is undone in each segment; an empty or undecodable segment is unknown.
pub fn parse(path: &str, kinds: &Kinds) -> Target {
    let Some(segments) = path.trim_matches('/').split('/').map(decode).collect::<Option<Vec<_>>>() else {
        return Target::Unknown;
    };
    let words: Vec<&str> = segments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["api"] => Target::Versions,
        ["apis"] => Target::Groups,
        ["api", version] => Target::Resources { group: String::new(), version: (*version).to_owned() },
        ["apis", group, version] => Target::Resources { group: (*group).to_owned(), version: (*version).to_owned() },
        ["api", version, rest @ ..] => object("", version, rest, kinds),
        ["apis", group, version, rest @ ..] => object(group, version, rest, kinds),
        _ => Target::Unknown,
    }
}

fn object(group: &str, version: &str, rest: &[&str], kinds: &Kinds) -> Target {
    let find = |plural: &str| {
        kinds.iter().find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
    };
    // `namespaces/x/status` is the status of a Namespace, `namespaces/x/pods` the pods in it.
    if let ["namespaces", namespace, plural, rest @ ..] = rest
        && let Some(kind) = find(plural).filter(|kind| kind.namespaced())
    {
        return target(kind, Some((*namespace).to_owned()), rest);
    }
    match rest {
        [plural, rest @ ..] => find(plural)
            .filter(|kind| rest.is_empty() || !kind.namespaced())
            .map_or(Target::Unknown, |kind| target(kind, None, rest)),
        [] => Target::Unknown,
    }
}

fn target(kind: &'static Kind, namespace: Option<String>, rest: &[&str]) -> Target {
    let (name, subresource) = match rest {
        [] => (None, None),
        [name] => (Some((*name).to_owned()), None),
        [name, subresource] => (Some((*name).to_owned()), Some((*subresource).to_owned())),
        _ => return Target::Unknown,
    };
    Target::Object(ObjectPath { kind, namespace, name, subresource })
}

fn decode(segment: &str) -> Option<String> {
    let text = percent_encoding::percent_decode_str(segment).decode_utf8().ok()?;
    (!text.is_empty() && !text.contains('/')).then(|| text.into_owned())
}

/// Takes a query string apart.
pub fn query(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_runtime::api::kinds;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        let found = match parse(path, &kinds::builtin()) {
            Target::Versions => "versions".to_owned(),
            Target::Groups => "groups".to_owned(),
            Target::Resources { group, version } => format!("resources {group}/{version}"),
            Target::Object(path) => format!(
                "{} ns={} name={} sub={}",
                path.kind.kind,
                path.namespace.as_deref().unwrap_or("-"),
                path.name.as_deref().unwrap_or("-"),
                path.subresource.as_deref().unwrap_or("-")
            ),
            Target::Unknown => "unknown".to_owned(),
        };
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn paths_are_taken_apart_as_kubernetes_does() {
        check("/api", "versions");
        check("/apis/apps/v1", "resources apps/v1");
        check("/api/v1/pods", "Pod ns=- name=- sub=-");
        check("/api/v1/namespaces/a/pods/b/log", "Pod ns=a name=b sub=log");
        check("/api/v1/namespaces/a", "Namespace ns=- name=a sub=-");
        check("/api/v1/namespaces/a/status", "Namespace ns=- name=a sub=status");
        check("/apis/apps/v1/namespaces/a/deployments", "Deployment ns=a name=- sub=-");
        check("/api/v1/pods/b", "unknown");
        check("/api/v1/namespaces/a/pods/b/log/x", "unknown");
        check("/api/v1//pods", "unknown");
        check("/api/v1/namespaces/a%2Fb/pods", "unknown");
    }

    #[test]
    fn a_query_keeps_slashes_spaces_and_empty_values() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            query("command=%2Fbin%2Fls&command=a+b&x=&labelSelector=app%3Dweb"),
            [pair("command", "/bin/ls"), pair("command", "a b"), pair("x", ""), pair("labelSelector", "app=web")]
        );
    }
}
