//! The log on disk: SQLite with a write-ahead log and an fsync per group of transactions.
//!
//! Responsible for: rows of events, their checksums, replaying them at open, deleting compacted ones, and telling a
//! full disk (nothing written) from a failed write (unknown what is written). Never decides what is written.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, Row, params};

use super::checksum::checksum;
use super::history::{Event, EventKind, History};
use super::schema;
use super::state::State;
use super::stored::Stored;
use crate::api::Key;

/// Why a store did not open. Nothing was changed in it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or directory cannot be used.
    #[error("cannot open `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// Another process, or another handle of this one, has the store open.
    #[error("cannot open the store `{path}`: process {pid} has it open; stop that process first")]
    Locked {
        /// The store.
        path: PathBuf,
        /// The process that holds it.
        pid: String,
    },
    /// The layout is not one that this program knows.
    #[error(
        "cannot open the store `{path}`: its layout is version {found}, this program knows {known}; run the version of bowline that wrote it, or a later one"
    )]
    Version {
        /// The store.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The version this program writes.
        known: i64,
    },
    /// The file is a SQLite database of another program.
    #[error("cannot open `{path}`: it is a database, but no bowline store; choose another state directory")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// SQLite cannot read or prepare the file.
    #[error("cannot open the store `{path}`; if it is damaged, move it away: what Git says is applied anew")]
    Sqlite {
        /// The store.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A row does not have the content it was written with.
    #[error(
        "the store `{path}` is damaged: `{key}` at revision {revision} does not match its checksum; move the file away: what Git says is applied anew"
    )]
    Damaged {
        /// The store.
        path: PathBuf,
        /// The object, as far as it can be read.
        key: Key,
        /// The revision of the row.
        revision: u64,
    },
    /// Rows are missing, or the record of what was compacted is not as it was written.
    #[error("the store `{path}` is damaged: {missing}; move the file away: what Git says is applied anew")]
    Incomplete {
        /// The store.
        path: PathBuf,
        /// What is missing.
        missing: String,
    },
}

/// Why a write did not become durable.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogError {
    /// The disk is full; the transaction was rolled back whole.
    #[error("the disk is full")]
    Full,
    /// Anything else: what is on disk is unknown.
    #[error("{0}")]
    Failed(String),
}

/// The step that makes events durable. Implemented by SQLite, and by tests that make it fail.
pub(super) trait Log: Send {
    /// Writes the events in one transaction and returns when they are durable.
    fn append(&mut self, events: &[Arc<Event>]) -> Result<(), LogError>;
    /// Forgets the history up to `revision`; `events` are those it consists of, in order.
    fn compact(&mut self, revision: u64, events: &[Arc<Event>]) -> Result<(), LogError>;
    /// Does what is due between groups of transactions.
    fn tidy(&mut self) -> Result<(), LogError>;
}

/// The SQLite file.
pub(super) struct Disk {
    connection: Connection,
    /// Bytes written to the write-ahead log since it was last moved to the main file.
    pending_bytes: u64,
    /// How many rows at or below the compacted revision there are.
    kept: u64,
}

/// The write-ahead log is moved to the main file beyond this size: it bounds the time of opening after a crash, and
/// a smaller one costs an fsync of the main file more often.
const WAL_BYTES_MAX: u64 = 16 << 20;

impl Disk {
    /// Opens the file, creates it where it is absent, and reads its state back.
    pub(super) fn open(path: &Path, bytes_max: Option<u64>) -> Result<(Self, State), OpenError> {
        let connection = schema::connect(path)?;
        let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
        if let Some(bytes) = bytes_max {
            let page = schema::pragma(&connection, "page_size").map_err(failed)?.unsigned_abs().max(512);
            let pages = i64::try_from(bytes / page).unwrap_or(i64::MAX);
            schema::pragma(&connection, &format!("max_page_count = {pages}")).map_err(failed)?;
        }
        sync_directory(path)?;
        let (state, kept) = replay(&connection, path)?;
        Ok((Self { connection, pending_bytes: 0, kept }, state))
    }

    /// Runs one SQLite transaction; rolls it back on any error.
    fn transaction(&mut self, body: impl FnOnce(&Connection) -> rusqlite::Result<u64>) -> Result<(), LogError> {
        let run = || {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            let bytes = body(&self.connection)?;
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            Ok(bytes)
        };
        match run() {
            Ok(bytes) => {
                self.pending_bytes += bytes;
                Ok(())
            }
            Err(error) => {
                let rolled_back = self.connection.is_autocommit() || self.connection.execute_batch("ROLLBACK").is_ok();
                Err(if rolled_back { classify(&error) } else { LogError::Failed(error.to_string()) })
            }
        }
    }
}

impl Log for Disk {
    fn append(&mut self, events: &[Arc<Event>]) -> Result<(), LogError> {
        self.transaction(|connection| {
            let mut insert =
                connection.prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
            let mut bytes = 0;
            for event in events {
                let object = event.object();
                let (value, deleted) = match &event.kind {
                    EventKind::Put { new, .. } => (new.json().as_bytes(), false),
                    EventKind::Delete { .. } => (&[][..], true),
                };
                let record = Record {
                    revision: event.revision,
                    key: object.key().clone(),
                    created: object.created_revision(),
                    previous: event.previous,
                    deleted,
                    value: Cow::Borrowed(value),
                };
                let key = &record.key;
                insert.execute(params![
                    signed(record.revision),
                    &*key.resource,
                    &*key.namespace,
                    &*key.name,
                    signed(record.created),
                    signed(record.previous),
                    record.deleted,
                    &*record.value,
                    record.checksum(),
                ])?;
                bytes += record.value.len() as u64 + 256;
            }
            Ok(bytes)
        })
    }

