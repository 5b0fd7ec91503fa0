//! A writer process is killed at a random moment, a hundred times over one file.
#![expect(clippy::disallowed_methods, reason = "the test waits for a real process")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::fixtures::*;
use crate::api::Timestamp;
use crate::store::{Precondition, Store, Txn};

/// Where the re-executed test binary finds the store; set only in the writer process.
const WRITER: &str = "BOWLINE_STORE_TEST_WRITER";

/// Writes until it is killed; prints `name revision` for each acknowledged write.
fn write_for_ever(store: &Store) {
    std::thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || {
                for round in 0_u64.. {
                    let name = format!("pods/w{writer}/p{}", round % 50);
                    let change = value(&format!("{}-{round}", std::process::id()));
                    let txn = if round % 11 == 10 {
                        Txn::new().delete(key(&name), Precondition::Any).put(key(&name), Precondition::Absent, change)
                    } else {
                        Txn::new().put(key(&name), Precondition::Any, change)
                    };
                    let revision = store.commit(txn).expect("the write is accepted").revision;
                    writeln!(std::io::stdout().lock(), "ack {name} {revision}").expect("the parent listens");
                    if round % 100 == 99 {
                        store.compact(Timestamp::from_secs(0)).expect("compacts");
                    }
                }
            });
        }
    });
}

#[test]
fn a_killed_writer_loses_no_acknowledged_write() {
    if let Some(path) = std::env::var_os(WRITER) {
        write_for_ever(&Store::open(path.as_ref(), keep(200)).expect("the store opens"));
    }
    let place = Place::new();
    let mut rng = StdRng::seed_from_u64(2);
    let (mut acknowledged, mut last_revision) = (0, 0);
    for round in 0..100 {
        let acks = one_life(&place, Duration::from_millis(rng.random_range(0..50)));
        let store = place.open_with(keep(200));
        let snapshot = store.snapshot();
        assert!(snapshot.revision() >= last_revision, "round {round}: revisions went back");
        last_revision = snapshot.revision();
        for (name, revision) in &acks {
            let stored = snapshot.get(&key(name)).map_or(0, |stored| stored.revision());
            assert!(stored >= *revision, "round {round}: {name} was acknowledged at {revision}, found at {stored}");
        }
        acknowledged += acks.len();
    }
    assert!(acknowledged > 1_000, "only {acknowledged} writes were acknowledged in a hundred lives");
}

/// Starts a writer, kills it `after` its first acknowledged write, and returns what it acknowledged.
fn one_life(place: &Place, after: Duration) -> Vec<(String, u64)> {
    let test = "store::tests::crash::a_killed_writer_loses_no_acknowledged_write";
    // Not the path of this binary: a build that runs beside the test may have put another one there.
    let mut writer = Command::new("/proc/self/exe")
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(WRITER, &place.path)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the writer starts");
    let lines = BufReader::new(writer.stdout.take().expect("is piped")).lines();
    let (sender, receiver) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let lines = lines.map_while(Result::ok).filter_map(|line| {
            // The test harness may have written the beginning of the first line.
            let mut words = line[line.find("ack ")?..].split(' ').skip(1).map(str::to_owned);
            let ack = (words.next()?, words.next()?.parse().ok()?);
            sender.send(()).ok();
            Some(ack)
        });
        lines.collect()
    });
    // The moment of death is counted from the first write, so that each life has some.
    receiver.recv_timeout(Duration::from_secs(60)).expect("the writer writes");
    let death = Instant::now() + after;
    while receiver.recv_timeout(death.saturating_duration_since(Instant::now())).is_ok() {}
    writer.kill().expect("the writer still runs");
    writer.wait().expect("the writer ended");
    reader.join().expect("no panic")
}
