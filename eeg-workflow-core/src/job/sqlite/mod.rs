//! Jobs kept in an SQLite file.
//!
//! One thread writes (see [`writer`]): it takes everything that waits into one transaction, so
//! that many jobs share one sync of the disk. Readers have connections of their own and, as
//! the file is in WAL mode, never wait for the writer.

mod schema;
mod writer;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::{
    BlockState, Job, JobId, JobState, JobStatus, JobStore, JobSummary, ModuleUse, NewJob, Pending,
    StoreError, StoreStatistics, Timestamp, kept,
};
use crate::block::OwnerId;
use crate::sync::Mutex;
use writer::Writer;

/// A store in an SQLite file. What has resolved survives a loss of power (write-ahead log,
/// `synchronous=FULL`).
///
/// The file is made readable for its owner only. A second store on the same file is refused
/// while this one is open (a lock on `<file>.lock`).
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: Mutex<Vec<Connection>>,
    file: StoreFile,
    /// Held until the store is dropped.
    _lock: File,
}

/// The file's path, for connections and messages.
#[derive(Clone, Debug)]
struct StoreFile(Arc<Path>);

/// More connections than this are closed after their use.
const IDLE_READERS: usize = 4;

impl SqliteStore {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// The file is in use, no job store, of a newer format, or cannot be read or written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let file = StoreFile(path.as_ref().into());
        let lock = file.lock()?;
        file.create().map_err(|error| file.io(error))?;
        let connection = file.connect().map_err(|error| file.error(error))?;
        schema::prepare(&connection, &file)?;
        let writer = Writer::start(connection, file.clone())?;
        Ok(Self { writer, readers: Mutex::default(), file, _lock: lock })
    }

    fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = self.readers.lock().pop();
        let connection = idle.map_or_else(|| self.file.connect_reader(), Ok);
        let connection = connection.map_err(|error| self.file.error(error))?;
        let result = query(&connection).map_err(|error| self.file.error(error));
        let mut readers = self.readers.lock();
        if readers.len() < IDLE_READERS {
            readers.push(connection);
        }
        result
    }
}

impl JobStore for SqliteStore {
    fn insert(&self, job: NewJob) -> Pending<Result<JobId, StoreError>> {
        self.writer.write(move |connection| {
            let modules = if job.modules.is_empty() { None } else { Some(to_json(&job.modules)) };
            connection
                .prepare_cached("INSERT INTO jobs (owner, status, started) VALUES (?1, 0, ?2)")?
                .execute(params![job.owner.0, job.started.0])?;
            let id = connection.last_insert_rowid();
            connection
                .prepare_cached(
                    "INSERT INTO documents (job, document, modules) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![id, job.document, modules])?;
            Ok(JobId(id))
        })
    }

    fn save(&self, id: JobId, state: JobState) -> Pending<Result<(), StoreError>> {
        // Made here, on the thread of whoever saves: the writer is there for all.
        let progress = to_json(&Progress {
            events: state.events,
            blocks: state.blocks,
            cancel_requested: state.cancel_requested,
            resumes: state.resumes,
        });
        let kept = if state.kept.is_empty() { None } else { Some(kept::encode(&state.kept)) };
        let (status, ended, error) = (state.status, state.ended, state.error);
        self.writer.write(move |connection| {
            let changed = connection
                .prepare_cached(
                    "UPDATE jobs SET status = ?2, ended = ?3, error = ?4 WHERE id = ?1",
                )?
                .execute(params![id.0, code(status), ended.map(|at| at.0), error])?;
            if changed > 0 {
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO progress (job, blocks, kept) VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![id.0, progress, kept])?;
            }
            Ok(())
        })
    }

    fn delete(&self, owner: OwnerId, id: JobId) -> Pending<Result<bool, StoreError>> {
        self.writer.write(move |connection| {
            let sql = "DELETE FROM jobs WHERE id = ?1 AND owner = ?2 AND status >= 2";
            let found = connection.prepare_cached(sql)?.execute(params![id.0, owner.0])? > 0;
            if found {
                delete_rest(connection, id)?;
            }
            Ok(found)
        })
    }

    fn delete_finished(&self, owner: OwnerId) -> Pending<Result<Vec<JobId>, StoreError>> {
        self.writer.write(move |connection| {
            let sql = "DELETE FROM jobs WHERE owner = ?1 AND status >= 2 RETURNING id";
            let ids: Vec<JobId> = connection
                .prepare_cached(sql)?
                .query_map([owner.0], |row| row.get(0).map(JobId))?
                .collect::<Result<_, _>>()?;
            for id in &ids {
                delete_rest(connection, *id)?;
            }
            Ok(ids)
        })
    }

    fn flush(&self) -> Pending<Result<(), StoreError>> {
        self.writer.write(|_| Ok(()))
    }

    /// Writes the version again, and reads the root of every table and index.
    fn check(&self) -> Result<(), StoreError> {
        let write = |connection: &Connection| connection.execute_batch(schema::SET_VERSION);
        self.writer.write(write).wait()?;
        self.read(|connection| connection.prepare_cached(schema::PROBE)?.query_row([], |_| Ok(())))
    }

    fn get(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let sql = "SELECT owner, status, started, ended, error, document, modules, blocks, kept
                   FROM jobs JOIN documents ON documents.job = id
                   LEFT JOIN progress ON progress.job = id WHERE id = ?1";
        let row = self.read(|connection| {
            connection.prepare_cached(sql)?.query_row([id.0], StoredJob::read).optional()
        })?;
        row.map(|row| row.job(id).ok_or_else(|| self.file.damaged(format!("job {id}")))).transpose()
    }

