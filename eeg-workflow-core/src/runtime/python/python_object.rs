//! A value that stays in the worker that made it.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde_json::json;

use crate::block::{BlockError, Object, OwnerId, Value};
use crate::runtime::python::code::Code;
use crate::runtime::python::files::StagedFile;
use crate::runtime::python::memory;
use crate::runtime::python::pool::Pool;
use crate::runtime::python::worker::link::WorkerLink;
use crate::runtime::python::worker::output::Printed;
use crate::runtime::python::worker::waiter::Waiter;
use crate::sync::Mutex;

/// A Python object: in the worker that made it, under a number, until nobody needs it.
pub(super) struct PythonObject {
    pub(super) link: Arc<WorkerLink>,
    pub(super) handle: u64,
    pub(super) code: Arc<Code>,
    pub(super) owner: OwnerId,
    /// The class, for messages.
    pub(super) class: String,
    /// What it is to native blocks, in words: its class, and why it is of no use to them.
    pub(super) described: String,
    pub(super) size: usize,
    /// Whether it shares no parts with others, so that its only consumer may have it itself.
    pub(super) is_alone: bool,
    /// What stands for it where native blocks take it.
    pub(super) native: Option<Value>,
    /// The files that it may still read from.
    pub(super) files: Arc<[StagedFile]>,
    /// The pickled value, or why it cannot be pickled, once somebody needed it.
    pub(super) pickled: Mutex<Option<Result<Arc<OwnedFd>, String>>>,
    /// The worker has given it to a block for good.
    pub(super) is_taken: bool,
}

/// Why a value cannot be moved to another worker.
pub(super) enum Immovable {
    /// It cannot be pickled.
    Pinned(String),
    /// It is lost, or the run must stop.
    Failed(BlockError),
}

impl PythonObject {
    /// Whether its last consumer may have it itself.
    pub(super) fn can_be_handed_over(self: &mut Arc<Self>) -> bool {
        self.is_alone && self.has_one_taker()
    }

    /// Whether nobody else takes it. Where another needed a copy and there could be none, there
    /// are several for good: which of them fails must not depend on which is first.
    pub(super) fn has_one_taker(self: &mut Arc<Self>) -> bool {
        let Some(object) = Arc::get_mut(self) else { return false };
        let pickled = object.pickled.get_mut();
        !matches!(pickled, Some(Err(_)))
    }

    /// The pickled value; it is pickled when somebody needs it for the first time.
    pub(super) fn pickled(
        &self,
        pool: &Arc<Pool>,
        waiter: &dyn Waiter,
    ) -> Result<Arc<OwnedFd>, Immovable> {
        let mut pickled = self.pickled.lock();
        let result = match &*pickled {
            Some(result) => result.clone(),
            None => {
                let result = self.pickle(pool, waiter).map_err(Immovable::Failed)?;
                pickled.insert(result).clone()
            }
        };
        result.map_err(Immovable::Pinned)
    }

    fn pickle(
        &self,
        pool: &Arc<Pool>,
        waiter: &dyn Waiter,
    ) -> Result<Result<Arc<OwnedFd>, String>, BlockError> {
        let mut worker = pool
            .holder(&self.link, waiter)
            .map_err(|no| no.into_error(&format!("its input, a {},", self.class)))?;
        let mut printed = Printed::default();
        let request = json!({ "op": "pickle", "handle": self.handle });
        let answer = worker.exchange(request, &[], waiter, &mut printed);
        let mut packet = answer.map_err(|failure| failure.into_error(&printed))?;
        let error = packet.message.get("error").and_then(|error| error.get("message")?.as_str());
        Ok(match (packet.descriptors.pop(), error) {
            // Several workers are to read it: none of them may change it.
            (Some(memory), None) => {
                memory::seal(&memory).map_err(BlockError::from_error)?;
                Ok(Arc::new(memory))
            }
            (_, error) => Err(error.unwrap_or("the worker gave no answer").to_owned()),
        })
    }
}

impl Drop for PythonObject {
    fn drop(&mut self) {
        self.link.release(self.handle, self.is_taken);
    }
}

impl Object for PythonObject {
    fn type_name(&self) -> &str {
        &self.described
    }

    fn byte_size(&self) -> usize {
        self.size + self.native.as_ref().map_or(0, Value::byte_size)
    }

    fn native(&self) -> Option<&Value> {
        self.native.as_ref()
    }
}

impl std::fmt::Debug for PythonObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PythonObject").field("class", &self.class).finish_non_exhaustive()
    }
}

/// What stands for an output that native blocks take and cannot use, in words.
#[derive(Debug)]
struct Refused(String);

impl Object for Refused {
    fn type_name(&self) -> &str {
        &self.0
    }

    fn byte_size(&self) -> usize {
        0
    }
}

/// The value of an output of a class that has no native counterpart and no Python consumer.
pub(super) fn refused(described: String) -> Value {
    Value::object(Refused(described))
}

/// What a value that has no native counterpart is, in words.
pub(super) fn described(class: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) if reason != class => format!("Python object {class} ({reason})"),
        _ => format!("Python object {class}"),
    }
}
