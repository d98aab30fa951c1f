//! Settings of the job service.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{JobProblem, Retention};

/// Settings of a [`JobService`](super::JobService).
///
/// ```
/// use eeg_workflow_core::job::{JobOptions, Retention};
///
/// let mut options = JobOptions::new("/var/lib/lab/artifacts");
/// options.max_running = 8;
/// options.retention = Retention::of_jobs(1_000);
/// options.on_problem = (|problem: &_| eprintln!("{problem}")).into();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JobOptions {
    /// The folder of artifacts, with one folder in it for each job that made any. It is made
    /// if it is not there.
    pub artifacts: PathBuf,
    /// Whether artifacts of jobs that the store has never known are removed when the service is
    /// opened. Otherwise it is not opened when there are any: the store may have been lost, or
    /// be an old copy, and the files are those of other users.
    pub discard_foreign_artifacts: bool,
    /// The folder of the users' files, with one folder in it for each user, named by the
    /// user's id; without it, FILE parameters name nothing.
    pub files: Option<PathBuf>,
    /// The folder of files that all users may read, which `Shared/…` in FILE parameters stands
    /// for; without it, that is the user's own folder, as `Home/…` is.
    pub shared_files: Option<PathBuf>,
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
    /// Bytes of the documents of all jobs that run at once, half of them of one owner; but each
    /// owner can run one job of any size.
    pub max_running_bytes: usize,
    /// Jobs of one owner that have not ended; further ones are refused.
    pub max_unfinished_per_owner: usize,
    /// Bytes of the documents of waiting jobs that are held in memory, so that they start at
    /// once; beyond that they are in the store only until their turn comes.
    pub max_waiting_bytes: usize,
    /// How often the progress of a running job is stored at most.
    pub save_interval: Duration,
    /// How often a job is resumed after the process has ended without a shutdown while the job
    /// was running; then it has failed, because it may be what ends the process.
    pub max_resumes: u32,
    /// Which finished jobs are kept; by default all.
    pub retention: Retention,
    /// Is told of everything that goes wrong.
    pub on_problem: ProblemListener,
}

impl JobOptions {
    /// Settings with this folder for artifacts, without deadlines: 128 jobs at once, 64 of them
    /// of one owner, 512 MiB of documents; 10,000 unfinished ones of one owner, 16 MiB of them
    /// in memory; 3 resumes; finished jobs are kept.
    pub fn new(artifacts: impl Into<PathBuf>) -> Self {
        Self {
            artifacts: artifacts.into(),
            discard_foreign_artifacts: false,
            files: None,
            shared_files: None,
            run_deadline: None,
            block_deadline: None,
            memory_limit: None,
            max_running: 128,
            max_running_per_owner: 64,
            max_running_bytes: 512 << 20,
            max_unfinished_per_owner: 10_000,
            max_waiting_bytes: 16 << 20,
            save_interval: Duration::from_millis(200),
            max_resumes: 3,
            retention: Retention::default(),
            on_problem: ProblemListener::default(),
        }
    }
}

/// Whoever is told of what goes wrong in a job service: a closure, from which it is made by
/// `into()`. It is called on threads of the service and of callers, and must be quick.
#[derive(Clone, Default)]
pub struct ProblemListener(Option<Arc<OnProblem>>);

type OnProblem = dyn Fn(&JobProblem) + Send + Sync;

impl ProblemListener {
    pub(super) fn tell(&self, problem: &JobProblem) {
        if let Some(listener) = &self.0 {
            listener(problem);
        }
    }
}

impl<F: Fn(&JobProblem) + Send + Sync + 'static> From<F> for ProblemListener {
    fn from(listener: F) -> Self {
        Self(Some(Arc::new(listener)))
    }
}

impl fmt::Debug for ProblemListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProblemListener").field(&self.0.is_some()).finish()
    }
}