    fn list(
        &self,
        owner: OwnerId,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobSummary>, StoreError> {
        let sql = "SELECT id, status, started, ended FROM jobs
                   WHERE owner = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
        let before = before.map_or(i64::MAX, |id| id.0);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<(i64, i64, i64, Option<i64>)> = self.read(|connection| {
            connection
                .prepare_cached(sql)?
                .query_map([owner.0, before, limit], |row| row.try_into())?
                .collect()
        })?;
        let summary = |(id, code, started, ended): (_, _, _, Option<i64>)| {
            let status = status(code).ok_or_else(|| self.file.damaged(format!("job {id}")))?;
            let (started, ended) = (Timestamp(started), ended.map(Timestamp));
            Ok(JobSummary { id: JobId(id), status, started, ended })
        };
        rows.into_iter().map(summary).collect()
    }

    fn unfinished(&self) -> Result<Vec<JobId>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT id FROM jobs WHERE status < 2 ORDER BY id")?
                .query_map([], |row| row.get(0).map(JobId))?
                .collect()
        })
    }

    fn unfinished_with(&self, digest: &str) -> Result<Vec<(OwnerId, JobId)>, StoreError> {
        let sql = "SELECT owner, id FROM jobs JOIN documents ON documents.job = id
                   WHERE status < 2 AND instr(modules, ?1) > 0 ORDER BY id";
        self.read(|connection| {
            connection
                .prepare_cached(sql)?
                .query_map([digest], |row| Ok((OwnerId(row.get(0)?), JobId(row.get(1)?))))?
                .collect()
        })
    }

    fn statistics(&self) -> StoreStatistics {
        self.writer.statistics()
    }
}

fn delete_rest(connection: &Connection, id: JobId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM documents WHERE job = ?1")?.execute([id.0])?;
    connection.prepare_cached("DELETE FROM progress WHERE job = ?1")?.execute([id.0])?;
    Ok(())
}

/// The column `progress.blocks`.
#[derive(Default, Serialize, Deserialize)]
struct Progress {
    events: u64,
    blocks: Vec<BlockState>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    cancel_requested: bool,
    #[serde(default)]
    resumes: u32,
}

struct StoredJob {
    owner: OwnerId,
    status: i64,
    started: i64,
    ended: Option<i64>,
    error: Option<Arc<str>>,
    document: Arc<str>,
    modules: Option<String>,
    blocks: Option<String>,
    kept: Option<String>,
}

impl StoredJob {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            owner: OwnerId(row.get(0)?),
            status: row.get(1)?,
            started: row.get(2)?,
            ended: row.get(3)?,
            error: row.get(4)?,
            document: row.get(5)?,
            modules: row.get(6)?,
            blocks: row.get(7)?,
            kept: row.get(8)?,
        })
    }

    fn job(self, id: JobId) -> Option<Job> {
        let modules: Vec<ModuleUse> = from_json(self.modules)?;
        let progress: Progress = from_json(self.blocks)?;
        let kept = self.kept.map_or(Some(Vec::new()), |text| kept::decode(&text))?;
        let state = JobState {
            status: status(self.status)?,
            ended: self.ended.map(Timestamp),
            error: self.error,
            events: progress.events,
            blocks: progress.blocks,
            kept,
            cancel_requested: progress.cancel_requested,
            resumes: progress.resumes,
        };
        let started = Timestamp(self.started);
        Some(Job { id, owner: self.owner, started, document: self.document, modules, state })
    }
}

/// What serialises without a failure, as JSON text.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn from_json<T: Default + for<'de> Deserialize<'de>>(text: Option<String>) -> Option<T> {
    text.map_or_else(|| Some(T::default()), |text| serde_json::from_str(&text).ok())
}

/// The column `jobs.status`: below 2 the job has not ended.
fn code(status: JobStatus) -> i64 {
    match status {
        JobStatus::Queued => 0,
        JobStatus::Running => 1,
        JobStatus::Completed => 2,
        JobStatus::Failed => 3,
        JobStatus::Cancelled => 4,
    }
}

fn status(code: i64) -> Option<JobStatus> {
    use JobStatus::{Cancelled, Completed, Failed, Queued, Running};
    let code = usize::try_from(code).ok()?;
    [Queued, Running, Completed, Failed, Cancelled].get(code).copied()
}

impl StoreFile {
    /// Refuses a second store: two would both run what is unfinished.
    fn lock(&self) -> Result<File, StoreError> {
        let mut path = self.0.as_os_str().to_owned();
        path.push(".lock");
        let lock = private(OpenOptions::new().create(true).truncate(false))
            .open(path)
            .map_err(|error| self.io(error))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse(self.path())),
            Err(std::fs::TryLockError::Error(error)) => Err(self.io(error)),
        }
    }

    /// Makes the file, for its owner only; SQLite gives the files beside it the same mode.
    fn create(&self) -> io::Result<()> {
        match private(OpenOptions::new().create_new(true)).open(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.map(drop),
        }
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.0)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        // Without it, binding a value plans a cached statement anew each time.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(connection)
    }

    fn connect_reader(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect()?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }

    fn path(&self) -> PathBuf {
        self.0.to_path_buf()
    }

    fn damaged(&self, problem: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: self.path(), problem: problem.into() }
    }

    fn io(&self, error: io::Error) -> StoreError {
        if error.kind() == io::ErrorKind::StorageFull {
            return StoreError::Full(self.path());
        }
        StoreError::Io { path: self.path(), source: Arc::new(error) }
    }

    fn error(&self, error: rusqlite::Error) -> StoreError {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::TooBig) => StoreError::TooLarge(self.path()),
            Some(ErrorCode::DiskFull) => StoreError::Full(self.path()),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Busy(self.path())
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                self.damaged(error.to_string())
            }
            _ => StoreError::Io { path: self.path(), source: Arc::new(error) },
        }
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.write(true)
}
