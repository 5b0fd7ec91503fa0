//! Where each value of a manifest stands in its file.
//!
//! Responsible for: a compact map from JSON pointer to line, and the way from a Kubernetes field path to a line.
//!
//! Must never: fail. A path that does not exist gives the line of its nearest existing parent.

/// The lines of the values of one manifest.
///
/// Pointers are kept as 64-bit hashes (sixteen bytes a value): two that collide cost a wrong line in a message, nothing
/// else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    lines: Vec<(u64, u32)>,
}

/// The hash of the pointer to the document itself (the offset basis of 64-bit FNV-1a).
const ROOT: u64 = 0xcbf2_9ce4_8422_2325;

/// A pointer under construction.
#[derive(Clone, Copy)]
pub(super) struct Pointer(u64);

impl Pointer {
    pub(super) const DOCUMENT: Self = Self(ROOT);

    /// Returns the pointer to a member or item.
    pub(super) fn child(self, token: &str) -> Self {
        // Tokens cannot contain the separator in escaped form, and 0xff never occurs in UTF-8, so it may separate.
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(token.bytes().fold(step(self.0, 0xff), step))
    }
}

impl Positions {
    /// Makes the map from pairs in any order.
    pub(super) fn new(mut lines: Vec<(Pointer, u32)>) -> Self {
        lines.sort_by_key(|(pointer, _)| pointer.0);
        Self { lines: lines.into_iter().map(|(pointer, line)| (pointer.0, line)).collect() }
    }

    fn get(&self, pointer: Pointer) -> Option<u32> {
        let found = self.lines.binary_search_by_key(&pointer.0, |(hash, _)| *hash).ok()?;
        Some(self.lines[found].1)
    }

    /// Returns the line, counted from 1, of the value a JSON pointer (RFC 6901) names.
    pub fn line(&self, pointer: &str) -> Option<u32> {
        let tokens = pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~"));
        self.get(tokens.fold(Pointer::DOCUMENT, |pointer, token| pointer.child(&token)))
    }

    /// Returns the line of the value a Kubernetes field path names (`spec.containers[0].image`,
    /// `data[my.key]`), or of its nearest parent that has one.
    pub fn line_of(&self, field_path: &str) -> Option<u32> {
        let mut pointer = Pointer::DOCUMENT;
        let mut line = self.get(pointer);
        for token in tokens(field_path) {
            pointer = pointer.child(token);
            match self.get(pointer) {
                Some(found) => line = Some(found),
                None => break,
            }
        }
        line
    }
}

/// Splits a field path: `a.b[0][x.y].c` into `a`, `b`, `0`, `x.y`, `c`.
fn tokens(field_path: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = field_path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').unwrap_or(inner.len());
            tokens.push(inner[..end].trim_matches('"'));
            rest = inner.get(end + 1..).unwrap_or("");
        } else {
            let rest_name = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest_name.find(['.', '[']).unwrap_or(rest_name.len());
            if end > 0 {
                tokens.push(&rest_name[..end]);
            }
            rest = &rest_name[end..];
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(case: &str, path: &str, expected: &[&str]) {
        assert_eq!(tokens(path), expected, "{case}");
    }

    #[test]
    fn field_paths_split_into_tokens() {
        check("members", "spec.replicas", &["spec", "replicas"]);
        check("items", "spec.containers[0].image", &["spec", "containers", "0", "image"]);
        check("keys with points", "metadata.annotations[a.b/c]", &["metadata", "annotations", "a.b/c"]);
        check("quoted keys", "data[\"x\"]", &["data", "x"]);
        check("unfinished", "a[", &["a", ""]);
        check("empty", "", &[]);
        check("points only", "..", &[]);
    }
}
