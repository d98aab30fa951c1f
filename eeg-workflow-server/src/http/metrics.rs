//! What the server counts, as Prometheus reads it.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hyper::StatusCode;

/// The statuses that are counted one by one; any other counts as the last of them.
const STATUSES: [u16; 20] = [
    200, 201, 202, 204, 206, 304, 400, 403, 404, 405, 408, 409, 413, 415, 416, 429, 503, 500, 501,
    0,
];
/// Upper bounds of the histogram of durations, in microseconds.
const BUCKETS: [u64; 11] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 10_000_000];

/// Counters of the requests that were answered.
pub(crate) struct Metrics {
    labels: Vec<RouteLabel>,
    /// By route; the last one is for requests that matched none.
    routes: Vec<RouteMetrics>,
    buckets: [AtomicU64; BUCKETS.len() + 1],
    microseconds: AtomicU64,
}

#[derive(Default)]
struct RouteMetrics([AtomicU64; STATUSES.len()]);

/// What the requests of a route are counted under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteLabel {
    pub(crate) method: &'static str,
    pub(crate) pattern: &'static str,
}

impl Metrics {
    /// Counters that are all zero, for these routes.
    pub(crate) fn new(labels: Vec<RouteLabel>) -> Self {
        Self {
            routes: (0..=labels.len()).map(|_| RouteMetrics::default()).collect(),
            labels,
            buckets: Default::default(),
            microseconds: AtomicU64::new(0),
        }
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, route: Option<usize>, status: StatusCode, elapsed: Duration) {
        let place = STATUSES.iter().position(|known| *known == status.as_u16());
        let place = place.unwrap_or(STATUSES.len() - 1);
        let route = self.routes.get(route.unwrap_or(self.labels.len()));
        if let Some(counter) = route.and_then(|route| route.0.get(place)) {
            counter.fetch_add(1, Relaxed);
        }
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|bound| *bound < micros);
        if let Some(counter) = self.buckets.get(bucket) {
            counter.fetch_add(1, Relaxed);
        }
        self.microseconds.fetch_add(micros, Relaxed);
    }

    /// Writes all counters.
    pub(crate) fn write(&self, out: &mut Page) {
        out.kind("eeg_http_requests_total", "counter", "Requests answered.");
        for (index, route) in self.routes.iter().enumerate() {
            let (method, path) = match self.labels.get(index) {
                Some(label) => (label.method, label.pattern),
                None => ("", "none"),
            };
            for (status, counter) in STATUSES.iter().zip(&route.0) {
                let count = counter.load(Relaxed);
                if count > 0 {
                    let status = if *status == 0 { "other".to_owned() } else { status.to_string() };
                    out.line(format_args!(
                        "eeg_http_requests_total{{method=\"{method}\",route=\"{path}\",status=\"{status}\"}} {count}"
                    ));
                }
            }
        }
        let name = "eeg_http_request_duration_seconds";
        out.kind(name, "histogram", "Time from a request's head to the head of its answer.");
        let mut count = 0;
        for (index, counter) in self.buckets.iter().enumerate() {
            count += counter.load(Relaxed);
            match BUCKETS.get(index) {
                Some(micros) => {
                    let bound = Duration::from_micros(*micros).as_secs_f64();
                    out.line(format_args!("{name}_bucket{{le=\"{bound}\"}} {count}"));
                }
                None => out.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {count}")),
            }
        }
        let sum = Duration::from_micros(self.microseconds.load(Relaxed)).as_secs_f64();
        out.line(format_args!("{name}_sum {sum}"));
        out.line(format_args!("{name}_count {count}"));
    }
}

/// A page of metrics in Prometheus' text format.
#[derive(Default)]
pub(crate) struct Page(String);

impl Page {
    /// What the lines that follow are.
    pub(crate) fn kind(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    /// One line.
    pub(crate) fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    /// One value of a kind of its own.
    pub(crate) fn value(&mut self, name: &str, kind: &str, help: &str, value: impl fmt::Display) {
        self.kind(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// The memory that the process holds, in bytes, where the system tells.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}
