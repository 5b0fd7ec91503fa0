//! What to do next about one Application: a pure function of what is observed and the time.
//!
//! There is no operation that could get stuck: each round starts from what is, and a newer commit simply is another
//! target. No clock, no chance, no I/O here.

use std::time::Duration;

use bowline_runtime::api::Timestamp;

use crate::verdict::{Health, State};

/// Everything a decision may look at.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Whether a person suspended the Application.
    pub suspended: bool,
    /// The newest commit of the source, if it was ever read.
    pub seen: Option<String>,
    /// Why the source cannot be read now, if so.
    pub source_trouble: Option<String>,
    /// The first Application this one depends on that is not ready.
    pub dependency: Option<String>,
    /// The commit last applied, with the impact key of what its render read.
    pub applied: Option<Applied>,
    /// The last commit that became healthy.
    pub healthy: Option<String>,
    /// The commit that was rejected, until another is seen.
    pub rejected: Option<String>,
    /// The impact key of a commit, computed for the target this round decides on.
    pub seen_key: Option<String>,
    /// The impact key of the last healthy commit, when the seen one is rejected.
    pub healthy_key: Option<String>,
    /// Whether a live object differs from what was applied.
    pub drifted: bool,
    /// The worst health among the inventory's objects.
    pub health: Option<Health>,
    /// How long a commit may take to become healthy.
    pub timeout: Duration,
}

/// What was last applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The commit.
    pub commit: String,
    /// The impact key: same key, same objects.
    pub key: String,
    /// When it was applied.
    pub at: Timestamp,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Render, plan and apply a commit.
    Apply {
        /// The commit.
        commit: String,
    },
    /// Note that a commit changes nothing this Application reads.
    Advance {
        /// The commit.
        commit: String,
    },
    /// Remove what the applied commit no longer holds and record it as healthy.
    Settle {
        /// The commit.
        commit: String,
    },
    /// Record a commit as rejected; the next round goes back to the last healthy one.
    Reject {
        /// The commit.
        commit: String,
        /// One word for programs.
        reason: &'static str,
        /// A sentence for people.
        message: String,
    },
    /// Nothing can be done now.
    Wait {
        /// What for.
        on: Blocker,
        /// When to look again even if nothing happens.
        until: Option<Timestamp>,
    },
}

/// Why an Application waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// A person suspended it.
    Suspended,
    /// Its source has not been read yet, or cannot be.
    Source(String),
    /// Another Application is not ready.
    Dependency(String),
    /// Its objects are on their way.
    Health(String),
    /// Its commit was rejected and there is no healthy one to go back to.
    Rejected,
}

impl Blocker {
    /// Returns the condition reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Suspended => "Suspended",
            Self::Source(_) => "SourceNotReady",
            Self::Dependency(_) => "DependencyNotReady",
            Self::Health(_) => "Progressing",
            Self::Rejected => "Rejected",
        }
    }
}

/// Returns the next step; empty when the newest commit is applied and healthy and nothing drifted.
pub fn decide(observed: &Observed, now: Timestamp) -> Vec<Action> {
    let wait = |on| vec![Action::Wait { on, until: None }];
    if observed.suspended {
        return wait(Blocker::Suspended);
    }
    let Some(seen) = &observed.seen else {
        let why = observed.source_trouble.clone().unwrap_or_else(|| "it has not been read yet".to_owned());
        return wait(Blocker::Source(why));
    };
    let rejected = observed.rejected.as_ref() == Some(seen);
    let (target, key) = if rejected {
        match &observed.healthy {
            Some(healthy) if healthy != seen => (healthy, &observed.healthy_key),
            _ => return wait(Blocker::Rejected),
        }
    } else {
        (seen, &observed.seen_key)
    };
    if let Some(name) = &observed.dependency {
        return wait(Blocker::Dependency(name.clone()));
    }
    let current = observed.applied.as_ref().filter(|applied| Some(&applied.key) == key.as_ref());
    let Some(applied) = current.filter(|_| !observed.drifted) else {
        return vec![Action::Apply { commit: target.clone() }];
    };
    let mut actions = Vec::new();
    if applied.commit != *target {
        actions.push(Action::Advance { commit: target.clone() });
    }
    actions.extend(judge(observed, applied, target, rejected, now));
    actions
}

