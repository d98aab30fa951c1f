//! The server from its start to its end.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use eeg_workflow_core::builtin;
use eeg_workflow_core::engine::{Engine, EngineOptions};
use eeg_workflow_core::job::{
    JobError, JobOptions, JobProblem, JobService, Retention, SqliteStore,
};
use eeg_workflow_core::module::{ArchiveLimits, ModuleLibrary};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};

use crate::cli::{ServeOptions, exit, seconds};
use crate::command::open_files;
use crate::command::stop_signals::StopSignals;
use crate::command::telemetry;
use crate::data_dir::{self, DataDir};
use crate::http::accounts::Accounts;
use crate::http::body_memory::BodyMemory;
use crate::http::chores;
use crate::http::connection::{self, ConnectionLimits};
use crate::http::health::Health;
use crate::http::metrics::Metrics;
use crate::http::per_user::PerUser;
use crate::http::request_id::RequestIds;
use crate::http::router::ListenerKind;
use crate::http::routes;
use crate::http::site::Site;
use crate::http::state::{App, Limits};
use crate::http::user_files::{Amount, SHARED_FOLDER, UserFiles};
use crate::python::Python;
use crate::text::with_causes;

type Failure = Box<dyn Error + Send + Sync>;

/// Bytes of a form without files: e-mail addresses, passwords, job ids.
const MAX_FORM: u64 = 64 * 1024;
/// Bytes of large forms, with workflows and archives in them, that are held for one user at least;
/// four times as much is held for all.
const FORM_MEMORY: u64 = 128 << 20;
/// Archives whose code is imported at once.
const IMPORTS: usize = 4;
/// Connections of which one address may have all, and those of the metrics.
const FEW_CONNECTIONS: u64 = 64;
const MAX_HEADERS: usize = 100;
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Threads at most for what waits for a disk, and requests of one user, each of which may need
/// one, so that there are always some for others. Jobs run elsewhere.
const BLOCKING_THREADS: usize = 512;
const REQUESTS_OF_USER: usize = 256;
/// The stack of those threads: none of them goes deep.
const STACK: usize = 1 << 20;

/// Serves until the process is told to stop.
pub(crate) fn main(options: ServeOptions) -> ExitCode {
    if let Err(error) = telemetry::start(&options.log, options.log_format) {
        eprintln!("--log: {error}");
        return exit::USAGE.into();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(STACK)
        .enable_all()
        .build();
    let result = runtime.map_err(Failure::from).and_then(|runtime| {
        let result = runtime.block_on(serve(&options));
        // Whatever is still reading a disk is not waited for.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the server cannot go on");
            exit::FAILED.into()
        }
    }
}

async fn serve(options: &ServeOptions) -> Result<(), Failure> {
    // Before anything else, so that no signal is missed.
    let mut signals = StopSignals::listen()?;
    let files = open_files::raise_limit();
    let root = options.data_dir.clone().map_or_else(data_dir::default_root, Ok)?;
    let data = DataDir::open(root)?;
    let (stop, stopping) = watch::channel(false);
    let app = Arc::new(open(options, &data, stopping)?);
    let listener = bind(options.listen).await?;
    let metrics_listener = match options.metrics.metrics_listen {
        Some(address) => {
            let listener = bind(address).await?;
            tracing::info!(address = %listener.local_addr()?, "metrics are served");
            Some(listener)
        }
        None => None,
    };
    announce(&listener, app.accounts.admin_token().as_deref())?;
    tracing::info!(data = %data.root().display(), version = env!("CARGO_PKG_VERSION"), "started");
    // Says in the log how Python modules are confined; nobody waits for it.
    let python = app.python.clone();
    tokio::task::spawn_blocking(move || python.prepare());
    tokio::spawn(chores::run(app.clone()));

    let limits = connection_limits(options, files)?;
    if let Some(listener) = metrics_listener {
        let few = usize::try_from(FEW_CONNECTIONS)?;
        let limits = ConnectionLimits { connections: few, per_network: few, ..limits };
        tokio::spawn(connection::serve(app.clone(), ListenerKind::Metrics, listener, limits));
    }
    let mut serving =
        tokio::spawn(connection::serve(app.clone(), ListenerKind::Main, listener, limits));
    tokio::select! {
        () = signals.next() => {}
        ended = &mut serving => return Err(ended.err().map_or_else(|| "no longer accepting connections".into(), Failure::from)),
    }
    tracing::info!("stopping");
    stop.send_replace(true);
    let shutdown = tokio::task::spawn_blocking({
        let app = app.clone();
        move || app.jobs.shutdown(limits.grace)
    });
    tokio::select! {
        results = async { tokio::join!(serving, shutdown) } => { results.0?; results.1??; }
        // Told a second time: what is left is resumed at the next start.
        () = signals.next() => tracing::warn!("stopped at once"),
    }
    tracing::info!("stopped");
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).await;
    Ok(listener.map_err(|error| format!("cannot listen on {address}: {error}"))?)
}

