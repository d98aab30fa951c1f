//! Jobs kept in an SQLite file.
//!
//! One thread writes (see [`writer`]): it takes everything that waits into one transaction, so
//! that many jobs share one sync of the disk. Readers have connections of their own and, as
//! the file is in WAL mode, never wait for the writer.

mod file;
mod schema;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use self::file::StoreFile;
use self::writer::Writer;
use super::{
    BlockState, Job, JobId, JobState, JobStatus, JobStore, JobSummary, JobToken, ModuleUse, NewJob,
    Pending, Retention, StoreError, StoreStatistics, Timestamp, UnfinishedJob, saved_outputs,
};
use crate::block::OwnerId;
use crate::sync::Mutex;

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

/// Jobs that are deleted in one write, so that no other write waits for long, and the reserve is
/// enough for it on a full disk.
const PRUNED_AT_ONCE: i64 = 100;
/// More connections than this are closed after their use.
const IDLE_READERS: usize = 4;

impl SqliteStore {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// The file is in use, not a job store, of a newer format, or cannot be read or written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let file = StoreFile::new(path.as_ref());
        let lock = file.lock()?;
        file.create().map_err(|error| file.io(error))?;
        let connection = file.connect().map_err(|error| file.error(error))?;
        schema::prepare(&connection, &file)?;
        file.keep_reserve();
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
                .prepare_cached(
                    "INSERT INTO jobs (owner, status, started, token) VALUES (?1, 0, ?2, ?3)",
                )?
                .execute(params![job.owner.0, job.started.0, signed(job.token)])?;
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
        let JobState { status, ended, error, cancel_requested, .. } = state;
        let progress = to_json(&Progress {
            events: state.events,
            blocks: state.blocks,
            resumes: state.resumes,
            replaced_modules: state.replaced_modules,
        });
        let saved = &state.saved_outputs;
        let saved = if saved.is_empty() { None } else { Some(saved_outputs::encode(saved)) };
        self.writer.write(move |connection| {
            let changed = connection
                .prepare_cached(
                    "UPDATE jobs SET status = ?2, ended = ?3, error = ?4, cancelled = ?5
                     WHERE id = ?1",
                )?
                .execute(params![
                    id.0,
                    code(status),
                    ended.map(|at| at.0),
                    error,
                    cancel_requested
                ])?;
            if changed > 0 {
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO progress (job, blocks, kept) VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![id.0, progress, saved])?;
            }
            Ok(())
        })
    }

    fn delete(&self, owner: OwnerId, id: JobId) -> Pending<Result<Option<JobToken>, StoreError>> {
        let deleted = self.writer.write(move |connection| {
            let sql =
                "DELETE FROM jobs WHERE id = ?1 AND owner = ?2 AND status >= 2 RETURNING token";
            let token = connection
                .prepare_cached(sql)?
                .query_row([id.0, owner.0], |row| row.get(0).map(token))
                .optional()?;
            if token.is_some() {
                delete_rest(connection, id)?;
            }
            Ok(token)
        });
        self.writer.shrink();
        deleted
    }

    fn prune(
        &self,
        owner: OwnerId,
        keep: Retention,
        now: Timestamp,
    ) -> Pending<Result<Vec<(JobId, JobToken)>, StoreError>> {
        let deleted = self.writer.write(move |connection| {
            let mut beyond = Vec::new();
            if let Some(most) = keep.max_jobs {
                let sql = "SELECT id FROM jobs WHERE owner = ?1 AND status >= 2
                           ORDER BY id DESC LIMIT ?2 OFFSET ?3";
                let most = i64::try_from(most).unwrap_or(i64::MAX);
                beyond.extend(ids(connection, sql, [owner.0, PRUNED_AT_ONCE, most])?);
            }
            if let Some(oldest) = keep.oldest(now) {
                let sql = "SELECT id FROM jobs WHERE owner = ?1 AND status >= 2 AND ended < ?3
                           LIMIT ?2";
                beyond.extend(ids(connection, sql, [owner.0, PRUNED_AT_ONCE, oldest.0])?);
            }
            let sql = "DELETE FROM jobs WHERE id = ?1 RETURNING token";
            let mut deleted = Vec::new();
            for id in beyond {
                let token = connection
                    .prepare_cached(sql)?
                    .query_row([id.0], |row| row.get(0).map(token))
                    .optional()?;
                // Both lists may have it.
                if let Some(token) = token {
                    delete_rest(connection, id)?;
                    deleted.push((id, token));
                }
            }
            Ok(deleted)
        });
        self.writer.shrink();
        deleted
    }

    fn flush(&self) -> Pending<Result<(), StoreError>> {
        self.writer.write(|_| Ok(()))
    }

    /// Writes the version again, and reads the root of every table and index.
    fn check(&self) -> Result<(), StoreError> {
        let write = |connection: &Connection| connection.execute_batch(schema::SET_VERSION);
        self.writer.write(write).wait()?;
        self.file.keep_reserve();
        self.read(|connection| connection.prepare_cached(schema::PROBE)?.query_row([], |_| Ok(())))
    }

    fn make_room(&self) {
        self.file.give_up_reserve();
    }

    fn get(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let sql = "SELECT owner, status, started, ended, error, document, modules, blocks, kept,
                          token, cancelled
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

    fn unfinished(&self) -> Result<Vec<UnfinishedJob>, StoreError> {
        let sql = "SELECT id, token, owner, started, octet_length(document), cancelled
                   FROM jobs JOIN documents ON documents.job = id WHERE status < 2 ORDER BY id";
        self.read(|connection| {
            connection
                .prepare_cached(sql)?
                .query_map([], |row| {
                    Ok(UnfinishedJob {
                        id: JobId(row.get(0)?),
                        token: token(row.get(1)?),
                        owner: OwnerId(row.get(2)?),
                        started: Timestamp(row.get(3)?),
                        document_bytes: usize::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
                        cancel_requested: row.get(5)?,
                    })
                })?
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

    fn owners(&self) -> Result<Vec<OwnerId>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT DISTINCT owner FROM jobs")?
                .query_map([], |row| row.get(0).map(OwnerId))?
                .collect()
        })
    }

    fn token(&self, owner: OwnerId, id: JobId) -> Result<Option<JobToken>, StoreError> {
        let sql = "SELECT token FROM jobs WHERE id = ?1 AND owner = ?2";
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_row([id.0, owner.0], |row| row.get(0).map(token)).optional()
        })
    }

    fn tokens(&self) -> Result<Vec<(JobId, JobToken)>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT id, token FROM jobs")?
                .query_map([], |row| Ok((JobId(row.get(0)?), token(row.get(1)?))))?
                .collect()
        })
    }

    fn last_id(&self) -> Result<JobId, StoreError> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'jobs'";
        self.read(|connection| {
            let last =
                connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
            Ok(JobId(last.unwrap_or(0)))
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

fn ids(connection: &Connection, sql: &str, parameters: [i64; 3]) -> rusqlite::Result<Vec<JobId>> {
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map(parameters, |row| row.get(0).map(JobId))?.collect()
}

/// SQLite has no unsigned integers.
fn signed(token: JobToken) -> i64 {
    token.0.cast_signed()
}

fn token(stored: i64) -> JobToken {
    JobToken(stored.cast_unsigned())
}

/// The column `progress.blocks`.
#[derive(Default, Serialize, Deserialize)]
struct Progress {
    events: u64,
    blocks: Vec<BlockState>,
    #[serde(default)]
    resumes: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replaced_modules: Vec<ModuleUse>,
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
    saved_outputs: Option<String>,
    token: i64,
    cancelled: bool,
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
            saved_outputs: row.get(8)?,
            token: row.get(9)?,
            cancelled: row.get(10)?,
        })
    }

    fn job(self, id: JobId) -> Option<Job> {
        let modules: Vec<ModuleUse> = from_json(self.modules)?;
        let progress: Progress = from_json(self.blocks)?;
        let saved = self.saved_outputs;
        let saved = saved.map_or(Some(Vec::new()), |text| saved_outputs::decode(&text))?;
        let state = JobState {
            status: status(self.status)?,
            ended: self.ended.map(Timestamp),
            error: self.error,
            events: progress.events,
            blocks: progress.blocks,
            saved_outputs: saved,
            cancel_requested: self.cancelled,
            resumes: progress.resumes,
            replaced_modules: progress.replaced_modules,
        };
        let (started, token) = (Timestamp(self.started), token(self.token));
        Some(Job { id, token, owner: self.owner, started, document: self.document, modules, state })
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
