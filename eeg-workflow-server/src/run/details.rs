//! The run as the details of a job, on standard output.

use std::io::{self, Write};

use eeg_workflow_core::engine::RunStatus;
use eeg_workflow_core::workflow::RawObject;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{Ended, Ending, State};

/// A job's details, with the keys in the order that clients know.
#[derive(Serialize)]
struct Details<'a> {
    workflow: RawObject<'a>,
    #[serde(rename = "executionStatus")]
    execution_status: Box<RawValue>,
    #[serde(rename = "startTime")]
    start_time: String,
    id: i64,
    #[serde(rename = "endTime")]
    end_time: String,
    status: &'static str,
}

/// Prints the details.
pub(super) fn print(done: &Ended<'_>) -> io::Result<()> {
    let mut blocks = done.workflow.block_objects();
    for (object, ending) in blocks.iter_mut().zip(&done.blocks) {
        describe(object, ending, done)?;
    }
    let blocks = to_raw_value(&blocks)?;
    let mut workflow = done.workflow.object();
    workflow.set("blocks", blocks.clone());
    let details = Details {
        workflow,
        execution_status: blocks,
        start_time: done.started.to_string(),
        id: 0,
        end_time: done.ended.to_string(),
        status: match done.status {
            RunStatus::Completed if done.has_failed() => "FAILED",
            RunStatus::Completed => "COMPLETED",
            RunStatus::Cancelled => "CANCELLED",
            _ => "FAILED",
        },
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &details)?;
    writeln!(out)?;
    out.flush()
}

/// Adds to a block's own fields what became of it.
fn describe(object: &mut RawObject<'_>, ending: &Ending, done: &Ended<'_>) -> io::Result<()> {
    // An exported document may carry the fields of an earlier run.
    object
        .0
        .retain(|(key, _)| !["output", "completed", "error", "stderr", "stdout"].contains(&&**key));
    let (completed, error, stderr) = match &ending.state {
        State::Waiting => return Ok(()),
        State::Finished(shown) => {
            if let Some(shown) = shown {
                object.set("output", to_raw_value(shown)?);
            }
            (true, false, String::new())
        }
        State::Failed(error) => (true, true, error.clone()),
        State::Skipped(cause) => (false, false, skipped(done, *cause)),
        State::Stopped(why) => (false, false, why.clone()),
    };
    object.set("completed", to_raw_value(&completed)?);
    object.set("error", to_raw_value(&error)?);
    object.set("stderr", to_raw_value(&stderr)?);
    if !ending.log.is_empty() {
        object.set("stdout", to_raw_value(&ending.log.join("\n"))?);
    }
    Ok(())
}

/// Why a block was not run.
pub(super) fn skipped(done: &Ended<'_>, cause: eeg_workflow_core::workflow::BlockIndex) -> String {
    let id = done.plan.id(cause).map(ToString::to_string).unwrap_or_default();
    format!("skipped: block {id} failed")
}
