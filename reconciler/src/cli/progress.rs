//! What people see while Applications change: a live block on a terminal, a line for each change elsewhere.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use bowline_runtime::api::Object as _;
use bowline_runtime::api::kinds::{Application, ApplicationStatus};

use super::output::{self, Tone};

/// The least time between looks at all Applications while they change: one for each change would cost more than the
/// change.
pub const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where an Application stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The newest commit is applied and every object is healthy.
    Healthy,
    /// Something is on its way.
    Progressing(String),
    /// The newest commit was rejected.
    Rejected(String),
    /// A person has to agree first.
    Held(String),
    /// A person suspended it.
    Suspended,
}

impl Verdict {
    /// Whether waiting longer may change the verdict by itself.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Progressing(_))
    }
    /// Whether the Application is as it should be.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Healthy | Self::Suspended)
    }
    fn word(&self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Progressing(_) => "progressing",
            Self::Rejected(_) => "rejected",
            Self::Held(_) => "held",
            Self::Suspended => "suspended",
        }
    }
    fn tone(&self) -> Tone {
        match self {
            Self::Healthy => Tone::Good,
            Self::Progressing(_) | Self::Held(_) | Self::Suspended => Tone::Warn,
            Self::Rejected(_) => Tone::Bad,
        }
    }
    fn message(&self) -> &str {
        match self {
            Self::Healthy | Self::Suspended => "",
            Self::Progressing(message) | Self::Rejected(message) | Self::Held(message) => message,
        }
    }
}

/// Returns the verdict on an Application; `commit` is the newest one of its source, where it is known.
pub fn verdict(application: &Application, commit: Option<&str>) -> Verdict {
    let none = ApplicationStatus::default();
    let status = application.status.as_ref().unwrap_or(&none);
    if application.spec.suspend == Some(true) {
        return Verdict::Suspended;
    }
    let revision = status.revision.clone().unwrap_or_default();
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    let message = ready.and_then(|condition| condition.message.clone()).unwrap_or_else(|| "not looked at yet".into());
    if status.observed_generation != application.meta().generation {
        return Verdict::Progressing("its latest change has not been looked at yet".into());
    }
    if commit.is_some() && revision.seen.as_deref() != commit {
        return Verdict::Progressing("the newest commit has not been looked at yet".into());
    }
    if let Some(held) = &status.held {
        return Verdict::Held(held.message.clone().unwrap_or_default());
    }
    if let Some(rejected) =
        revision.rejected.as_ref().filter(|rejected| Some(&rejected.commit) == revision.seen.as_ref())
    {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        if let Some(healthy) = revision.healthy.as_deref().filter(|_| revision.healthy != revision.applied) {
            let (reason, message) = (text(&rejected.reason), text(&rejected.message));
            return Verdict::Progressing(format!("going back to {}: {reason}: {message}", short(healthy)));
        }
        return Verdict::Rejected(format!("{}: {}", text(&rejected.reason), text(&rejected.message)));
    }
    if ready.is_some_and(|condition| condition.status == "True") && revision.healthy == revision.seen {
        return Verdict::Healthy;
    }
    if ready.is_some_and(|condition| condition.status == "True") {
        return Verdict::Progressing("the newest commit is being looked at".into());
    }
    Verdict::Progressing(message)
}

/// Returns the first seven digits of a commit.
pub fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

/// What is shown of an Application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    namespace: String,
    name: String,
    commit: String,
    /// Where it stands.
    pub verdict: Verdict,
}

impl Row {
    /// Makes the row of an Application; `commit` is the newest one of its source, where it is known.
    pub fn new(application: &Application, commit: Option<&str>) -> Self {
        let seen = application.status.as_ref().and_then(|status| status.revision.as_ref()?.seen.as_deref());
        Self {
            namespace: application.meta().namespace.clone().unwrap_or_default(),
            name: application.meta().name.clone(),
            commit: seen.map_or("-", short).to_owned(),
            verdict: verdict(application, commit),
        }
    }

    /// Returns its line: name, verdict, commit, message.
    pub fn line(&self, width: usize) -> String {
        let Self { name, commit, verdict, .. } = self;
        let word = output::tone(verdict.tone(), &format!("{:<11}", verdict.word()));
        let text = format!("{name:<width$}  {word}  {commit:<7}  {}", output::printable(verdict.message()));
        text.trim_end().to_owned()
    }
}

/// Shows verdicts as they change.
#[derive(Debug, Default)]
pub struct Progress {
    shown: BTreeMap<(String, String), Row>,
    lines: usize,
}

