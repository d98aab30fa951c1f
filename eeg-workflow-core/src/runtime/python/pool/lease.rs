//! A worker that is somebody's for a while, or why there is none.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::block::{BlockError, Stop};
use crate::runtime::python::PythonError;
use crate::runtime::python::pool::Pool;
use crate::runtime::python::worker::Worker;

/// Why there is no worker.
pub(crate) enum NoWorker {
    /// The run must stop.
    Stopped(Stop),
    /// The worker that is asked for has ended.
    Gone,
    /// A worker could not be started.
    Failed(PythonError),
}

impl NoWorker {
    /// As the error of the block that needed the worker, because of `what` it holds.
    pub(crate) fn into_error(self, what: &str) -> BlockError {
        match self {
            Self::Stopped(stop) => stop.into(),
            Self::Failed(error) => {
                let details = format!("{error}\n{}", error.details());
                BlockError::from_error(error).with_details(details.trim_end())
            }
            Self::Gone => {
                BlockError::new(format!("{what} was lost: the worker that held it has ended"))
            }
        }
    }
}

/// A worker that is ours until this is dropped.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    worker: Option<Worker>,
}

impl Lease {
    pub(crate) fn new(pool: &Arc<Pool>, worker: Worker) -> Self {
        Self { pool: Arc::clone(pool), worker: Some(worker) }
    }
}

impl Deref for Lease {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        self.worker.as_ref().unwrap_or_else(|| unreachable!("taken only when it is dropped"))
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Worker {
        self.worker.as_mut().unwrap_or_else(|| unreachable!("taken only when it is dropped"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.pool.give_back(worker);
        }
    }
}
