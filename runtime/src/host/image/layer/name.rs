//! Names of entries: taken apart and checked before anything is opened.

use super::UnpackError;

/// Longest path that Linux accepts in one call.
pub(super) const PATH_MAX: usize = 4096;
const COMPONENT_MAX: usize = 255;
/// Deepest directory: well above any real image, and far below what walking costs too much for.
const DEPTH_MAX: usize = 256;

/// A path below the layer's root: components without `.`, `..`, `/` and NUL. Empty for the root itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LayerPath(Vec<u8>);

/// What the last component of a name asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// An ordinary entry.
    No,
    /// The entry of this name in lower layers disappears.
    Whiteout(LayerPath),
    /// Everything in this directory of lower layers disappears.
    Opaque(LayerPath),
    /// Bookkeeping of aufs, without meaning elsewhere.
    Ignored,
}

impl LayerPath {
    /// Checks and normalises `name`; `what` is `name` or `link target`.
    pub(super) fn parse(entry: &[u8], name: &[u8], what: &str) -> Result<Self, UnpackError> {
        let refuse = |problem: &str| Err(UnpackError::bad(entry, format!("has {what} that {problem}")));
        if name.is_empty() {
            return refuse("is empty");
        }
        if name[0] == b'/' {
            return refuse("is absolute");
        }
        if name.len() >= PATH_MAX {
            return refuse("is longer than 4095 bytes");
        }
        if name.contains(&0) {
            return refuse("contains a NUL byte");
        }
        let mut path = Vec::with_capacity(name.len());
        let mut depth = 0;
        for component in name.split(|b| *b == b'/') {
            match component {
                b"" | b"." => continue,
                b".." => return refuse("contains `..`"),
                long if long.len() > COMPONENT_MAX => {
                    return refuse("has a component of more than 255 bytes");
                }
                _ => {}
            }
            depth += 1;
            if depth > DEPTH_MAX {
                return refuse("is nested deeper than 256 directories");
            }
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(component);
        }
        Ok(Self(path))
    }

    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the directory and the last component; `None` for the root.
    pub(super) fn split(&self) -> Option<(Self, &[u8])> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.iter().rposition(|b| *b == b'/') {
            Some(at) => (Self(self.0[..at].to_vec()), &self.0[at + 1..]),
            None => (Self(Vec::new()), &self.0),
        })
    }

    /// Tells what the name means beyond itself (OCI image specification, "Whiteouts").
    pub(super) fn special(&self) -> Result<Special, UnpackError> {
        let Some((parent, last)) = self.split() else {
            return Ok(Special::No);
        };
        if last == b".wh..wh..opq" {
            return Ok(Special::Opaque(parent));
        }
        let Some(hidden) = last.strip_prefix(b".wh.") else {
            return Ok(Special::No);
        };
        if hidden.starts_with(b".wh.") {
            return Ok(Special::Ignored);
        }
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(UnpackError::bad(&self.0, "is a whiteout of nothing"));
        }
        let mut path = parent.0;
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(hidden);
        Ok(Special::Whiteout(Self(path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        let found = match LayerPath::parse(name.as_bytes(), name.as_bytes(), "a name") {
            Ok(path) => format!("{:?} {}", path.special(), String::from_utf8_lossy(&path.0)),
            Err(error) => error.to_string(),
        };
        let found = found.replace("Ok(", "").replace("LayerPath", "");
        assert!(found.contains(expected), "{name}: {found}");
    }

    #[test]
    fn names_stay_below_the_root_or_are_refused() {
        check("usr/bin/env", "No) usr/bin/env");
        check("./usr//bin/./env", "No) usr/bin/env");
        check("./", "No) ");
        check("/etc/passwd", "has a name that is absolute");
        check("../x", "contains `..`");
        check("a/../../x", "contains `..`");
        check("a/..", "contains `..`");
        check("", "is empty");
        check("a\0b", "contains a NUL byte");
        check(&"x".repeat(256), "more than 255 bytes");
        check(&"x/".repeat(300), "nested deeper");
        check(&"xxxxxxxx/".repeat(500), "longer than 4095 bytes");
    }

    #[test]
    fn whiteout_names_are_recognised() {
        check("etc/.wh.motd", "Whiteout");
        check("etc/.wh..wh..opq", "Opaque");
        check(".wh..wh..opq", "Opaque");
        check(".wh..wh.plnk", "Ignored");
        check("a/.wh...", "is a whiteout of nothing");
        check("a/.wh.", "is a whiteout of nothing");
        check(".whatever", "No) .whatever");
    }
}
