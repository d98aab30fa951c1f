//! Settings of the job service.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of a [`JobService`](super::JobService).
#[derive(Clone, Debug)]
pub struct JobOptions {
    /// The folder of artifacts, with one folder in it for each job that made any. It is made
    /// if it is not there.
    pub artifacts: PathBuf,
    /// The folder of the users' files, with one folder in it for each user, named by the
    /// user's id; without it, FILE parameters name nothing.
    pub files: Option<PathBuf>,
    /// How long a job may run.
    pub run_deadline: Option<Duration>,
    /// How long a block may run.
    pub block_deadline: Option<Duration>,
    /// Bytes that the outputs of a job may hold.
    pub memory_limit: Option<usize>,
    /// Jobs that run at once; others wait, and owners take turns.
    pub max_running: usize,
    /// Jobs of one owner that run at once.
    pub max_running_per_owner: usize,
    /// Jobs of one owner that have not ended; further ones are refused.
    pub max_unfinished_per_owner: usize,
    /// How often the progress of a running job is stored at most.
    pub save_interval: Duration,
    /// How often a job is resumed after the process has ended without a shutdown while the job
    /// was running; then it has failed, because it may be what ends the process.
    pub max_resumes: u32,
}

impl Default for JobOptions {
    /// No deadlines; 128 jobs at once, 64 of them of one owner; 10,000 unfinished ones of one
    /// owner; 3 resumes. The folder of artifacts is for the caller to name.
    fn default() -> Self {
        Self {
            artifacts: PathBuf::new(),
            files: None,
            run_deadline: None,
            block_deadline: None,
            memory_limit: None,
            max_running: 128,
            max_running_per_owner: 64,
            max_unfinished_per_owner: 10_000,
            save_interval: Duration::from_millis(200),
            max_resumes: 3,
        }
    }
}
