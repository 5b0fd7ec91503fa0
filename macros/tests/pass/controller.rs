//! A user's own controller for a user's own kinds.

use std::sync::Arc;

use bowline_macros::{Object, Schema, controller};
use bowline_runtime::api::object::{Key, Object as _};
use bowline_runtime::api::value::Timestamp;
use bowline_runtime::control::Action;
use bowline_runtime::store::Snapshot;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A round that brings letters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(group = "post.example.org", version = "v1", status = RoundStatus)]
pub struct RoundSpec {
    /// How many letters.
    #[object(default = 1, min = 0)]
    pub letters: i32,
    /// The bag they come from.
    pub bag: String,
}

/// What was brought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct RoundStatus {
    /// How many letters.
    pub letters: i32,
}

/// A letter of a round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(group = "post.example.org", version = "v1")]
pub struct LetterSpec {}

/// A bag of letters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(group = "post.example.org", version = "v1", scope = Cluster)]
pub struct BagSpec {}

/// What a round has brought.
#[derive(Debug)]
pub struct Observed {
    letters: i32,
}

fn observe(snapshot: &Snapshot, key: &Key) -> Option<(Observed, Arc<Round>)> {
    let round = snapshot.typed_get::<Round>(&key.namespace, &key.name)?;
    let letters = snapshot.owned_by(round.meta().uid.as_deref()?).count();
    Some((Observed { letters: i32::try_from(letters).unwrap_or(i32::MAX) }, round))
}

fn rounds_with_bag(snapshot: &Snapshot, bag: &Key) -> Vec<Key> {
    snapshot.typed_list::<Round>().filter(|round| *round.spec.bag == *bag.name).map(|round| round.key()).collect()
}

/// Writes the letters that are missing, and how many there are.
#[controller(name = "round", kind = Round, owns(Letter), watches(Bag => rounds_with_bag), observe = observe)]
pub fn decide(observed: &Observed, desired: &Round, _now: Timestamp) -> Vec<Action> {
    let missing = observed.letters..desired.spec.letters;
    let letter = |_| Action::Create { object: Letter::default().to_value() };
    let status = Action::Status { key: desired.key(), status: json!({"letters": observed.letters}) };
    missing.map(letter).chain([status]).collect()
}

#[cfg(test)]
mod tests {
    use bowline_runtime::control::Controller;

    use super::*;

    #[test]
    fn the_decision_is_a_plain_function_and_a_controller() {
        let desired = Round { spec: RoundSpec { letters: 2, ..RoundSpec::default() }, ..Round::default() };
        for (letters, actions) in [(0, 3), (1, 2), (2, 1), (3, 1)] {
            assert_eq!(decide(&Observed { letters }, &desired, Timestamp::EPOCH).len(), actions);
            assert_eq!(RoundController::decide(&Observed { letters }, &desired, Timestamp::EPOCH).len(), actions);
        }
    }

    #[test]
    fn the_framework_learns_what_to_watch() {
        fn wiring<C: Controller>() -> (&'static str, Vec<&'static str>, Vec<&'static str>) {
            let owned = C::owns().iter().map(|kind| kind().kind).collect();
            (C::NAME, owned, C::watches().iter().map(|watch| (watch.kind)().kind).collect())
        }
        assert_eq!(wiring::<RoundController>(), ("round", vec!["Letter"], vec!["Bag"]));
        let nothing = Snapshot::default();
        assert!((RoundController::watches()[0].map)(&nothing, &Bag::kind().key("", "left")).is_empty());
        assert!(RoundController::observe(&nothing, &Round::kind().key("default", "morning")).is_none());
    }
}
