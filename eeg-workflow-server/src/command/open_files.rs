//! The limit on open files, of which each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept for the store, files of users, artifacts and Python workers: a quarter of the limit, within
/// these bounds.
const KEPT_AT_LEAST: u64 = 32;
const KEPT_AT_MOST: u64 = 2_048;

/// Raises the limit of this process as far as the system allows without special rights. Says how
/// many files are left for connections.
pub(crate) fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit on open files cannot be raised");
            limit.current
        }
    };
    // None means that there is no limit.
    let files = current.unwrap_or(u64::MAX);
    files.saturating_sub((files / 4).clamp(KEPT_AT_LEAST, KEPT_AT_MOST))
}
