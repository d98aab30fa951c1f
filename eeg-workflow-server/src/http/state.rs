//! What every handler works with.

use std::sync::Arc;
use std::time::Duration;

use eeg_workflow_core::engine::Engine;
use eeg_workflow_core::job::{JobService, SqliteStore};
use eeg_workflow_core::module::{ArchiveLimits, ModuleLibrary};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::cli::access::MetricsFor;
use crate::cli::{PythonUploads, SharedFiles};
use crate::http::accounts::Accounts;
use crate::http::body_memory::BodyMemory;
use crate::http::health::Health;
use crate::http::metrics::Metrics;
use crate::http::per_user::PerUser;
use crate::http::rejection::Rejection;
use crate::http::request_id::RequestIds;
use crate::http::site::Site;
use crate::http::user_files::UserFiles;
use crate::python::Python;

/// The server's parts.
pub(crate) struct App {
    pub(crate) accounts: Accounts,
    pub(crate) jobs: JobService,
    /// The same store that the job service has, for its figures.
    pub(crate) job_store: Arc<SqliteStore>,
    /// Whether the databases are in order.
    pub(crate) health: Health,
    pub(crate) engine: Engine,
    pub(crate) library: Arc<ModuleLibrary>,
    /// What the library runs Python modules with.
    pub(crate) python: Arc<Python>,
    pub(crate) python_uploads: PythonUploads,
    /// Places for archives whose code is being imported.
    pub(crate) imports: Arc<Semaphore>,
    pub(crate) files: UserFiles,
    /// Who may change the files of all users.
    pub(crate) shared_files: SharedFiles,
    pub(crate) metrics: Metrics,
    /// Whether metrics are served by a listener of their own.
    pub(crate) has_metrics_listener: bool,
    /// Who may read them at the main one.
    pub(crate) metrics_for: MetricsFor,
    /// Event streams that are open.
    pub(crate) streams: Arc<PerUser>,
    /// Requests of users that are being answered.
    pub(crate) requests: Arc<PerUser>,
    pub(crate) limits: Limits,
    /// Memory for bodies that are held whole.
    pub(crate) body_memory: Arc<BodyMemory>,
    /// The names and pages that are the server's own.
    pub(crate) site: Site,
    /// Notified when there are chores for users who were disabled or deleted.
    pub(crate) chores: Notify,
    /// Becomes true when the server is to stop.
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) request_ids: RequestIds,
}

/// What is taken of a client.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Bytes of a form without files.
    pub(crate) form: u64,
    /// Bytes of a form with a workflow.
    pub(crate) workflow: u64,
    /// What a module archive may hold.
    pub(crate) archive: ArchiveLimits,
    /// Bytes of a user's file.
    pub(crate) file: u64,
    /// How long a client may send nothing in the middle of a body.
    pub(crate) idle: Duration,
}

impl App {
    /// Resolves when the server is to stop.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stopping = self.stopping.clone();
        async move {
            // An error means that the server is gone, which ends things too.
            let _ = stopping.wait_for(|stop| *stop).await;
        }
    }

    /// Waits for a place to import the code of an archive, but not for ever.
    pub(crate) async fn place_for_import(&self) -> Result<OwnedSemaphorePermit, Rejection> {
        let place = timeout(self.limits.idle, self.imports.clone().acquire_owned()).await;
        let place = place.map_err(|_| Rejection::Busy(Duration::from_secs(10)))?;
        place.map_err(Rejection::unavailable)
    }
}

/// Runs something that may wait for a disk, away from the threads that serve connections.
pub(crate) async fn blocking<T: Send + 'static>(
    app: &Arc<App>,
    task: impl FnOnce(&App) -> Result<T, Rejection> + Send + 'static,
) -> Result<T, Rejection> {
    let app = app.clone();
    let result = tokio::task::spawn_blocking(move || task(&app)).await;
    result.map_err(Rejection::unavailable)?
}