/// Judges the applied commit by the health of its objects.
fn judge(observed: &Observed, applied: &Applied, target: &str, rejected: bool, now: Timestamp) -> Option<Action> {
    let health = observed.health.clone().unwrap_or(Health::HEALTHY);
    let settled = observed.healthy.as_deref() == Some(target);
    match health.state {
        State::Healthy | State::Suspended => {
            (!settled).then(|| Action::Settle { commit: target.to_owned() })
        }
        // What was healthy before is not judged again: it is repaired, not rejected. Nor is a way back.
        _ if settled || rejected => Some(Action::Wait { on: Blocker::Health(health.message), until: None }),
        State::Degraded => Some(Action::Reject {
            commit: target.to_owned(),
            reason: "Degraded",
            message: health.message,
        }),
        State::Progressing | State::Missing => {
            let deadline = applied.at + observed.timeout;
            if now < deadline {
                return Some(Action::Wait { on: Blocker::Health(health.message), until: Some(deadline) });
            }
            let seconds = observed.timeout.as_secs();
            Some(Action::Reject {
                commit: target.to_owned(),
                reason: "HealthTimeout",
                message: format!("not healthy within {seconds} s: {}", health.message),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1000);

    fn applied(commit: &str, key: &str) -> Option<Applied> {
        Some(Applied { commit: commit.into(), key: key.into(), at: Timestamp::from_secs(990) })
    }
    fn health(state: State) -> Option<Health> {
        Some(Health { state, message: "why".into() })
    }
    fn base() -> Observed {
        Observed {
            seen: Some("b".into()),
            seen_key: Some("k2".into()),
            timeout: Duration::from_secs(60),
            ..Observed::default()
        }
    }
    fn render(actions: &[Action]) -> String {
        let one = |action: &Action| match action {
            Action::Apply { commit } => format!("apply {commit}"),
            Action::Advance { commit } => format!("advance {commit}"),
            Action::Settle { commit } => format!("settle {commit}"),
            Action::Reject { commit, reason, .. } => format!("reject {commit} {reason}"),
            Action::Wait { on, until } => {
                format!("wait {}{}", on.reason(), until.map(|at| format!(" {}", at.secs())).unwrap_or_default())
            }
        };
        actions.iter().map(one).collect::<Vec<_>>().join(", ")
    }
    #[track_caller]
    fn check(case: &str, observed: Observed, expected: &str) {
        assert_eq!(render(&decide(&observed, NOW)), expected, "{case}");
    }

    #[test]
    fn a_commit_is_applied_once_and_only_if_it_changes_what_is_read() {
        check("first", base(), "apply b");
        check("same key", Observed { applied: applied("a", "k2"), healthy: Some("a".into()), ..base() }, "advance b, settle b");
        check("other key", Observed { applied: applied("a", "k1"), healthy: Some("a".into()), ..base() }, "apply b");
        check("done", Observed { applied: applied("b", "k2"), healthy: Some("b".into()), ..base() }, "");
        check("drift", Observed { applied: applied("b", "k2"), healthy: Some("b".into()), drifted: true, ..base() }, "apply b");
    }

    #[test]
    fn a_commit_becomes_healthy_or_is_rejected() {
        let at = |state| Observed { applied: applied("b", "k2"), health: health(state), ..base() };
        check("healthy", at(State::Healthy), "settle b");
        check("on its way", at(State::Progressing), "wait Progressing 1050");
        check("failed", at(State::Degraded), "reject b Degraded");
        let late = Observed { timeout: Duration::from_secs(10), ..at(State::Progressing) };
        check("too slow", late, "reject b HealthTimeout");
    }

    #[test]
    fn a_rejected_commit_gives_way_to_the_last_healthy_one_until_a_newer_is_seen() {
        let rejected = Observed {
            rejected: Some("b".into()),
            healthy: Some("a".into()),
            healthy_key: Some("k1".into()),
            applied: applied("b", "k2"),
            ..base()
        };
        check("back", rejected.clone(), "apply a");
        check("nothing to go back to", Observed { healthy: None, ..rejected.clone() }, "wait Rejected");
        check("there", Observed { applied: applied("a", "k1"), ..rejected.clone() }, "");
        let newer = Observed { seen: Some("c".into()), seen_key: Some("k3".into()), ..rejected };
        check("newer", newer, "apply c");
    }

    #[test]
    fn what_was_healthy_is_repaired_and_not_rejected() {
        let broken = Observed {
            applied: applied("b", "k2"),
            healthy: Some("b".into()),
            health: health(State::Degraded),
            ..base()
        };
        check("broken later", broken, "wait Progressing");
    }

    #[test]
    fn nothing_moves_without_a_source_or_a_dependency() {
        check("suspended", Observed { suspended: true, ..base() }, "wait Suspended");
        check("no source", Observed { seen: None, ..base() }, "wait SourceNotReady");
        check("dependency", Observed { dependency: Some("db".into()), ..base() }, "wait DependencyNotReady");
    }
}
