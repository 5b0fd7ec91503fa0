//! What to do next about one Application: a pure function of what is observed and the time.
//!
//! There is no operation that could get stuck: each round starts from what is, and a newer commit simply is another
//! target. No clock, no chance, no I/O here.

use std::time::Duration;

use bowline_runtime::api::Timestamp;

use crate::verdict::{Health, State};

/// How soon a commit whose files cannot be read is tried again.
const SOURCE_RETRY: Duration = Duration::from_secs(10);

/// Everything a decision may look at.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Whether a person suspended the Application.
    pub suspended: bool,
    /// The newest commit of the source, if it was ever read.
    pub seen: Option<String>,
    /// Why the source cannot be read now, if so.
    pub source_trouble: Option<String>,
    /// Why the files of the target commit cannot be read now, though the commit is known.
    pub unreadable: Option<String>,
    /// Whether the seen commit changes nothing of what a rejected one held: its verdict is the same.
    pub still_rejected: bool,
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
    /// Whether the inventory lists objects that the applied commit does not hold.
    pub surplus: bool,
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
    /// Note that a commit changes nothing this Application reads, and what became of those objects holds for it.
    Advance {
        /// The commit.
        commit: String,
    },
    /// Record that a commit holds what was rejected before.
    StayRejected {
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
pub fn decide(observed: &Observed, now: Timestamp) -> Option<Action> {
    let wait = |on| Some(Action::Wait { on, until: None });
    if observed.suspended {
        return wait(Blocker::Suspended);
    }
    let Some(seen) = &observed.seen else {
        let why = observed.source_trouble.clone().unwrap_or_else(|| "it has not been read yet".to_owned());
        return wait(Blocker::Source(why));
    };
    if let Some(why) = &observed.unreadable {
        return Some(Action::Wait { on: Blocker::Source(why.clone()), until: Some(now + SOURCE_RETRY) });
    }
    if observed.still_rejected {
        return Some(Action::StayRejected { commit: seen.clone() });
    }
    let rejected = observed.rejected.as_ref() == Some(seen);
    let (target, key) = if rejected {
        match &observed.healthy {
            Some(healthy) if healthy != seen => (healthy, &observed.healthy_key),
            _ => return wait(Blocker::Rejected),
        }
    } else {
        (seen, &observed.seen_key)
    };
    let current = observed.applied.as_ref().filter(|applied| Some(&applied.key) == key.as_ref());
    // A dependency holds back what is new; what is applied already is kept as it is.
    if let (None, Some(name), false) = (current, &observed.dependency, rejected) {
        return wait(Blocker::Dependency(name.clone()));
    }
    let Some(applied) = current.filter(|_| !observed.drifted) else {
        return Some(Action::Apply { commit: target.clone() });
    };
    judge(observed, applied, target, rejected, now).or_else(|| {
        // What became of the objects is known; the commit that holds them now has the same fate.
        (applied.commit != *target).then(|| Action::Advance { commit: target.clone() })
    })
}

/// Judges the applied commit by the health of its objects.
fn judge(observed: &Observed, applied: &Applied, target: &str, rejected: bool, now: Timestamp) -> Option<Action> {
    let health = observed.health.clone().unwrap_or(Health::HEALTHY);
    let same_as_healthy = observed.healthy.as_deref() == Some(applied.commit.as_str());
    let settled = same_as_healthy || observed.healthy.as_deref() == Some(target);
    match health.state {
        State::Healthy | State::Suspended => {
            let done = observed.healthy.as_deref() == Some(target) && applied.commit == target && !observed.surplus;
            (!done).then(|| Action::Settle { commit: target.to_owned() })
        }
        _ if settled && applied.commit != target && !rejected => None,
        // What was healthy before is not judged again: it is repaired, not rejected. Nor is a way back.
        _ if settled || rejected => Some(Action::Wait { on: Blocker::Health(health.message), until: None }),
        State::Degraded => {
            Some(Action::Reject { commit: target.to_owned(), reason: "Degraded", message: health.message })
        }
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
    fn render(action: Option<&Action>) -> String {
        match action {
            None => String::new(),
            Some(Action::Apply { commit }) => format!("apply {commit}"),
            Some(Action::Advance { commit }) => format!("advance {commit}"),
            Some(Action::StayRejected { commit }) => format!("stay rejected {commit}"),
            Some(Action::Settle { commit }) => format!("settle {commit}"),
            Some(Action::Reject { commit, reason, .. }) => format!("reject {commit} {reason}"),
            Some(Action::Wait { on, until }) => {
                format!("wait {}{}", on.reason(), until.map(|at| format!(" {}", at.secs())).unwrap_or_default())
            }
        }
    }
    #[track_caller]
    fn check(case: &str, observed: Observed, expected: &str) {
        assert_eq!(render(decide(&observed, NOW).as_ref()), expected, "{case}");
    }

    #[test]
    fn a_commit_is_applied_once_and_only_if_it_changes_what_is_read() {
        check("first", base(), "apply b");
        check("same key", Observed { applied: applied("a", "k2"), healthy: Some("a".into()), ..base() }, "settle b");
        check("other key", Observed { applied: applied("a", "k1"), healthy: Some("a".into()), ..base() }, "apply b");
        check("done", Observed { applied: applied("b", "k2"), healthy: Some("b".into()), ..base() }, "");
        check(
            "drift",
            Observed { applied: applied("b", "k2"), healthy: Some("b".into()), drifted: true, ..base() },
            "apply b",
        );
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
        let surplus = Observed { applied: applied("a", "k1"), surplus: true, ..rejected.clone() };
        check("what the rejected one brought goes", surplus, "settle a");
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
        check("broken later", broken.clone(), "wait Progressing");
        let elsewhere = Observed { applied: applied("a", "k2"), healthy: Some("a".into()), ..broken };
        check("a commit elsewhere is not to blame", elsewhere, "advance b");
    }

    #[test]
    fn nothing_moves_without_a_source_or_a_dependency() {
        check("suspended", Observed { suspended: true, ..base() }, "wait Suspended");
        check("no source", Observed { seen: None, ..base() }, "wait SourceNotReady");
        check("dependency", Observed { dependency: Some("db".into()), ..base() }, "wait DependencyNotReady");
        let drifted = Observed {
            dependency: Some("db".into()),
            applied: applied("b", "k2"),
            healthy: Some("b".into()),
            drifted: true,
            ..base()
        };
        check("what is applied is kept all the same", drifted, "apply b");
        let unreadable = Observed { unreadable: Some("broken pack".into()), ..base() };
        check("unreadable files are no verdict", unreadable, "wait SourceNotReady 1010");
    }

    #[test]
    fn a_commit_that_holds_what_was_rejected_is_not_tried_again() {
        let observed = Observed { rejected: Some("a".into()), still_rejected: true, ..base() };
        check("same objects", observed, "stay rejected b");
    }
}
