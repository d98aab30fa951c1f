//! The server itself: what it is, whether it is well, and what it counts.

use std::sync::Arc;

use bytes::Bytes;
use eeg_workflow_core::job::JobStore;
use hyper::StatusCode;
use serde_json::json;

use crate::cli::access::MetricsFor;
use crate::http::metrics::{self, Page};
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::{self, Response};
use crate::http::state::App;
use crate::text::with_causes;

/// What this is, for whoever opens the address in a browser.
pub(crate) async fn about(_: Arc<App>, _: Call) -> Result<Response, Rejection> {
    let answer = json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "links": { "openapi": "/api/openapi.json", "health": "/healthz", "metrics": "/metrics" },
    });
    Ok(response::json(StatusCode::OK, &answer))
}

/// Whether the stores can be read and written, and jobs are taken.
pub(crate) async fn health(app: Arc<App>, _: Call) -> Result<Response, Rejection> {
    if *app.stopping.borrow() {
        return Err(Rejection::ShuttingDown);
    }
    let jobs = app.clone();
    let store = move || jobs.jobs.health().map_err(|error| with_causes(&error));
    app.health.check(store).await.map_err(Rejection::Unhealthy)?;
    Ok(response::json(StatusCode::OK, &json!({ "status": "ok" })))
}

/// All counters, in Prometheus' text format.
pub(crate) async fn metrics(app: Arc<App>, call: Call) -> Result<Response, Rejection> {
    if app.metrics_for == MetricsFor::Admins && !app.has_metrics_listener {
        let user = app.accounts.authenticate(&call.head.headers)?;
        if !user.is_admin {
            return Err(Rejection::NotAdmin);
        }
    }
    let mut page = Page::default();
    app.metrics.write(&mut page);
    let jobs = app.jobs.counts();
    page.kind("eeg_jobs", "gauge", "Jobs that wait or run.");
    page.line(format_args!("eeg_jobs{{state=\"queued\"}} {}", jobs.queued));
    page.line(format_args!("eeg_jobs{{state=\"running\"}} {}", jobs.running));
    page.kind("eeg_jobs_finished_total", "counter", "Jobs that ended since the start.");
    page.line(format_args!("eeg_jobs_finished_total{{state=\"completed\"}} {}", jobs.completed));
    page.line(format_args!("eeg_jobs_finished_total{{state=\"failed\"}} {}", jobs.failed));
    page.line(format_args!("eeg_jobs_finished_total{{state=\"cancelled\"}} {}", jobs.cancelled));
    let engine = app.engine.statistics();
    page.kind("eeg_engine_runs", "gauge", "Runs in the engine.");
    page.line(format_args!("eeg_engine_runs{{state=\"running\"}} {}", engine.running));
    page.line(format_args!("eeg_engine_runs{{state=\"queued\"}} {}", engine.queued));
    let help = "Threads for blocks that compute.";
    page.value("eeg_engine_threads", "gauge", help, engine.threads);
    let help = "Memory that the outputs of blocks hold.";
    page.value("eeg_engine_output_bytes", "gauge", help, engine.memory_held);
    let help = "The most memory that the outputs of blocks ever held.";
    page.value("eeg_engine_output_bytes_peak", "gauge", help, engine.memory_peak);
    let help = "Event streams that are open.";
    page.value("eeg_event_streams", "gauge", help, app.streams.count());
    let help = "Bytes of large forms that are held in memory.";
    page.value("eeg_form_bytes", "gauge", help, app.body_memory.held());
    let python = app.python.workers();
    page.kind("eeg_python_workers", "gauge", "Interpreters for blocks of Python modules.");
    page.line(format_args!("eeg_python_workers{{state=\"busy\"}} {}", python.busy));
    let idle = python.all.saturating_sub(python.busy);
    page.line(format_args!("eeg_python_workers{{state=\"idle\"}} {idle}"));
    let store = app.job_store.statistics();
    let help = "Changes of jobs that were stored.";
    page.value("eeg_job_store_writes_total", "counter", help, store.writes);
    let help = "Transactions that made them durable.";
    page.value("eeg_job_store_commits_total", "counter", help, store.commits);
    let help = "Changes of jobs that could not be stored.";
    page.value("eeg_job_store_failures_total", "counter", help, store.failures);
    if let Some(bytes) = metrics::resident_bytes() {
        let help = "Memory that the process holds.";
        page.value("process_resident_memory_bytes", "gauge", help, bytes);
    }
    let text = Bytes::from(page.into_text());
    Ok(response::full(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text))
}
