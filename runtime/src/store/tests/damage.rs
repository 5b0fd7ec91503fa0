use std::fs;

use super::fixtures::*;
use crate::store::{OpenError, Options, Store};

#[track_caller]
fn refused(place: &Place) -> OpenError {
    match Store::open(&place.path, Options::default()) {
        Ok(store) => panic!("the store opened with {}", render(&store)),
        Err(error) => error,
    }
}

fn edit(place: &Place, sql: &str) {
    let connection = rusqlite::Connection::open(&place.path).expect("opens");
    connection.execute_batch(sql).expect("the edit is valid");
}

fn filled() -> Place {
    let place = Place::new();
    let store = place.open_with(keep(3));
    for number in 0..10 {
        put(&store, &format!("pods/a/p{}", number % 4), &number.to_string());
    }
    store.compact(crate::api::Timestamp::EPOCH).expect("compacts");
    place
}

#[test]
fn a_changed_row_is_named_with_its_revision() {
    for change in [
        "UPDATE log SET value = CAST(replace(value, '9', '8') AS BLOB) WHERE revision = 10",
        "UPDATE log SET name = 'p0' WHERE revision = 10",
        "UPDATE log SET deleted = 1 WHERE revision = 10",
        "UPDATE log SET created = 1 WHERE revision = 10",
        "UPDATE log SET previous = 1 WHERE revision = 10",
    ] {
        let place = filled();
        edit(&place, change);
        match refused(&place) {
            OpenError::Damaged { revision: 10, .. } => {}
            other => panic!("{change}: {other}"),
        }
    }
}

#[test]
fn a_missing_row_is_noticed() {
    for change in [
        "DELETE FROM log WHERE revision = 9",
        "DELETE FROM log WHERE revision = (SELECT min(revision) FROM log)",
        "UPDATE mark SET compacted = 3",
        "UPDATE mark SET kept = 3",
    ] {
        let place = filled();
        edit(&place, change);
        assert!(matches!(refused(&place), OpenError::Incomplete { .. }), "{change}");
    }
}

#[test]
fn every_single_bit_flip_in_a_row_is_detected_or_harmless() {
    let place = filled();
    let before = render(&place.open());
    let clean = fs::read(&place.path).expect("readable");
    let mut detected = 0;
    for offset in (0..clean.len()).step_by(41) {
        let mut bytes = clean.clone();
        bytes[offset] ^= 1 << (offset % 8);
        fs::write(&place.path, &bytes).expect("writable");
        match Store::open(&place.path, Options::default()) {
            Ok(store) => assert_eq!(render(&store), before, "byte {offset} was changed and nobody noticed"),
            Err(_) => detected += 1,
        }
    }
    assert!(detected > 0, "no flip hit anything");
}

#[test]
fn a_bit_flip_in_the_write_ahead_log_hides_no_acknowledged_write() {
    let place = filled();
    let revision = {
        let store = place.open();
        for number in 0..8 {
            put(&store, "pods/a/late", &number.to_string());
        }
        store.revision()
    };
    let wal = place.path.with_file_name("store.db-wal");
    let (main, clean) = (fs::read(&place.path).expect("readable"), fs::read(&wal).expect("readable"));
    let (mut detected, mut dropped) = (0, 0);
    for offset in (0..clean.len()).step_by(97) {
        let mut bytes = clean.clone();
        bytes[offset] ^= 1 << (offset % 8);
        fs::write(&place.path, &main).expect("writable");
        fs::write(&wal, &bytes).expect("writable");
        match Store::open(&place.path, Options::default()) {
            Err(_) => detected += 1,
            // A broken end cannot be told from a write that was cut off before it was acknowledged.
            Ok(store) => {
                assert!(store.revision() + 2 >= revision, "byte {offset}: back at revision {}", store.revision());
                dropped += u64::from(store.revision() < revision);
            }
        }
    }
    assert!(detected > dropped, "{detected} flips were detected, {dropped} cut the end off");
    fs::write(&place.path, &main).expect("writable");
    fs::write(&wal, &clean[..clean.len() - 100]).expect("writable");
    assert_eq!(place.open().revision(), revision - 1, "a torn end is a write that was never acknowledged");
}

#[test]
fn a_cut_file_does_not_open_as_an_emptier_store() {
    let place = filled();
    // Opening moves the write-ahead log into the main file.
    drop(place.open());
    let clean = fs::read(&place.path).expect("readable");
    for keep in [0, 1, 100, 4_096, clean.len() / 2, clean.len() - 4_096, clean.len() - 1] {
        fs::write(&place.path, &clean[..keep]).expect("writable");
        refused(&place);
    }
    fs::remove_file(&place.path).expect("removable");
    assert!(matches!(refused(&place), OpenError::Incomplete { .. }), "its write-ahead log is still there");
}

#[test]
fn a_newer_layout_is_refused_and_left_as_it_is() {
    let place = filled();
    edit(&place, "PRAGMA user_version = 2");
    let before = fs::read(&place.path).expect("readable");
    let error = refused(&place).to_string();
    assert!(error.contains("version 2") && error.contains("knows 1"), "{error}");
    assert_eq!(fs::read(&place.path).expect("readable"), before);
}

#[test]
fn a_database_of_another_program_is_refused() {
    let place = Place::new();
    edit(&place, "CREATE TABLE other (id INTEGER)");
    assert!(matches!(refused(&place), OpenError::Foreign { .. }));
    fs::write(&place.path, "these are no database pages, whatever their length is".repeat(100)).expect("writable");
    assert!(matches!(refused(&place), OpenError::Sqlite { .. }));
}

#[test]
fn a_store_opens_once_at_a_time() {
    let place = Place::new();
    let store = place.open();
    let error = refused(&place);
    assert!(matches!(&error, OpenError::Locked { pid, .. } if *pid == std::process::id().to_string()), "{error}");
    drop(store);
    place.open();
}
