//! Functions that are no decisions, and arguments that are none.

use std::sync::Arc;

use bowline_macros::{Object, controller};
use bowline_runtime::api::object::Key;
use bowline_runtime::api::value::Timestamp;
use bowline_runtime::control::{Action, Controller};
use bowline_runtime::store::Snapshot;
use serde::{Deserialize, Serialize};

/// A round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default)]
#[object(version = "v1")]
pub struct RoundSpec {}

/// A bag.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default)]
#[object(version = "v1")]
pub struct BagSpec {}

/// What is seen.
pub struct Observed;

fn observe(_: &Snapshot, _: &Key) -> Option<(Observed, Arc<Round>)> {
    None
}

mod nothing_given {
    use super::*;

    #[controller]
    pub fn decide() {}
}

mod impure {
    use super::*;

    #[controller(name = "Round", kind = Round, observe = observe, owns(Bag, Bag))]
    pub async fn decide<T>(observed: &mut Observed, desired: Round, now: &Timestamp) -> Vec<Action> {
        Vec::new()
    }
}

mod waiting {
    use super::*;

    #[controller(name = "round", kind = Round, observe = observe)]
    pub async fn decide(_: &Observed, _: &Round, _: Timestamp) -> Vec<Action> {
        Vec::new()
    }
}

mod another_kind {
    use super::*;

    #[controller(nam = "round", kind = Round, observe = observe, owns = Bag, watches(Bag, map))]
    pub fn decide(_: &Observed, _: &Bag, _: Timestamp) -> Vec<Action> {
        Vec::new()
    }
}

mod method {
    use super::*;

    #[controller(name = "round", kind = Round, observe = "observe", watch(Bag => map))]
    pub fn decide(&self, observed: &Observed, desired: &Round, now: Timestamp) {}
}

mod no_function {
    use super::*;

    #[controller(name = "round", kind = Round, observe = observe)]
    pub struct Decide;
}

/// Uses what was emitted all the same.
fn main() {
    let _ = (impure::RoundController::NAME, method::RoundController::NAME);
}
