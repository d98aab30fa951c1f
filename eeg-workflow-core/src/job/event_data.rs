//! The data of a job's events as JSON.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use super::details::{BlockRun, Details, ended, id, raw_id, to_json};
use super::recorder::Change;
use super::{BlockState, JobState, Phase};
use crate::workflow::{BlockId, BlockIndex, Plan};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot<'a> {
    status: &'static str,
    start_time: String,
    end_time: String,
    blocks: Vec<Block<'a, &'a RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    status: &'static str,
    state: &'static str,
    end_time: String,
}

#[derive(Serialize)]
struct End {
    status: &'static str,
}

/// A block of this id, and where it stands.
#[derive(Serialize)]
struct Block<'a, I> {
    id: I,
    state: &'static str,
    #[serde(flatten)]
    run: Option<BlockRun<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

#[derive(Serialize)]
struct Progress<'a> {
    id: Option<&'a BlockId>,
    fraction: f32,
}

#[derive(Serialize)]
struct Line<'a> {
    id: Option<&'a BlockId>,
    line: &'a str,
}

/// Where the job stands: the data of a `snapshot` event.
pub(super) fn snapshot(details: Details<'_>) -> String {
    let objects = details.workflow.block_objects();
    let blocks = (0..).zip(&details.state.blocks).map(|(at, state)| Block {
        id: raw_id(&objects, at),
        state: name(&state.phase),
        run: Some(BlockRun::new(state, |cause| id(&objects, cause))),
        seconds: None,
    });
    to_json(&Snapshot {
        status: details.state.status.wire(),
        start_time: details.started.to_string(),
        end_time: ended(details.state),
        blocks: blocks.collect(),
    })
}

/// The data of a `job` event.
pub(super) fn status(state: &JobState) -> String {
    let (status, name) = (state.status.wire(), state.status.name());
    to_json(&Status { status, state: name, end_time: ended(state) })
}

/// The data of an `end` event.
pub(super) fn end(state: &JobState) -> String {
    to_json(&End { status: state.status.wire() })
}

/// The name of the event that tells of a change.
pub(super) fn name_of(change: &Change) -> &'static str {
    match change {
        Change::Started => "job",
        Change::BlockStarted(_) | Change::BlockEnded { .. } => "block",
        Change::Progress(..) => "progress",
        Change::Log(..) => "log",
    }
}

/// The data of the event that tells of a change, after it was made in the state.
pub(super) fn of(change: &Change, state: &JobState, plan: &Plan) -> String {
    match change {
        Change::Started => status(state),
        Change::BlockStarted(block) => {
            to_json(&Block { id: plan.id(*block), state: "running", run: None, seconds: None })
        }
        Change::Progress(block, fraction) => {
            to_json(&Progress { id: plan.id(*block), fraction: *fraction })
        }
        Change::Log(block, line) => to_json(&Line { id: plan.id(*block), line }),
        Change::BlockEnded { block, elapsed, .. } => {
            let waiting = BlockState::default();
            let at = usize::try_from(block.0).ok();
            let state = at.and_then(|at| state.blocks.get(at)).unwrap_or(&waiting);
            let cause = |cause| to_json(&plan.id(BlockIndex(cause)));
            to_json(&Block {
                id: plan.id(*block),
                state: name(&state.phase),
                run: Some(BlockRun::new(state, cause)),
                seconds: elapsed.as_ref().map(Duration::as_secs_f64),
            })
        }
    }
}

fn name(phase: &Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Running(_) => "running",
        Phase::Finished(_) => "completed",
        Phase::Failed(_) => "failed",
        Phase::Skipped(_) => "skipped",
        Phase::Cancelled(_) => "cancelled",
    }
}
