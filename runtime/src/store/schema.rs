//! The layout of the store's file.
//!
//! Responsible for: creating it, refusing a foreign or newer one before anything in it changes, the settings of the
//! connection. A change of the layout raises [`VERSION`] and adds a migration that is one transaction.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::disk::OpenError;
use super::wal;

/// The layout this program writes.
pub(super) const VERSION: i64 = 1;

/// Marks the file as a bowline store in SQLite's header: the text `bowl`.
const APPLICATION_ID: i64 = 0x626f_776c;

/// `log` holds one row per revision, in order; the newest row of an object is its state, and `deleted` ends it.
/// `mark` holds the compacted revision and how many rows at or below it must be there.
const LAYOUT: &str = "
    CREATE TABLE log (
        revision  INTEGER PRIMARY KEY,
        resource  TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name      TEXT NOT NULL,
        created   INTEGER NOT NULL,
        previous  INTEGER NOT NULL,
        deleted   INTEGER NOT NULL,
        value     BLOB NOT NULL,
        checksum  INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE mark (
        id        INTEGER PRIMARY KEY CHECK (id = 0),
        compacted INTEGER NOT NULL,
        kept      INTEGER NOT NULL,
        checksum  INTEGER NOT NULL
    ) STRICT;
";

/// SQLite takes a shorter file for an empty one.
const HEADER_BYTES: u64 = 512;

/// Refuses files that SQLite would repair by forgetting: a main file that lost its beginning, which it would start
/// anew, and a write-ahead log with a break in it, whose rest it would drop.
///
/// A store has a `-wal` file beside it from its first opening on, and a `-journal` only while it is being made.
fn check_files(path: &Path) -> Result<(), OpenError> {
    let incomplete = |missing: String| OpenError::Incomplete { path: path.to_owned(), missing };
    let wal = beside(path, "-wal");
    let len = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let begun = wal.exists() || (len > 0 && !beside(path, "-journal").exists());
    if len < HEADER_BYTES && begun {
        return Err(incomplete(format!("the file has {len} bytes, fewer than its header")));
    }
    match wal::first_damaged_frame(&wal) {
        Ok(None) => Ok(()),
        Ok(Some(frame)) => Err(incomplete(format!("frame {frame} of `{}` is not what was written", wal.display()))),
        Err(source) => Err(OpenError::File { path: wal, source }),
    }
}

/// Makes the file readable by its owner alone: it holds Secrets. SQLite gives its other files the same mode.
fn private(path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::File { path: path.to_owned(), source };
    let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    open.and_then(|file| file.set_permissions(Permissions::from_mode(0o600))).map_err(failed)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens the file and brings it to the layout this program writes.
pub(super) fn connect(path: &Path) -> Result<Connection, OpenError> {
    let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
    check_files(path)?;
    private(path)?;
    let connection = Connection::open(path).map_err(failed)?;
    // Until the version is known nothing may change, not even by moving the write-ahead log on close.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
    // One process per file: the index of the write-ahead log then stays in this process's memory.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(failed)?;
    let version: i64 = pragma(&connection, "user_version").map_err(failed)?;
    let application: i64 = pragma(&connection, "application_id").map_err(failed)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    match (application, version, tables) {
        (0, 0, 0) => create(&connection).map_err(failed)?,
        (APPLICATION_ID, VERSION, _) => {}
        (APPLICATION_ID, found, _) => {
            return Err(OpenError::Version { path: path.to_owned(), found, known: VERSION });
        }
        _ => return Err(OpenError::Foreign { path: path.to_owned() }),
    }
    settle(&connection).map_err(failed)?;
    Ok(connection)
}

/// Writes the layout in one transaction, with a rollback journal, so that the main file itself says what it is.
fn create(connection: &Connection) -> rusqlite::Result<()> {
    let checksum = super::disk::mark_checksum(0, 0);
    connection.execute_batch(&format!(
        "BEGIN EXCLUSIVE; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; {LAYOUT}
         INSERT INTO mark VALUES (0, 0, 0, {checksum}); COMMIT;"
    ))
}

fn settle(connection: &Connection) -> rusqlite::Result<()> {
    let _: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // In KiB, for being negative. Nothing is read after the opening: a cache only holds what is about to be written.
    connection.pragma_update(None, "cache_size", -512)?;
    // The writer moves the log itself, so that a failure of it is seen.
    let _: i64 = connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |row| row.get(0))?;
    // Pages of an earlier process whose fsync failed are clean in the page cache but not on disk. Writing all of
    // the log into the main file and syncing that makes them dirty again, so that what is read is durable.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.set_prepared_statement_cache_capacity(8);
    Ok(())
}

/// Reads a setting that is a number.
pub(super) fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
}
