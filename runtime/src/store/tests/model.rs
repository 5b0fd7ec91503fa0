//! Random transactions against a map that does the same the simple way.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::fixtures::*;
use crate::api::{Key, Timestamp};
use crate::store::{Change, Op, Precondition, Store, Txn, WatchFilter};

/// Name to (data, revision).
type Model = BTreeMap<Key, (String, u64)>;

fn random_op(rng: &mut StdRng, model: &Model) -> Op {
    let key = key(&format!("{}/{}/{}", ["pods", "jobs.batch"][rng.random_range(0..2)], "a", rng.random_range(0..6)));
    let current = model.get(&key).map_or(0, |(_, revision)| *revision);
    let precondition = match rng.random_range(0..6) {
        0 => Precondition::Absent,
        1 => Precondition::Exists,
        2 => Precondition::Revision(current),
        3 => Precondition::Revision(current + 1),
        _ => Precondition::Any,
    };
    let text = rng.random_range(0..4).to_string();
    if rng.random_range(0..4) == 0 { Op::delete(key, precondition) } else { Op::put(key, precondition, value(&text)) }
}

/// Carries out the transaction on the model; `None` where a precondition fails.
fn model_commit(model: &Model, revision: u64, ops: &[Op]) -> Option<(Model, u64)> {
    let (mut model, mut revision) = (model.clone(), revision);
    for op in ops {
        let current = model.get(&op.key);
        let holds = match op.precondition {
            Precondition::Absent => current.is_none(),
            Precondition::Exists => current.is_some(),
            Precondition::Revision(wanted) => current.is_some_and(|(_, found)| *found == wanted),
            _ => true,
        };
        if !holds {
            return None;
        }
        match &op.change {
            Change::Put(value) => {
                let data = value["data"].as_str().expect("is text").to_owned();
                if current.is_none_or(|(old, _)| *old != data) {
                    revision += 1;
                    model.insert(op.key.clone(), (data, revision));
                }
            }
            Change::Keep => {}
            Change::Delete => revision += u64::from(model.remove(&op.key).is_some()),
        }
    }
    Some((model, revision))
}

fn render_model(model: &Model) -> String {
    model.iter().map(|(key, (data, at))| format!("{key}={data}@{at}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_store_does_what_a_simple_map_does() {
    for seed in 0..20 {
        let mut rng = StdRng::seed_from_u64(seed);
        let place = Place::new();
        let mut store = place.open_with(keep(10));
        let (mut model, mut revision) = (Model::new(), 0);
        for step in 0..150 {
            let ops: Vec<Op> = (0..rng.random_range(1..4)).map(|_| random_op(&mut rng, &model)).collect();
            let expected = model_commit(&model, revision, &ops);
            let found = store.commit(Txn::from(ops.clone())).ok().map(|committed| committed.revision);
            assert_eq!(found, expected.as_ref().map(|(_, at)| *at), "seed {seed}, step {step}: {ops:?}");
            (model, revision) = expected.unwrap_or((model, revision));
            assert_eq!(render(&store), render_model(&model), "seed {seed}, step {step}");
            match rng.random_range(0..20) {
                0 => {
                    drop(store);
                    store = place.open_with(keep(10));
                    assert_eq!(render(&store), render_model(&model), "seed {seed}, step {step}, reopened");
                }
                1 => drop(store.compact(Timestamp::from_secs(step)).expect("compacts")),
                _ => {}
            }
            check_history(&store, seed, revision);
        }
    }
}

/// Events from the oldest held revision on are without a gap.
#[track_caller]
fn check_history(store: &Store, seed: u64, revision: u64) {
    let mut watcher = store.watch(Some(store.oldest()), WatchFilter::all()).expect("is held");
    let mut last = store.oldest();
    while let Some(event) = watcher.try_next().expect("nothing expired") {
        assert_eq!(event.revision, last + 1, "seed {seed}");
        last = event.revision;
    }
    assert_eq!(last, revision, "seed {seed}");
}
