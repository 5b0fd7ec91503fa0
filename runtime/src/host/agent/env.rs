//! The environment, command and arguments of a container, exactly as the kubelet builds them.
//!
//! `envFrom` first, then `env` in order; later names win; `$(NAME)` refers to what is already defined, `$$(NAME)` is
//! left as `$(NAME)`, and a reference to nothing stays as written (`third_party/forked/golang/expansion`).

use std::collections::BTreeMap;

use crate::api::Quantity;
use crate::api::kinds::{ConfigMap, Container, EnvVarSource, Pod, Secret};
use crate::store::Snapshot;

/// Why an environment cannot be built: a reference leads nowhere. The pod waits until it does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// A ConfigMap or Secret does not exist.
    #[error("{kind} \"{name}\" not found")]
    NoObject {
        /// `configmap` or `secret`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// It exists and lacks the key.
    #[error("couldn't find key {key} in {kind} {namespace}/{name}")]
    NoKey {
        /// `ConfigMap` or `Secret`.
        kind: &'static str,
        /// The namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
    /// A field or resource that is not served this way.
    #[error(
        "environment variable `{variable}`: `{path}` cannot be read from the pod; see the list of fields in the documentation of `fieldRef`"
    )]
    NoField {
        /// The variable.
        variable: String,
        /// The path.
        path: String,
    },
}

/// What an environment is built from.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// The ConfigMaps and Secrets.
    pub snapshot: &'a Snapshot,
    /// The node's address, for `status.hostIP`.
    pub host_ip: &'a str,
    /// The node's capacity in millicores and bytes, for limits that are not set.
    pub capacity: (i64, i64),
}

/// Returns the variables of a container in the order in which they were defined, on top of the image's own.
///
/// # Errors
/// [`EnvError`] for the first reference that leads nowhere and is not optional.
pub fn environment(
    container: &Container,
    image: &[String],
    facts: &Facts<'_>,
) -> Result<Vec<(String, String)>, EnvError> {
    let mut result = Variables::default();
    for entry in image {
        let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
        result.set(name, value.to_owned());
    }
    result.set("HOSTNAME", hostname(facts.pod));
    // References see what the pod defines, not what the image brings.
    let mut defined = BTreeMap::new();
    for source in &container.env_from {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let data = match (&source.config_map_ref, &source.secret_ref) {
            (Some(reference), _) => {
                config_map(facts, reference.name.as_deref(), reference.optional)?.map(|map| map.data.clone())
            }
            (_, Some(reference)) => secret(facts, reference.name.as_deref(), reference.optional)?.map(|secret| {
                secret
                    .data
                    .iter()
                    .map(|(key, bytes)| (key.clone(), String::from_utf8_lossy(&bytes.0).into_owned()))
                    .collect()
            }),
            _ => None,
        };
        for (key, value) in data.unwrap_or_default() {
            let name = format!("{prefix}{key}");
            defined.insert(name.clone(), value.clone());
            result.set(&name, value);
        }
    }
    for variable in &container.env {
        let value = match &variable.value_from {
            None => Some(expand(variable.value.as_deref().unwrap_or_default(), &defined)),
            Some(source) => value_from(&variable.name, source, container, facts)?,
        };
        if let Some(value) = value {
            defined.insert(variable.name.clone(), value.clone());
            result.set(&variable.name, value);
        }
    }
    Ok(result.0)
}

/// Returns program and arguments: `command` replaces the image's entrypoint and its arguments, `args` the latter.
pub fn command(container: &Container, entrypoint: &[String], cmd: &[String], env: &[(String, String)]) -> Vec<String> {
    let defined: BTreeMap<String, String> = env.iter().cloned().collect();
    let expanded = |words: &[String]| words.iter().map(|word| expand(word, &defined)).collect::<Vec<_>>();
    let program = if container.command.is_empty() { entrypoint.to_vec() } else { expanded(&container.command) };
    let arguments = if !container.args.is_empty() {
        expanded(&container.args)
    } else if container.command.is_empty() {
        cmd.to_vec()
    } else {
        Vec::new()
    };
    [program, arguments].concat()
}