impl Progress {
    /// Shows the present state of all Applications; prints only what changed when standard output is no terminal.
    pub fn show(&mut self, rows: &[Row]) {
        let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        match std::io::stdout().is_terminal().then(terminal_size) {
            Some((columns, lines)) => self.redraw(&block(rows, width, lines), columns),
            None => self.print_changes(rows, width),
        }
    }

    fn redraw(&mut self, block: &[String], columns: usize) {
        let mut out = std::io::stdout().lock();
        if self.lines > 0 {
            // Up to the block's first line, and clear from there on.
            let _unwritable = write!(out, "\x1b[{}A\x1b[J", self.lines);
        }
        for text in block {
            let _unwritable = writeln!(out, "{}", cut(text, columns));
        }
        self.lines = block.len();
    }

    fn print_changes(&mut self, rows: &[Row], width: usize) {
        let mut out = std::io::stdout().lock();
        for row in rows {
            let key = (row.namespace.clone(), row.name.clone());
            if self.shown.get(&key) != Some(row) {
                let _unwritable = writeln!(out, "{}", row.line(width));
                self.shown.insert(key, row.clone());
            }
        }
    }
}

/// Returns the lines of a block that fits a terminal of `lines_max` lines: all Applications, or those that are not
/// healthy and how many more there are.
fn block(rows: &[Row], width: usize, lines_max: usize) -> Vec<String> {
    // The cursor stands on the line below the block.
    let room = lines_max.saturating_sub(1).max(2);
    if rows.len() <= room {
        return rows.iter().map(|row| row.line(width)).collect();
    }
    let (good, other): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.verdict.is_good());
    let mut lines: Vec<String> = other.iter().take(room - 1).map(|row| row.line(width)).collect();
    let more = other.len() - lines.len();
    let rest = if more > 0 { format!(", {more} more not yet") } else { String::new() };
    lines.push(format!("{} of {} applications are healthy{rest}", good.len(), rows.len()));
    lines
}

/// Cuts a line to a terminal's width so that it does not wrap: the block above must keep its height.
fn cut(text: &str, columns: usize) -> String {
    let mut out = String::new();
    let (mut shown, mut in_code) = (0, false);
    for c in text.chars() {
        // Colour codes take no room on the screen, and those behind the cut still count.
        in_code |= c == '\x1b';
        if in_code || shown < columns {
            out.push(c);
        }
        shown += usize::from(!in_code);
        in_code &= c != 'm';
    }
    out
}

/// Returns columns and lines.
fn terminal_size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(case: &str, status: serde_json::Value, commit: Option<&str>, expected: &str) {
        let value = json!({"metadata": {"name": "web", "generation": 1}, "spec": {"source": {"name": "config"}},
            "status": status});
        let application: Application = serde_json::from_value(value).expect("an Application");
        let verdict = verdict(&application, commit);
        assert_eq!(format!("{} {}", verdict.word(), verdict.message()).trim_end(), expected, "{case}");
    }

    #[test]
    fn a_line_is_cut_to_what_the_terminal_shows() {
        assert_eq!(cut("web  \x1b[32mhealthy\x1b[0m  d18b394", 8), "web  \x1b[32mhea\x1b[0m");
        assert_eq!(cut("web  healthy", 80), "web  healthy");
    }

    #[test]
    fn a_block_fits_the_terminal() {
        let row = |index: usize| Row {
            namespace: "bowline-system".into(),
            name: format!("a{index}"),
            commit: "d18b394".into(),
            verdict: if index < 6 { Verdict::Progressing("soon".into()) } else { Verdict::Healthy },
        };
        let rows: Vec<Row> = (0..10).map(row).collect();
        assert_eq!(block(&rows, 2, 11).len(), 10);
        let lines = block(&rows, 2, 10);
        assert_eq!((lines.len(), lines[6].as_str()), (7, "4 of 10 applications are healthy"));
        let lines = block(&rows, 2, 5);
        assert_eq!((lines.len(), lines[3].as_str()), (4, "4 of 10 applications are healthy, 3 more not yet"));
    }

    #[test]
    fn the_verdict_is_about_the_newest_commit() {
        let ready = json!([{"type": "Ready", "status": "True"}]);
        let healthy = json!({"observedGeneration": 1, "conditions": ready, "revision": {"seen": "a", "healthy": "a"}});
        check("new", json!({}), None, "progressing its latest change has not been looked at yet");
        check("healthy", healthy.clone(), Some("a"), "healthy");
        check("newer commit", healthy, Some("b"), "progressing the newest commit has not been looked at yet");
        let rejected = json!({"observedGeneration": 1, "conditions": ready,
            "revision": {"seen": "b", "healthy": "a", "applied": "a", "rejected": {"commit": "b", "reason": "RenderFailed", "message": "x.yaml:1"}}});
        check("rejected", rejected, None, "rejected RenderFailed: x.yaml:1");
    }
}
