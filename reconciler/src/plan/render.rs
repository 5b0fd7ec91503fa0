//! A plan as text for people.

use std::fmt::Write as _;

use super::{Plan, Verb};

/// How many lines of one object's changes are shown.
const LINES_MAX: usize = 40;

/// Writes a plan: a line an object, its changed fields below it, a summary at the end.
pub fn human(plan: &Plan) -> String {
    let mut out = String::new();
    for step in &plan.steps {
        let sign = match step.verb {
            Verb::Create => "+",
            Verb::Delete => "-",
            Verb::Replace => "±",
            Verb::Update | Verb::Adopt | Verb::Move | Verb::Release => "~",
        };
        let note = match step.verb {
            Verb::Replace => " (deleted and made anew)",
            Verb::Adopt => " (exists already, will belong to this application)",
            Verb::Move => " (comes from another application)",
            Verb::Release => " (stays, belongs to no application any more)",
            _ => "",
        };
        let slash = if step.namespace.is_empty() { "" } else { "/" };
        let place = if step.place.is_empty() { String::new() } else { format!("  {}", step.place) };
        let head = format!("{sign} {} {}{slash}{}", step.kind, step.namespace, step.name);
        writeln!(out, "{head}{note}{place}").expect("invariant: writing to a string succeeds");
        if matches!(step.verb, Verb::Update | Verb::Replace | Verb::Move | Verb::Adopt) {
            changes(&mut out, step.changes.iter());
        }
    }
    summary(&mut out, plan);
    out
}

fn changes<'a>(out: &mut String, changes: impl ExactSizeIterator<Item = &'a super::Change>) {
    let more = changes.len().saturating_sub(LINES_MAX);
    for change in changes.take(LINES_MAX) {
        let line = match (&change.old, &change.new) {
            (Some(_), Some(_)) if change.sensitive => format!("{}: changed (sensitive)", change.path),
            (Some(old), Some(new)) => format!("{}: {} -> {}", change.path, short(old), short(new)),
            (None, Some(new)) => format!("{}: {} (new)", change.path, short(new)),
            (Some(old), None) => format!("{}: {} (removed)", change.path, short(old)),
            (None, None) => change.path.clone(),
        };
        writeln!(out, "    {line}").expect("invariant: writing to a string succeeds");
    }
    if more > 0 {
        writeln!(out, "    and {more} more").expect("invariant: writing to a string succeeds");
    }
}

/// Returns a value on one line, cut at 120 characters.
fn short(value: &serde_json::Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 120 { text } else { text.chars().take(117).chain("...".chars()).collect() }
}

fn summary(out: &mut String, plan: &Plan) {
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    for problem in &plan.problems {
        line(format!("error: {problem}"));
    }
    for warning in &plan.warnings {
        line(format!("warning: {warning}"));
    }
    if let Some(hold) = &plan.hold {
        line(format!("held ({}): {}", hold.reason, hold.message));
    }
    let count = |verb| plan.count(verb);
    let updates =
        count(Verb::Update) + count(Verb::Adopt) + count(Verb::Move) + count(Verb::Replace) + count(Verb::Release);
    if plan.steps.is_empty() && plan.problems.is_empty() {
        line(format!("{}: no change, {} objects are as declared", plan.application, plan.wanted));
    } else {
        line(format!(
            "{}: {} to create, {updates} to change, {} to delete",
            plan.application,
            count(Verb::Create),
            count(Verb::Delete)
        ));
    }
}