/// Returns the host name of a pod: `spec.hostname`, else its name, cut to 63 characters.
pub fn hostname(pod: &Pod) -> String {
    let name = pod.spec.hostname.as_deref().unwrap_or(&pod.metadata.name);
    name.get(..63).unwrap_or(name).trim_end_matches(['-', '.']).to_owned()
}

#[derive(Default)]
struct Variables(Vec<(String, String)>);

impl Variables {
    fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

fn namespace<'a>(facts: &Facts<'a>) -> &'a str {
    facts.pod.metadata.namespace.as_deref().unwrap_or_default()
}

fn config_map(
    facts: &Facts<'_>,
    name: Option<&str>,
    optional: Option<bool>,
) -> Result<Option<std::sync::Arc<ConfigMap>>, EnvError> {
    let name = name.unwrap_or_default();
    let found = facts.snapshot.typed_get::<ConfigMap>(namespace(facts), name);
    missing(found, "configmap", name, optional)
}

fn secret(
    facts: &Facts<'_>,
    name: Option<&str>,
    optional: Option<bool>,
) -> Result<Option<std::sync::Arc<Secret>>, EnvError> {
    let name = name.unwrap_or_default();
    let found = facts.snapshot.typed_get::<Secret>(namespace(facts), name);
    missing(found, "secret", name, optional)
}

fn missing<T>(found: Option<T>, kind: &'static str, name: &str, optional: Option<bool>) -> Result<Option<T>, EnvError> {
    match found {
        None if optional != Some(true) => Err(EnvError::NoObject { kind, name: name.to_owned() }),
        found => Ok(found),
    }
}

fn value_from(
    variable: &str,
    source: &EnvVarSource,
    container: &Container,
    facts: &Facts<'_>,
) -> Result<Option<String>, EnvError> {
    if let Some(reference) = &source.config_map_key_ref {
        let map = config_map(facts, reference.name.as_deref(), reference.optional)?;
        let value = map.as_ref().and_then(|map| map.data.get(&reference.key).cloned());
        let absent = (map.is_some(), "ConfigMap", reference.name.as_deref(), reference.key.as_str());
        return key_found(value, absent, reference.optional, facts);
    }
    if let Some(reference) = &source.secret_key_ref {
        let secret = secret(facts, reference.name.as_deref(), reference.optional)?;
        let bytes = secret.as_ref().and_then(|secret| secret.data.get(&reference.key));
        let value = bytes.map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned());
        let absent = (secret.is_some(), "Secret", reference.name.as_deref(), reference.key.as_str());
        return key_found(value, absent, reference.optional, facts);
    }
    let unreadable = |path: &str| EnvError::NoField { variable: variable.to_owned(), path: path.to_owned() };
    if let Some(reference) = &source.field_ref {
        return field(&reference.field_path, facts).map(Some).ok_or_else(|| unreadable(&reference.field_path));
    }
    if let Some(reference) = &source.resource_field_ref {
        let of = reference.container_name.as_deref();
        let chosen =
            of.map_or(Some(container), |name| facts.pod.spec.containers.iter().find(|other| other.name == name));
        let value =
            chosen.and_then(|chosen| resource(chosen, &reference.resource, reference.divisor.as_ref(), facts.capacity));
        return value.map(Some).ok_or_else(|| unreadable(&reference.resource));
    }
    Err(unreadable("fileKeyRef"))
}

