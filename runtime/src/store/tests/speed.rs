//! Bounds on time, far above what is measured, so that only a change of order fails them.
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::time::{Duration, Instant};

use serde_json::json;

use super::fixtures::*;
use crate::store::{Precondition, Store, Txn};

#[test]
fn ten_thousand_objects_open_in_a_second() {
    let place = Place::new();
    let store = place.open();
    for group in 0..10 {
        let puts = (0..1_000).map(|number| {
            let object = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": { "name": format!("p{number}"), "uid": format!("{group}-{number}"), "labels": { "app": "web" } },
                "spec": { "nodeName": "n", "containers": [{ "name": "main", "image": "web:1", "args": ["a", "b"] }] },
            });
            crate::store::Op::put(key(&format!("pods/n{group}/p{number}")), Precondition::Absent, object)
        });
        store.commit(Txn::from(puts.collect::<Vec<_>>())).expect("accepted");
    }
    drop(store);
    let begun = Instant::now();
    let store = place.open();
    let taken = begun.elapsed();
    println!("open of 10,000 objects: {taken:?}");
    assert_eq!(store.snapshot().len(), 10_000);
    // Unoptimised code on a shared machine is slower than what the promise is about.
    assert!(taken < Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 1 }), "{taken:?}");
}

#[test]
fn sixty_four_writers_are_durable_by_the_thousand() {
    let place = Place::new();
    let store = place.open();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for writer in 0..64 {
            let store: &Store = &store;
            scope.spawn(move || {
                for round in 0..40 {
                    put(store, &format!("pods/w{writer}/p{round}"), "x");
                }
            });
        }
    });
    let taken = begun.elapsed();
    let rate = 64.0 * 40.0 / taken.as_secs_f64();
    println!("durable creates by 64 writers: {rate:.0} a second");
    assert_eq!(store.snapshot().len(), 64 * 40);
    assert!(rate > 200.0, "{rate:.0} a second");
}
