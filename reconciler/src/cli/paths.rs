//! The Kubernetes REST paths of kinds and objects.

use bowline_runtime::api::Kind;

/// Returns the path of a kind's collection: in one namespace, or over all when `namespace` is `None`.
pub fn collection(kind: &Kind, namespace: Option<&str>) -> String {
    let base = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    match namespace {
        Some(namespace) if kind.namespaced() => format!("{base}/namespaces/{}/{}", encode(namespace), kind.plural),
        _ => format!("{base}/{}", kind.plural),
    }
}

/// Returns the path of one object.
pub fn object(kind: &Kind, namespace: &str, name: &str) -> String {
    format!("{}/{}", collection(kind, Some(namespace)), encode(name))
}

/// Returns the name in `NAME` or `pod/NAME`, as `bowline get pods -o name` prints it.
pub fn pod(word: &str) -> &str {
    word.strip_prefix("pod/").or_else(|| word.strip_prefix("pods/")).unwrap_or(word)
}

/// Percent-encodes a path segment or query value (RFC 3986: everything but unreserved characters).
pub fn encode(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn a_query_value_keeps_only_unreserved_characters() {
        assert_eq!(encode("a b/c=d~é"), "a%20b%2Fc%3Dd~%C3%A9");
    }
}
