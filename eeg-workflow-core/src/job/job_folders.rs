//! The folders of all jobs' artifacts, each named after the job that it belongs to.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::hash::BuildHasher;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use super::artifact::{self, ArtifactFolder};
use super::{JobError, JobId, JobStore, JobToken};

/// The folder with a folder for each job that has made files: `<number>-<token>`, or `<number>`
/// for a job without a token.
#[derive(Debug)]
pub(super) struct JobFolders {
    path: PathBuf,
    tokens: Tokens,
}

impl JobFolders {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        if path.as_os_str().is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it has no name"));
        }
        artifact::make(&path)?;
        Ok(Self { path, tokens: Tokens::default() })
    }

    /// A token for a new job.
    pub(super) fn new_token(&self) -> JobToken {
        self.tokens.next()
    }

    /// The folder of this job.
    pub(super) fn of(&self, id: JobId, token: JobToken) -> ArtifactFolder {
        ArtifactFolder::new(self.path.join(name(id, token)))
    }

    /// Removes the folders of jobs that were deleted. Folders of jobs that the store has never
    /// known, or knows with another token, mean that the store was lost, or is an old copy or
    /// another one: they are refused, or removed too if that is asked for.
    ///
    /// # Errors
    /// There are such folders, or the store or a folder failed.
    pub(super) fn sweep(
        &self,
        store: &dyn JobStore,
        discard_foreign: bool,
    ) -> Result<(), JobError> {
        let failed = |source| JobError::Artifacts { folder: self.path.clone(), source };
        let folders = self.folders().map_err(failed)?;
        if folders.is_empty() {
            return Ok(());
        }
        let (last, jobs) = (store.last_id()?, store.tokens()?);
        let jobs: HashMap<JobId, JobToken> = jobs.into_iter().collect();
        let (mut deleted, mut foreign) = (Vec::new(), Vec::new());
        for (id, token, path) in folders {
            match jobs.get(&id) {
                Some(known) if *known == token => {}
                None if id <= last => deleted.push(path),
                _ => foreign.push(path),
            }
        }
        if let (Some(folder), false) = (foreign.first(), discard_foreign) {
            let (folder, count) = (folder.clone(), foreign.len());
            return Err(JobError::ForeignArtifacts { folder, count });
        }
        for folder in deleted.into_iter().chain(foreign) {
            let removed = ArtifactFolder::new(&folder).remove();
            removed.map_err(|source| JobError::Artifacts { folder, source })?;
        }
        Ok(())
    }

    fn folders(&self) -> io::Result<Vec<(JobId, JobToken, PathBuf)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // What has another name is not of this library, and is left alone.
            if let Some((id, token)) = parse(&entry.file_name()) {
                found.push((id, token, entry.path()));
            }
        }
        Ok(found)
    }
}

fn name(id: JobId, token: JobToken) -> String {
    match token {
        JobToken(0) => id.to_string(),
        JobToken(token) => format!("{id}-{token:016x}"),
    }
}

fn parse(folder: &OsStr) -> Option<(JobId, JobToken)> {
    let text = folder.to_str()?;
    let (id, token) = match text.split_once('-') {
        Some((id, token)) => (id, u64::from_str_radix(token, 16).ok()?),
        None => (text, 0),
    };
    let (id, token) = (JobId(id.parse().ok()?), JobToken(token));
    (name(id, token) == text).then_some((id, token))
}

/// Numbers that do not come again, also in another process: hashed with a random key.
#[derive(Debug, Default)]
struct Tokens {
    key: std::hash::RandomState,
    given: AtomicU64,
}

impl Tokens {
    fn next(&self) -> JobToken {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let given = self.given.fetch_add(1, Relaxed);
        JobToken(self.key.hash_one((since.as_nanos(), given)).max(1))
    }
}