    fn compact(&mut self, revision: u64, events: &[Arc<Event>]) -> Result<(), LogError> {
        let mut gone: Vec<u64> = Vec::new();
        for event in events {
            gone.extend(Some(event.previous).filter(|previous| *previous > 0));
            gone.extend(matches!(event.kind, EventKind::Delete { .. }).then_some(event.revision));
        }
        let kept = self.kept + events.len() as u64 - gone.len() as u64;
        self.transaction(|connection| {
            let mut delete = connection.prepare_cached("DELETE FROM log WHERE revision = ?1")?;
            for revision in &gone {
                delete.execute([signed(*revision)])?;
            }
            let mut mark = connection.prepare_cached("UPDATE mark SET compacted = ?1, kept = ?2, checksum = ?3")?;
            mark.execute(params![signed(revision), signed(kept), mark_checksum(revision, kept)])?;
            Ok(gone.len() as u64 * 256)
        })?;
        self.kept = kept;
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), LogError> {
        if self.pending_bytes < WAL_BYTES_MAX {
            return Ok(());
        }
        self.pending_bytes = 0;
        match self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            Ok(()) => Ok(()),
            // Everything is durable in the write-ahead log; the next time may have room.
            Err(error) if matches!(classify(&error), LogError::Full) => Ok(()),
            Err(error) => Err(classify(&error)),
        }
    }
}

/// One row of the log.
struct Record<'a> {
    revision: u64,
    key: Key,
    created: u64,
    previous: u64,
    deleted: bool,
    value: Cow<'a, [u8]>,
}

impl Record<'_> {
    fn read(row: &Row<'_>) -> rusqlite::Result<(Self, u32)> {
        let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        let record = Self {
            revision: unsigned(row.get(0)?),
            key: Key::new(text(1)?, text(2)?, text(3)?),
            created: unsigned(row.get(4)?),
            previous: unsigned(row.get(5)?),
            deleted: row.get(6)?,
            value: Cow::Owned(row.get(7)?),
        };
        Ok((record, row.get(8)?))
    }

    fn checksum(&self) -> u32 {
        let numbers = [self.revision, self.created, self.previous, u64::from(self.deleted)];
        let key = &self.key;
        checksum(&numbers, &[key.resource.as_bytes(), key.namespace.as_bytes(), key.name.as_bytes(), &self.value])
    }
}

/// Reads the whole log in order of revision.
fn replay(connection: &Connection, path: &Path) -> Result<(State, u64), OpenError> {
    let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let incomplete = |missing: String| OpenError::Incomplete { path: path.to_owned(), missing };
    let mark = connection.query_row("SELECT compacted, kept, checksum FROM mark", [], |row| {
        Ok((unsigned(row.get(0)?), unsigned(row.get(1)?), row.get::<_, u32>(2)?))
    });
    let (compacted, kept, sum) = mark.map_err(failed)?;
    if mark_checksum(compacted, kept) != sum {
        return Err(incomplete("the record of what was compacted does not match its checksum".to_owned()));
    }
    let mut state = State { history: History::start_after(compacted), ..State::default() };
    let mut statement = connection.prepare("SELECT * FROM log ORDER BY revision").map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut seen = 0;
    while let Some(row) = rows.next().map_err(failed)? {
        let (record, sum) = Record::read(row).map_err(failed)?;
        let (revision, key) = (record.revision, record.key.clone());
        let damaged = || OpenError::Damaged { path: path.to_owned(), key, revision };
        if record.checksum() != sum {
            return Err(damaged());
        }
        if revision <= compacted {
            seen += 1;
        } else {
            let expected = state.snapshot.revision().max(compacted) + 1;
            if revision != expected {
                return Err(incomplete(format!("revision {expected} is missing, the next is {revision}")));
            }
        }
        restore(&mut state, record, compacted).ok_or_else(damaged)?;
    }
    if seen != kept {
        return Err(incomplete(format!("{kept} objects up to revision {compacted} were written, {seen} are there")));
    }
    if state.snapshot.revision() < compacted {
        state.snapshot.set_revision(compacted);
    }
    Ok((state, kept))
}

/// Adds one row to the state; `None` where it cannot be what was written.
fn restore(state: &mut State, record: Record<'_>, compacted: u64) -> Option<()> {
    let Record { revision, key, created, previous, deleted, value } = record;
    let event = if deleted {
        let old = state.snapshot.delete(&key, revision)?;
        Event::delete(previous, Arc::new(Stored::new(key, revision, created, old.to_value())?))
    } else {
        let json = String::from_utf8(value.into_owned()).ok()?;
        let new = Arc::new(Stored::from_json(key, revision, created, json)?);
        let old = state.snapshot.put(Arc::clone(&new));
        Event::put(old, new)
    };
    if revision > compacted {
        state.history.push(Arc::new(event));
    }
    Some(())
}

/// Sums the record of what was compacted.
pub(super) fn mark_checksum(compacted: u64, kept: u64) -> u32 {
    checksum(&[compacted, kept], &[])
}

/// Tells a full disk, after which SQLite has rolled back, from everything else.
fn classify(error: &rusqlite::Error) -> LogError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => LogError::Full,
        _ => LogError::Failed(error.to_string()),
    }
}

/// Makes the file's name durable.
fn sync_directory(path: &Path) -> Result<(), OpenError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |source| OpenError::File { path: directory.to_owned(), source };
    std::fs::File::open(directory).and_then(|file| file.sync_all()).map_err(failed)
}

/// SQLite's integers are signed; a revision never reaches the sign: at a million a second that is 292,000 years.
fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}
fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or(0)
}
