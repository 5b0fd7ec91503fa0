//! The forms that names, keys and values must have, with Kubernetes' messages.
//!
//! Pure functions of a text; each returns what is wrong, or nothing. The wording is that of
//! `k8s.io/apimachinery/pkg/util/validation`.

use super::schema::Format;

const LABEL_MAX: usize = 63;
const SUBDOMAIN_MAX: usize = 253;
const PORT_NAME_MAX: usize = 15;

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an \
    alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end \
    with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const NAME_PART: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character \
    (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end \
    with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or \
    'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const ENV_NAME: &str =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";

/// Returns what keeps `text` from having this format; nothing if it has.
pub fn check(format: Format, text: &str) -> Vec<String> {
    match format {
        Format::Any => Vec::new(),
        Format::DnsLabel => dns_label(text),
        Format::DnsSubdomain => dns_subdomain(text),
        Format::QualifiedName => qualified_name(text),
        Format::LabelValue => label_value(text),
        Format::ConfigKey => config_key(text),
        Format::EnvName => env_name(text),
        Format::PortName => port_name(text),
        Format::AbsolutePath => absolute_path(text),
    }
}

fn max_len(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

/// Whether all bytes are of the inner set, and the first and last of the outer one.
fn enclosed(text: &str, outer: fn(u8) -> bool, inner: &[u8]) -> bool {
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if outer(*first) && outer(*last))
        && bytes.iter().all(|byte| outer(*byte) || inner.contains(byte))
}

fn lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Checks an RFC 1123 label.
pub fn dns_label(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > LABEL_MAX {
        errors.push(max_len(LABEL_MAX));
    }
    if !enclosed(text, lower, b"-") {
        errors.push(LABEL.to_owned());
    }
    errors
}

/// Checks an RFC 1123 subdomain.
pub fn dns_subdomain(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > SUBDOMAIN_MAX {
        errors.push(max_len(SUBDOMAIN_MAX));
    }
    if !text.split('.').all(|label| enclosed(label, lower, b"-")) {
        errors.push(SUBDOMAIN.to_owned());
    }
    errors
}

/// Checks a key of a label or annotation: a name with an optional DNS prefix.
pub fn qualified_name(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let mut parts = text.split('/');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    if parts.next().is_some() {
        return vec![format!(
            "a qualified name {NAME_PART} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        )];
    }
    let name = second.unwrap_or(first);
    if second.is_some() {
        if first.is_empty() {
            errors.push("prefix part must be non-empty".to_owned());
        } else {
            errors.extend(dns_subdomain(first).into_iter().map(|error| format!("prefix part {error}")));
        }
    }
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX {
        errors.push(format!("name part {}", max_len(LABEL_MAX)));
    }
    if !enclosed(name, alphanumeric, b"-_.") {
        errors.push(format!("name part {NAME_PART}"));
    }
    errors
}

/// Checks a label's value.
pub fn label_value(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > LABEL_MAX {
        errors.push(max_len(LABEL_MAX));
    }
    if !text.is_empty() && !enclosed(text, alphanumeric, b"-_.") {
        errors.push(LABEL_VALUE.to_owned());
    }
    errors
}

/// Checks a key of a ConfigMap or Secret; it becomes a file's name.
pub fn config_key(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > SUBDOMAIN_MAX {
        errors.push(max_len(SUBDOMAIN_MAX));
    }
    if text.is_empty() || !text.bytes().all(|byte| alphanumeric(byte) || b"-._".contains(&byte)) {
        errors.push(CONFIG_KEY.to_owned());
    }
    match text {
        "." => errors.push("must not be '.'".to_owned()),
        ".." => errors.push("must not be '..'".to_owned()),
        _ if text.starts_with("..") => errors.push("must not start with '..'".to_owned()),
        _ => {}
    }
    errors
}

/// Checks the name of an environment variable.
pub fn env_name(text: &str) -> Vec<String> {
    let fine = !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=');
    if fine { Vec::new() } else { vec![ENV_NAME.to_owned()] }
}

/// Checks the name of a port.
pub fn port_name(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > PORT_NAME_MAX {
        errors.push(max_len(PORT_NAME_MAX));
    }
    if text.is_empty() || !text.bytes().all(|byte| lower(byte) || byte == b'-') {
        errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        errors.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_owned());
    }
    errors
}

fn absolute_path(text: &str) -> Vec<String> {
    if text.starts_with('/') { Vec::new() } else { vec!["must be an absolute path".to_owned()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_all(format: Format, good: &[&str], bad: &[(&str, &str)]) {
        for text in good {
            assert_eq!(check(format, text), Vec::<String>::new(), "{text}");
        }
        for (text, part) in bad {
            let errors = check(format, text);
            assert!(errors.iter().any(|error| error.contains(part)), "{text}: {errors:?} without {part:?}");
        }
    }

    #[test]
    fn names_have_the_forms_of_kubernetes() {
        let long = "a".repeat(64);
        check_all(
            Format::DnsLabel,
            &["a", "0", "my-name", "123-abc"],
            &[("", "label"), ("-a", "label"), ("a.b", "label"), ("A", "label"), (&long, "63")],
        );
        check_all(
            Format::DnsSubdomain,
            &["a", "a.b-c.0"],
            &[("", "subdomain"), ("a..b", "subdomain"), ("a.-b", "subdomain"), (&"a".repeat(254), "253")],
        );
        check_all(
            Format::QualifiedName,
            &["app", "app.kubernetes.io/name", "A_b.c", "kubernetes.io/metadata.name"],
            &[
                ("", "name part must be non-empty"),
                ("/a", "prefix part must be non-empty"),
                ("a/", "name part"),
                ("a/b/c", "a qualified name"),
                ("A/b", "prefix part a lowercase"),
            ],
        );
        check_all(
            Format::LabelValue,
            &["", "a", "My_Value.1"],
            &[("-a", "a valid label"), ("a b", "a valid label"), (&long, "63")],
        );
        check_all(
            Format::ConfigKey,
            &["a", ".hidden", "A_b-c.d"],
            &[("", "config key"), (".", "'.'"), ("..", "'..'"), ("..a", "start with"), ("a/b", "config key")],
        );
        check_all(
            Format::EnvName,
            &["A", "a.b-c", "1", "with space"],
            &[("", "printable"), ("A=B", "printable"), ("ä", "printable")],
        );
        check_all(
            Format::PortName,
            &["http", "p-1"],
            &[("1", "letter"), ("a--b", "consecutive"), ("-a", "begin"), ("much-too-long-name", "15"), ("A", "only")],
        );
        check_all(Format::AbsolutePath, &["/", "/a"], &[("a", "absolute")]);
    }
}
