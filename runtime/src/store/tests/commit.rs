use std::sync::{Arc, Barrier, Mutex};

use serde_json::json;

use super::fixtures::*;
use crate::store::disk::{Disk, Log, LogError};
use crate::store::{CommitError, Event, Found, Options, Outcome, Precondition, Retention, Store, Txn};

#[track_caller]
fn check(case: &str, precondition: Precondition, target: &str, expected: Result<u64, Found>) {
    let store = Store::memory();
    put(&store, "pods/a/one", "1");
    put(&store, "pods/a/two", "1");
    let txn = Txn::new().put(key(target), precondition, value("new"));
    let found = store.commit(txn).map(|committed| committed.revision).map_err(|error| match error {
        CommitError::Conflict { found, .. } => found,
        other => panic!("{case}: {other}"),
    });
    assert_eq!(found, expected, "{case}");
}

#[test]
fn a_precondition_must_hold() {
    let present = |revision| Found::Present { revision, uid: "uid-1".to_owned() };
    check("anything on nothing", Precondition::Any, "pods/a/three", Ok(3));
    check("absent on nothing", Precondition::Absent, "pods/a/three", Ok(3));
    check("absent on something", Precondition::Absent, "pods/a/one", Err(present(1)));
    check("exists on something", Precondition::Exists, "pods/a/one", Ok(3));
    check("exists on nothing", Precondition::Exists, "pods/a/three", Err(Found::Absent));
    check("same revision", Precondition::Revision(2), "pods/a/two", Ok(3));
    check("other revision", Precondition::Revision(1), "pods/a/two", Err(present(2)));
    check("same uid", Precondition::Uid("uid-1".to_owned()), "pods/a/two", Ok(3));
    check("other uid", Precondition::Uid("uid-2".to_owned()), "pods/a/two", Err(present(2)));
}

#[test]
fn a_transaction_happens_whole_or_not_at_all() {
    let store = Store::memory();
    let first = Txn::new()
        .put(key("pods/a/one"), Precondition::Absent, value("1"))
        .put(key("pods/a/one"), Precondition::Revision(1), value("2"))
        .put(key("pods/a/two"), Precondition::Absent, value("1"));
    assert_eq!(store.commit(first).expect("each change sees the one before").revision, 3);
    let second = Txn::new().delete(key("pods/a/one"), Precondition::Exists).put(
        key("pods/a/two"),
        Precondition::Revision(99),
        value("2"),
    );
    store.commit(second).expect_err("the second change does not hold");
    assert_eq!(render(&store), "pods/a/one=2@2 pods/a/two=1@3");
    assert_eq!(put(&store, "pods/a/three", "1"), 4, "the refused transaction used up no revision");
}

#[test]
fn the_same_value_again_is_no_change() {
    let store = Store::memory();
    put(&store, "pods/a/one", "1");
    let mut again = value("1");
    again["metadata"]["resourceVersion"] = json!("77");
    let committed = store.commit(Txn::new().put(key("pods/a/one"), Precondition::Any, again)).expect("accepted");
    assert_eq!(committed.revision, 1);
    assert!(matches!(&committed.outcomes[..], [Outcome::Unchanged(Some(stored))] if stored.revision() == 1));
    let gone = store.commit(Txn::new().delete(key("pods/a/two"), Precondition::Any)).expect("accepted");
    assert!(matches!(gone.outcomes[..], [Outcome::Unchanged(None)]));
}

#[test]
fn a_value_without_metadata_is_refused() {
    let store = Store::memory();
    for bad in [json!(1), json!({}), json!({ "metadata": [] })] {
        let error = store.commit(Txn::new().put(key("pods/a/one"), Precondition::Any, bad)).expect_err("refused");
        assert!(matches!(error, CommitError::Malformed { .. }));
    }
    assert_eq!(store.revision(), 0);
}

#[test]
fn a_snapshot_keeps_its_revision_while_others_write() {
    let store = Store::memory();
    put(&store, "pods/a/one", "1");
    let before = store.snapshot();
    put(&store, "pods/a/one", "2");
    delete(&store, "pods/a/one");
    assert_eq!((before.revision(), before.len()), (1, 1));
    assert_eq!(before.get(&key("pods/a/one")).expect("is there").value()["data"], "1");
    assert_eq!((store.snapshot().revision(), store.snapshot().len()), (3, 0));
}

#[test]
fn lists_and_indexes_are_in_key_order_and_follow_changes() {
    let store = Store::memory();
    let pod = |owner: &str, node: &str| json!({ "metadata": { "ownerReferences": [{ "uid": owner }] }, "spec": { "nodeName": node } });
    for name in ["pods/b/x", "pods/a/y", "pods/a/x", "podsets/a/x", "pod/a/x"] {
        store.commit(Txn::new().put(key(name), Precondition::Any, pod("o1", "n1"))).expect("accepted");
    }
    let names = |list: Vec<String>| list.join(" ");
    let snapshot = store.snapshot();
    assert_eq!(names(snapshot.list("pods").map(|s| s.key().to_string()).collect()), "pods/a/x pods/a/y pods/b/x");
    assert_eq!(names(snapshot.list_in("pods", "a").map(|s| s.key().to_string()).collect()), "pods/a/x pods/a/y");
    assert_eq!(snapshot.owned_by("o1").count(), 5);
    assert_eq!(snapshot.pods_on("n1").count(), 3, "only pods are on nodes");
    store.commit(Txn::new().put(key("pods/a/x"), Precondition::Any, pod("o2", ""))).expect("accepted");
    delete(&store, "pods/b/x");
    let snapshot = store.snapshot();
    assert_eq!((snapshot.owned_by("o1").count(), snapshot.owned_by("o2").count()), (3, 1));
    assert_eq!(names(snapshot.pods_on("n1").map(|s| s.key().to_string()).collect()), "pods/a/y");
}