fn key_found(
    value: Option<String>,
    (exists, kind, name, key): (bool, &'static str, Option<&str>, &str),
    optional: Option<bool>,
    facts: &Facts<'_>,
) -> Result<Option<String>, EnvError> {
    if value.is_none() && exists && optional != Some(true) {
        let name = name.unwrap_or_default().to_owned();
        return Err(EnvError::NoKey { kind, namespace: namespace(facts).to_owned(), name, key: key.to_owned() });
    }
    Ok(value)
}

/// Reads a field of the pod as the downward API does.
fn field(path: &str, facts: &Facts<'_>) -> Option<String> {
    let pod = facts.pod;
    let meta = &pod.metadata;
    let host = || facts.host_ip.to_owned();
    let keyed = |prefix: &str, map: &BTreeMap<String, String>| {
        let key = path.strip_prefix(prefix)?.strip_suffix("']")?;
        Some(map.get(key).cloned().unwrap_or_default())
    };
    match path {
        "metadata.name" => Some(meta.name.clone()),
        "metadata.namespace" => meta.namespace.clone(),
        "metadata.uid" => meta.uid.clone(),
        "spec.nodeName" => pod.spec.node_name.clone(),
        "spec.serviceAccountName" => Some(pod.spec.service_account_name.clone().unwrap_or_else(|| "default".into())),
        "status.hostIP" | "status.hostIPs" => Some(host()),
        "status.podIP" | "status.podIPs" => {
            Some(if pod.spec.host_network == Some(true) { host() } else { String::new() })
        }
        _ => keyed("metadata.labels['", &meta.labels).or_else(|| keyed("metadata.annotations['", &meta.annotations)),
    }
}

/// Reads a limit or request, divided and rounded up; an unset limit is the node's capacity.
fn resource(container: &Container, name: &str, divisor: Option<&Quantity>, capacity: (i64, i64)) -> Option<String> {
    let resources = container.resources.clone().unwrap_or_default();
    let (list, what) = name.split_once('.')?;
    let found = match list {
        "limits" => resources.limits.get(what),
        "requests" => resources.requests.get(what),
        _ => return None,
    };
    let cpu = what == "cpu";
    let value = match (found, list) {
        (Some(quantity), _) => {
            if cpu {
                quantity.milli()
            } else {
                quantity.bytes()
            }
        }
        (None, "limits") => {
            if cpu {
                capacity.0
            } else {
                capacity.1
            }
        }
        (None, _) => 0,
    };
    let unit = divisor.filter(|divisor| !divisor.is_zero());
    let unit = match (unit, cpu) {
        (Some(unit), true) => unit.milli(),
        (Some(unit), false) => unit.bytes(),
        (None, true) => 1000,
        (None, false) => 1,
    };
    Some((value.saturating_add(unit - 1) / unit.max(1)).to_string())
}

/// Replaces `$(NAME)` by its value.
fn expand(text: &str, defined: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(escaped) = after.strip_prefix('$') {
            out.push('$');
            rest = escaped;
        } else if let Some((name, tail)) = after.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match defined.get(name) {
                Some(value) => out.push_str(value),
                None => out.push_str(&rest[at..at + name.len() + 3]),
            }
            rest = tail;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_as_the_kubelet_does() {
        let defined = BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())]);
        for (text, expected) in [
            ("x$(A)y", "x1y"),
            ("$(B)", "$(A)"),
            ("$$(A)", "$(A)"),
            ("$(NONE)", "$(NONE)"),
            ("$A $", "$A $"),
            ("$(A", "$(A"),
            ("$$$(A)", "$1"),
        ] {
            assert_eq!(expand(text, &defined), expected, "{text}");
        }
    }

    #[test]
    fn command_replaces_the_entrypoint_and_drops_its_arguments() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let check = |command: &str, args: &str, expected: &str| {
            let container = Container { command: words(command), args: words(args), ..Container::default() };
            assert_eq!(super::command(&container, &words("entry"), &words("one two"), &[]), words(expected));
        };
        check("", "", "entry one two");
        check("prog", "", "prog");
        check("", "x", "entry x");
        check("prog", "x", "prog x");
    }
}
