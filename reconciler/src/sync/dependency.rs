//! Applications that have to be ready first.
//!
//! Pure over a snapshot. A dependency of the same source is ready when it is healthy at the same commit: what both
//! come from is one change.

use bowline_runtime::api::kinds::Application;
use bowline_runtime::api::{Key, Object as _};
use bowline_runtime::store::Snapshot;

/// Returns why the first dependency that is not ready holds an Application back, which wants to apply `commit`.
pub(super) fn blocking(
    snapshot: &Snapshot,
    key: &Key,
    application: &Application,
    commit: Option<&str>,
) -> Option<String> {
    if application.spec.depends_on.is_empty() {
        return None;
    }
    if let Some(circle) = circle(snapshot, key) {
        return Some(format!("`dependsOn` leads in a circle ({circle}): remove one of its links"));
    }
    application.spec.depends_on.iter().find_map(|dependency| {
        let Some(other) = snapshot.typed_get::<Application>(&key.namespace, &dependency.name) else {
            return Some(format!("application `{}` does not exist", dependency.name));
        };
        let status = other.status.clone().unwrap_or_default();
        let ready = status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
        if !ready || status.observed_generation != other.meta().generation {
            return Some(format!("application `{}` is not ready", dependency.name));
        }
        let same_source = other.spec.source == application.spec.source;
        let seen = status.revision.as_ref().and_then(|revision| revision.healthy.as_deref());
        (same_source && seen != commit).then(|| {
            let commit = commit.unwrap_or_default();
            format!("application `{}` is not at {} yet", dependency.name, commit.get(..7).unwrap_or(commit))
        })
    })
}

/// Returns the names along a way from an Application back to itself.
fn circle(snapshot: &Snapshot, key: &Key) -> Option<String> {
    let mut trail = vec![key.name.to_string()];
    let mut known = std::collections::BTreeSet::new();
    walk(snapshot, &key.namespace, &mut trail, &mut known).then(|| trail.join(" -> "))
}

fn walk(
    snapshot: &Snapshot,
    namespace: &str,
    trail: &mut Vec<String>,
    known: &mut std::collections::BTreeSet<String>,
) -> bool {
    let Some(name) = trail.last() else { return false };
    let Some(application) = snapshot.typed_get::<Application>(namespace, name) else { return false };
    for next in &application.spec.depends_on {
        let closes = trail.first() == Some(&next.name);
        if !closes && !known.insert(next.name.clone()) {
            continue;
        }
        trail.push(next.name.clone());
        if closes || walk(snapshot, namespace, trail, known) {
            return true;
        }
        trail.pop();
    }
    false
}