/// How connections are served when this many files may be open for them.
fn connection_limits(options: &ServeOptions, files: u64) -> Result<ConnectionLimits, Failure> {
    let asked = options.connections.max_connections;
    let connections = u64::from(asked).min(files).max(1);
    if connections < u64::from(asked) {
        tracing::warn!(connections, "the limit on open files allows fewer connections");
    }
    // A proxy's connections all come from its own address.
    let per_network = match options.connections.max_connections_per_address {
        Some(per_network) => per_network.into(),
        None if options.site.behind_proxy => connections,
        None => connections.min((connections / 2).max(FEW_CONNECTIONS)),
    };
    Ok(ConnectionLimits {
        connections: usize::try_from(connections)?,
        per_network: usize::try_from(per_network)?,
        head: seconds(options.connections.head_timeout),
        write: seconds(options.connections.body_timeout),
        head_bytes: MAX_HEAD_BYTES,
        headers: MAX_HEADERS,
        grace: seconds(options.connections.grace),
    })
}

/// Opens the stores and starts the engine; unfinished jobs are resumed.
fn open(
    options: &ServeOptions,
    data: &DataDir,
    stopping: watch::Receiver<bool>,
) -> Result<App, Failure> {
    let memory_limit = match options.memory_limit {
        Some(bytes) => Some(usize::try_from(bytes.0)?),
        None => None,
    };
    let engine = Engine::new(EngineOptions {
        threads: options.threads.map(usize::from),
        memory_limit,
        ..EngineOptions::default()
    })?;
    let limits = ArchiveLimits {
        archive_bytes: usize::try_from(options.max_archive.0)?,
        ..ArchiveLimits::default()
    };
    let python = Python::new(&options.python, data.python())
        .with_times(seconds(options.python_import_timeout), seconds(options.python_idle));
    let python = Arc::new(python);
    let library = ModuleLibrary::open_with(
        &data.modules(),
        builtin::registry()?,
        limits.clone(),
        python.for_library(),
    )?;
    for broken in library.problems() {
        let (archive, error) = (&broken.archive, with_causes(&broken.error));
        tracing::warn!(archive, error, "a module archive cannot be used");
    }
    let library = Arc::new(library);
    let job_store = Arc::new(SqliteStore::open(data.jobs())?);
    let form_memory = FORM_MEMORY.max(options.max_workflow.0).max(options.max_archive.0);
    let jobs = job_options(options, data)?;
    let jobs = JobService::open(engine.clone(), job_store.clone(), library.clone(), jobs)
        .map_err(with_hint)?;
    Ok(App {
        accounts: Accounts::open(&data.accounts(), &options.accounts)?,
        jobs,
        job_store,
        health: Health::new(
            data.root(),
            [("the job store", data.jobs()), ("the accounts", data.accounts())],
        ),
        engine,
        library,
        python,
        python_uploads: options.python_uploads,
        imports: Arc::new(Semaphore::new(IMPORTS)),
        files: UserFiles::open(
            data.files(),
            Amount { bytes: options.files_quota.0, files: options.max_files.into() },
        )?,
        shared_files: options.shared_files,
        metrics: Metrics::new(routes::labels()),
        has_metrics_listener: options.metrics.metrics_listen.is_some(),
        metrics_for: options.metrics.metrics_for,
        streams: PerUser::new(usize::try_from(options.connections.max_streams)?),
        requests: PerUser::new(REQUESTS_OF_USER),
        limits: Limits {
            form: MAX_FORM,
            workflow: options.max_workflow.0,
            archive: limits,
            file: options.max_file.0,
            idle: seconds(options.connections.body_timeout),
        },
        body_memory: BodyMemory::new(4 * form_memory, form_memory),
        site: Site::new(&options.site),
        chores: Notify::new(),
        stopping,
        request_ids: RequestIds::new()?,
    })
}

/// The settings of jobs. Whatever goes wrong with them is in the log.
fn job_options(options: &ServeOptions, data: &DataDir) -> Result<JobOptions, Failure> {
    let mut jobs = JobOptions::new(data.artifacts());
    jobs.discard_foreign_artifacts = options.discard_foreign_artifacts;
    jobs.files = Some(data.files());
    jobs.shared_files = Some(data.files().join(SHARED_FOLDER));
    jobs.run_deadline = options.run_deadline.map(seconds);
    jobs.block_deadline = options.block_deadline.map(seconds);
    jobs.max_running = usize::try_from(options.max_runs)?;
    // Nobody holds up all others.
    jobs.max_running_per_owner = jobs.max_running.div_ceil(2);
    if let Some(count) = options.keep_jobs {
        jobs.retention = Retention::of_jobs(usize::try_from(count)?);
    }
    jobs.on_problem = (|problem: &JobProblem| {
        tracing::error!(error = with_causes(problem), "a problem with jobs");
    })
    .into();
    Ok(jobs)
}

/// What an operator can do about it.
fn with_hint(error: JobError) -> Failure {
    let hint = match error {
        JobError::ForeignArtifacts { .. } => " (--discard-foreign-artifacts)",
        _ => "",
    };
    format!("{}{hint}", with_causes(&error)).into()
}

/// What whoever started the server reads on standard output: the address on the first line, and
/// on a second one the administrator's token, if there is one. Both are written at once: the
/// reader may close the pipe after the first.
fn announce(listener: &TcpListener, admin_token: Option<&str>) -> io::Result<()> {
    let mut lines = format!("listening on http://{}\n", listener.local_addr()?);
    if let Some(token) = admin_token {
        lines.push_str(&format!("register the administrator with adminToken={token}\n"));
    }
    let mut out = io::stdout().lock();
    out.write_all(lines.as_bytes())?;
    out.flush()
}