#[test]
fn a_reopened_store_is_the_one_that_was_closed() {
    let place = Place::new();
    let store = place.open();
    for round in 0..20 {
        put(&store, &format!("pods/a/p{}", round % 7), &round.to_string());
    }
    delete(&store, "pods/a/p3");
    let (before, revision) = (render(&store), store.revision());
    drop(store);
    let store = place.open();
    assert_eq!((render(&store), store.revision()), (before, revision));
    assert_eq!(store.history(&key("pods/a/p3")).len(), 4, "three puts and the deletion");
}

/// Passes everything to the real log, but fails or waits as told.
struct Faulty {
    disk: Disk,
    fail_next: Arc<Mutex<Option<LogError>>>,
    groups: Arc<Mutex<Vec<usize>>>,
    gate: Option<Arc<Barrier>>,
}

impl Log for Faulty {
    fn append(&mut self, events: &[Arc<Event>]) -> Result<(), LogError> {
        if let Some(gate) = self.gate.take() {
            gate.wait();
            gate.wait();
        }
        self.groups.lock().expect("no panic").push(events.len());
        match self.fail_next.lock().expect("no panic").take() {
            Some(error) => Err(error),
            None => self.disk.append(events),
        }
    }
    fn compact(&mut self, revision: u64, events: &[Arc<Event>]) -> Result<(), LogError> {
        self.disk.compact(revision, events)
    }
    fn tidy(&mut self) -> Result<(), LogError> {
        self.disk.tidy()
    }
}

struct Rig {
    place: Place,
    store: Store,
    fail_next: Arc<Mutex<Option<LogError>>>,
    groups: Arc<Mutex<Vec<usize>>>,
}

fn rig(gate: Option<Arc<Barrier>>) -> Rig {
    let place = Place::new();
    let (disk, state) = Disk::open(&place.path, None).expect("opens");
    let (fail_next, groups) = (Arc::default(), Arc::default());
    let faulty = Faulty { disk, fail_next: Arc::clone(&fail_next), groups: Arc::clone(&groups), gate };
    let store = Store::with_log(&place.path, state, Box::new(faulty), Retention::default(), None).expect("starts");
    Rig { place, store, fail_next, groups }
}

#[test]
fn a_failed_write_poisons_the_store_until_it_is_opened_again() {
    let Rig { place, store, fail_next, .. } = rig(None);
    put(&store, "pods/a/one", "1");
    *fail_next.lock().expect("no panic") = Some(LogError::Failed("input/output error".to_owned()));
    let write = || store.commit(Txn::new().put(key("pods/a/two"), Precondition::Any, value("1")));
    let first = write().expect_err("the write failed").to_string();
    let second = write().expect_err("no write is tried again").to_string();
    assert_eq!(first, second);
    assert!(first.contains("input/output error") && first.contains("restart"), "{first}");
    assert!(store.compact(crate::api::Timestamp::EPOCH).is_err());
    assert_eq!(render(&store), "pods/a/one=1@1", "readers still see what is durable, and no more");
    assert!(store.poison().is_some());
    drop(store);
    let store = place.open();
    assert_eq!(render(&store), "pods/a/one=1@1");
    assert_eq!(put(&store, "pods/a/two", "1"), 2);
}

#[test]
fn a_full_disk_refuses_the_write_and_nothing_else() {
    let Rig { store, fail_next, .. } = rig(None);
    put(&store, "pods/a/one", "1");
    *fail_next.lock().expect("no panic") = Some(LogError::Full);
    let full = store.commit(Txn::new().put(key("pods/a/two"), Precondition::Any, value("1")));
    assert!(matches!(full, Err(CommitError::Full { .. })));
    assert_eq!(put(&store, "pods/a/two", "2"), 2, "the refused write used up no revision");
}

#[test]
fn a_store_at_its_size_limit_loses_nothing_and_recovers() {
    let place = Place::new();
    let options = Options { bytes_max: Some(256 << 10), ..keep(0) };
    let store = place.open_with(options.clone());
    let big = "x".repeat(8 << 10);
    let mut written = 0;
    let error = loop {
        let txn = Txn::new().put(key(&format!("pods/a/{written}")), Precondition::Any, value(&big));
        match store.commit(txn) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 1_000, "the limit holds");
    };
    assert!(matches!(error, CommitError::Full { .. }), "{error}");
    assert_eq!(store.snapshot().len(), written);
    drop(store);
    let store = place.open_with(Options { bytes_max: Some(1 << 20), ..options });
    assert_eq!(store.snapshot().len(), written);
    put(&store, "pods/a/after", "1");
}

#[test]
fn writers_that_wait_share_one_fsync() {
    let gate = Arc::new(Barrier::new(2));
    let Rig { store, groups, .. } = rig(Some(Arc::clone(&gate)));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| put(&store, "pods/a/first", "1"));
        gate.wait();
        // The writer stands inside the first append: what is sent now waits in the queue.
        let (sent, all_sent) = std::sync::mpsc::channel();
        let mut waiting = Vec::new();
        for number in 0..40 {
            let txn = Txn::new().put(key(&format!("pods/a/{number}")), Precondition::Any, value("1"));
            let mut commit = Box::pin(store.commit_async(txn));
            // The first poll puts the request into the queue.
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(commit.as_mut().poll(&mut context).is_pending());
            waiting.push(commit);
        }
        sent.send(()).expect("is received");
        all_sent.recv().expect("all are sent");
        gate.wait();
        first.join().expect("no panic");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for commit in waiting {
            runtime.block_on(commit).expect("accepted");
        }
    });
    assert_eq!(*groups.lock().expect("no panic"), [1, 40]);
}
