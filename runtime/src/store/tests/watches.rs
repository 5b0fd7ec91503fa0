use std::time::Duration;

use super::fixtures::*;
use crate::api::Timestamp;
use crate::store::{Event, EventKind, Expired, Options, Retention, Store, WatchFilter, Watcher};

fn text(event: &Event) -> String {
    let data = |stored: &crate::store::Stored| stored.value()["data"].as_str().unwrap_or("-").to_owned();
    match &event.kind {
        EventKind::Put { old: None, new } => format!("{} added {}={}", event.revision, new.key(), data(new)),
        EventKind::Put { old: Some(old), new } => {
            format!("{} changed {}={}->{}", event.revision, new.key(), data(old), data(new))
        }
        EventKind::Delete { old } => {
            let version = &old.value()["metadata"]["resourceVersion"];
            assert_eq!(version, &event.revision.to_string(), "the last state carries the deletion's revision");
            format!("{} deleted {}={}", event.revision, old.key(), data(old))
        }
    }
}

fn drain(watcher: &mut Watcher) -> String {
    let mut lines = Vec::new();
    while let Some(event) = watcher.try_next().expect("nothing expired") {
        lines.push(text(&event));
    }
    lines.join(", ")
}

fn busy(store: &Store) {
    put(store, "pods/a/one", "1");
    put(store, "jobs.batch/a/one", "1");
    put(store, "pods/b/one", "1");
    put(store, "pods/a/one", "2");
    delete(store, "pods/a/one");
}

#[track_caller]
fn check(case: &str, from: Option<u64>, filter: WatchFilter, expected: &str) {
    let store = Store::memory();
    busy(&store);
    let mut watcher = store.watch(from, filter).expect("nothing is compacted");
    assert_eq!(drain(&mut watcher), expected, "{case}");
}

#[test]
fn a_watch_tells_what_happened_strictly_after_its_revision() {
    check("from now", None, WatchFilter::all(), "");
    check("from the last", Some(5), WatchFilter::all(), "");
    check("from the middle", Some(3), WatchFilter::all(), "4 changed pods/a/one=1->2, 5 deleted pods/a/one=2");
    check("one resource", Some(0), WatchFilter::resource("jobs.batch"), "2 added jobs.batch/a/one=1");
    check("one namespace", Some(0), WatchFilter::resource("pods").in_namespace("b"), "3 added pods/b/one=1");
    check("one name", Some(0), WatchFilter::resource("pods").named("two"), "");
}

#[test]
fn a_watch_goes_on_across_a_restart() {
    let place = Place::new();
    busy(&place.open());
    let store = place.open();
    let mut watcher = store.watch(Some(3), WatchFilter::all()).expect("still held");
    assert_eq!(drain(&mut watcher), "4 changed pods/a/one=1->2, 5 deleted pods/a/one=2");
}

#[test]
fn a_waiting_watcher_wakes_up() {
    let store = Store::memory();
    let mut watcher = store.watch(None, WatchFilter::resource("pods")).expect("nothing is compacted");
    assert!(watcher.next_blocking(Duration::ZERO).expect("nothing expired").is_none());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| watcher.next_blocking(Duration::from_secs(60)));
        put(&store, "jobs.batch/a/one", "1");
        put(&store, "pods/a/one", "1");
        let event = waiting.join().expect("no panic").expect("nothing expired").expect("an event");
        assert_eq!(text(&event), "2 added pods/a/one=1");
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let event = runtime.block_on(async {
        let task = async { watcher.next().await };
        let write = async { put(&store, "pods/a/two", "1") };
        futures_util::join!(task, write).0
    });
    assert_eq!(text(&event.expect("nothing expired")), "3 added pods/a/two=1");
}

