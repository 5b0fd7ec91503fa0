//! `.bowlineignore`: which files of a directory are no manifests.
//!
//! Responsible for: lines of globs (`*` within a name, `**` across directories, `?`, a trailing `/` for directories,
//! `#` comments). A pattern without `/` matches a name at any depth below its file; one with `/` is anchored to the
//! directory of its file.
//!
//! Must never: take more than quadratic time on a hostile pattern.

/// The patterns of one `.bowlineignore`.
#[derive(Clone, Debug, Default)]
pub(super) struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    segments: Vec<String>,
    anchored: bool,
    directories_only: bool,
}

/// Longest line that is taken as a pattern, in bytes; a path longer than Linux' `NAME_MAX` several times over is none.
const PATTERN_BYTES_MAX: usize = 1024;

impl Ignore {
    /// Parses the file; gives the line (from 1) and text of each pattern that is not understood.
    pub(super) fn parse(text: &str) -> (Self, Vec<(u32, String)>) {
        let (mut patterns, mut wrong) = (Vec::new(), Vec::new());
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match Pattern::parse(line) {
                Some(pattern) => patterns.push(pattern),
                None => wrong.push((number, line.chars().take(80).collect())),
            }
        }
        (Self { patterns }, wrong)
    }

    /// Returns whether a path, relative to the directory of the file, is left out.
    pub(super) fn matches(&self, path: &str, directory: bool) -> bool {
        let segments: Vec<&str> = path.split('/').collect();
        self.patterns.iter().any(|pattern| pattern.matches(&segments, directory))
    }
}

impl Pattern {
    fn parse(line: &str) -> Option<Self> {
        let directories_only = line.ends_with('/');
        let body = line.trim_end_matches('/');
        let anchored = body.contains('/');
        let segments: Vec<String> = body.trim_start_matches('/').split('/').map(str::to_owned).collect();
        let strange = line.starts_with('!') || line.contains(['[', ']', '\\']) || line.len() > PATTERN_BYTES_MAX;
        let broken = segments.iter().any(|part| part.is_empty() || part == "." || part == "..");
        (!strange && !broken).then_some(Self { segments, anchored, directories_only })
    }

    fn matches(&self, path: &[&str], directory: bool) -> bool {
        if self.directories_only && !directory {
            return false;
        }
        if self.anchored {
            return wild(&self.segments, path, |part| part == "**", |part, name| name_matches(part, name));
        }
        path.last().is_some_and(|name| name_matches(&self.segments[0], name))
    }
}

fn name_matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    wild(&pattern, &name, |sign| *sign == '*', |sign, letter| *sign == '?' || sign == letter)
}

/// Matches with one kind of wildcard by greedy retreat to the last wildcard: at most `pattern × subject` steps.
fn wild<P, S>(pattern: &[P], subject: &[S], any: impl Fn(&P) -> bool, one: impl Fn(&P, &S) -> bool) -> bool {
    let (mut p, mut s, mut retreat) = (0, 0, None);
    while s < subject.len() {
        if p < pattern.len() && any(&pattern[p]) {
            retreat = Some((p, s));
            p += 1;
        } else if p < pattern.len() && one(&pattern[p], &subject[s]) {
            p += 1;
            s += 1;
        } else if let Some((at, from)) = retreat {
            retreat = Some((at, from + 1));
            p = at + 1;
            s = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(case: &str, patterns: &str, path: &str, directory: bool, expected: bool) {
        let (ignore, wrong) = Ignore::parse(patterns);
        assert!(wrong.is_empty(), "{case}: {wrong:?}");
        assert_eq!(ignore.matches(path, directory), expected, "{case}");
    }

    #[test]
    fn patterns_leave_out_what_they_name() {
        check("a name at any depth", "values.yaml\n", "a/b/values.yaml", false, true);
        check("a star stays in a name", "*.json", "a/x.json", false, true);
        check("an anchored star does not cross", "a/*", "a/b/c", false, false);
        check("two stars cross", "a/**", "a/b/c", false, true);
        check("two stars in the middle", "a/**/c", "a/c", false, true);
        check("a directory only", "docs/", "docs", false, false);
        check("a directory", "docs/", "docs", true, true);
        check("a question mark is one character", "?.yaml", "ü.yaml", false, true);
        check("comments and blanks are no patterns", "# a\n\n  \r\n", "a", false, false);
        check("a leading slash anchors", "/a", "b/a", false, false);
        check("other names stay", "values.yaml", "values.yml", false, false);
    }

    #[test]
    fn patterns_that_are_not_understood_are_named_with_their_line() {
        let (_, wrong) = Ignore::parse("ok\n!no\n[ab]\n../x\n");
        assert_eq!(wrong, [(2, "!no".to_owned()), (3, "[ab]".to_owned()), (4, "../x".to_owned())]);
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let (ignore, _) = Ignore::parse(&format!("{}b", "*a".repeat(200)));
        assert!(!ignore.matches(&"a".repeat(5000), false));
    }
}