#[test]
fn compaction_forgets_history_but_no_object() {
    let place = Place::new();
    let store = place.open_with(keep(2));
    busy(&store);
    let mut slow = store.watch(Some(1), WatchFilter::all()).expect("still held");
    let before = render(&store);
    assert_eq!(store.compact(Timestamp::EPOCH).expect("compacts"), 3);
    let expired = Expired { requested: 1, oldest: 3 };
    assert_eq!(slow.try_next().expect_err("what it did not read is gone"), expired);
    assert_eq!(slow.try_next().expect_err("and stays gone"), expired);
    for _ in 0..2 {
        assert_eq!(store.watch(Some(2), WatchFilter::all()).err(), Some(Expired { requested: 2, oldest: 3 }));
        assert!(store.watch(Some(3), WatchFilter::all()).is_ok());
        assert_eq!(render(&store), before);
    }
    drop(slow);
    drop(store);
    let store = place.open_with(keep(0));
    assert_eq!((render(&store), store.oldest(), store.revision()), (before.clone(), 3, 5));
    assert_eq!(store.compact(Timestamp::EPOCH).expect("compacts"), 5);
    drop(store);
    let store = place.open();
    assert_eq!((render(&store), store.oldest(), store.revision()), (before, 5, 5), "a compacted deletion counts");
    assert_eq!(put(&store, "pods/a/one", "3"), 6);
}

#[test]
fn history_goes_by_age_and_count_and_bound() {
    #[track_caller]
    fn check(case: &str, age_min: u64, revisions_min: u64, revisions_max: u64, expected: &[u64]) {
        let retention = Retention { age_min: Duration::from_secs(age_min), revisions_min, revisions_max };
        let store = Store::memory_with(Options { retention, ..Options::default() });
        let mut found = Vec::new();
        // Ten changes a minute, compacted each minute.
        for minute in 0..4 {
            for change in 0..10 {
                put(&store, "pods/a/one", &format!("{minute}.{change}"));
            }
            found.push(store.compact(Timestamp::from_secs(minute * 60)).expect("compacts"));
        }
        assert_eq!(found, expected, "{case}");
    }
    check("age alone", 60, 0, 1_000, &[0, 10, 20, 30]);
    check("count alone", 0, 5, 1_000, &[5, 15, 25, 35]);
    check("both must be past", 120, 25, 1_000, &[0, 0, 5, 15]);
    check("age holds back count", 120, 0, 1_000, &[0, 0, 10, 20]);
    check("the bound wins", 600, 30, 12, &[0, 8, 18, 28]);
}

#[test]
fn a_clock_set_back_forgets_nothing_too_early() {
    let retention = Retention { age_min: Duration::from_secs(60), revisions_min: 0, revisions_max: 1_000 };
    let store = Store::memory_with(Options { retention, ..Options::default() });
    put(&store, "pods/a/one", "1");
    assert_eq!(store.compact(Timestamp::from_secs(1_000)).expect("compacts"), 0);
    put(&store, "pods/a/one", "2");
    assert_eq!(store.compact(Timestamp::from_secs(10)).expect("compacts"), 0);
    assert_eq!(store.compact(Timestamp::from_secs(69)).expect("compacts"), 0);
    assert_eq!(store.compact(Timestamp::from_secs(70)).expect("compacts"), 2);
}

#[test]
fn history_lists_the_held_states_of_an_object() {
    let store = Store::memory_with(keep(2));
    busy(&store);
    put(&store, "pods/a/one", "3");
    let list = |store: &Store, name: &str| {
        let held = store.history(&key(name));
        let lines = held.iter().map(|held| {
            let data = held.object.value()["data"].as_str().unwrap_or("-").to_owned();
            format!("{}:{data}{}", held.revision, if held.deleted { " deleted" } else { "" })
        });
        lines.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(list(&store, "pods/a/one"), "1:1, 4:2, 5:2 deleted, 6:3");
    assert_eq!(list(&store, "pods/b/one"), "3:1");
    assert_eq!(list(&store, "pods/b/two"), "");
    store.compact(Timestamp::EPOCH).expect("compacts");
    assert_eq!(list(&store, "pods/a/one"), "5:2 deleted, 6:3");
    assert_eq!(list(&store, "pods/b/one"), "3:1", "the present state is always held");
}
