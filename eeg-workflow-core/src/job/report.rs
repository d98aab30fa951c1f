//! Jobs as JSON: the details that clients of the wire format read, and the data of events.
//!
//! Everything of the document is copied to the letter: its keys in their order, and numbers as
//! they are spelled.

use serde::Serialize;
use serde_json::value::RawValue;

use super::events::JobEvent;
use super::{BlockState, JobId, JobState, Phase, Shown, Timestamp};
use crate::workflow::{RawObject, Workflow};

/// What a block gets from its run. An exported document may carry those of an earlier one.
const RUN_KEYS: [&str; 6] = ["output", "completed", "error", "stderr", "stdout", "progress"];

/// A job, wherever it is kept.
#[derive(Clone, Copy)]
pub(super) struct Report<'a> {
    pub(super) id: JobId,
    pub(super) started: Timestamp,
    pub(super) workflow: &'a Workflow,
    pub(super) state: &'a JobState,
}

impl Report<'_> {
    /// The job's details.
    pub(super) fn details(&self) -> String {
        let blocks = self.blocks();
        let mut text = String::with_capacity(2 * blocks.len() + 512);
        text.push_str("{\"workflow\":{");
        for (i, (key, value)) in self.workflow.object().0.iter().enumerate() {
            text.push_str(if i == 0 { "" } else { "," });
            push(&mut text, key);
            text.push(':');
            text.push_str(if key == "blocks" { &blocks } else { value.get() });
        }
        text.push_str("},\"executionStatus\":");
        text.push_str(&blocks);
        text.push_str(",\"startTime\":");
        push(&mut text, &self.started.to_string());
        text.push_str(",\"id\":");
        push(&mut text, &self.id);
        text.push_str(",\"endTime\":");
        push(&mut text, &ended(self.state));
        text.push_str(",\"status\":");
        push(&mut text, self.state.status.wire());
        if let Some(error) = &self.state.error {
            text.push_str(",\"error\":");
            push(&mut text, error.as_ref());
        }
        text.push('}');
        text
    }

    fn blocks(&self) -> String {
        let objects = self.workflow.block_objects();
        let mut text = String::from("[");
        for (i, object) in objects.iter().enumerate() {
            text.push_str(if i == 0 { "{" } else { ",{" });
            let own = object.0.iter().filter(|(key, _)| !RUN_KEYS.contains(&key.as_ref()));
            for (j, (key, value)) in own.enumerate() {
                text.push_str(if j == 0 { "" } else { "," });
                push(&mut text, key);
                text.push(':');
                text.push_str(value.get());
            }
            if let Some(state) = self.state.blocks.get(i) {
                push_run(&mut text, state, |cause| id(&objects, cause));
            }
            text.push('}');
        }
        text.push(']');
        text
    }

    /// Where the job stands, as an event.
    pub(super) fn snapshot(&self, number: u64) -> JobEvent {
        let objects = self.workflow.block_objects();
        let mut data = String::from("{\"status\":");
        push(&mut data, self.state.status.wire());
        data.push_str(",\"startTime\":");
        push(&mut data, &self.started.to_string());
        data.push_str(",\"endTime\":");
        push(&mut data, &ended(self.state));
        data.push_str(",\"blocks\":[");
        for (i, state) in self.state.blocks.iter().enumerate() {
            let index = u32::try_from(i).unwrap_or(u32::MAX);
            data.push_str(if i == 0 { "" } else { "," });
            data.push_str(&block(&id(&objects, index), state, |cause| id(&objects, cause)));
        }
        data.push_str("]}");
        JobEvent { number, name: "snapshot", data }
    }

    /// The job's last event.
    pub(super) fn end(&self, number: u64) -> JobEvent {
        JobEvent { number, name: "end", data: ending(self.state) }
    }
}

/// The data of a `job` event.
pub(super) fn status(state: &JobState) -> String {
    let data =
        Status { status: state.status.wire(), state: state.status.name(), end_time: ended(state) };
    let mut text = String::new();
    push(&mut text, &data);
    text
}

/// The data of an `end` event.
pub(super) fn ending(state: &JobState) -> String {
    let mut text = String::new();
    push(&mut text, &End { status: state.status.wire() });
    text
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

/// The data of a `block` event: a block of this id (as JSON), and where it stands.
pub(super) fn block(id: &str, state: &BlockState, id_of: impl Fn(u32) -> String) -> String {
    let name = match state.phase {
        Phase::Waiting => "waiting",
        Phase::Running(_) => "running",
        Phase::Finished(_) => "completed",
        Phase::Failed(_) => "failed",
        Phase::Skipped(_) => "skipped",
        Phase::Cancelled(_) => "cancelled",
    };
    let mut data = format!("{{\"id\":{id},\"state\":\"{name}\"");
    push_run(&mut data, state, id_of);
    data.push('}');
    data
}

/// What a block has from its run, as further fields of an object.
fn push_run(text: &mut String, state: &BlockState, id_of: impl Fn(u32) -> String) {
    let skipped;
    let ended = match &state.phase {
        Phase::Waiting | Phase::Running(_) => None,
        Phase::Finished(shown) => {
            if let Some(shown) = shown {
                text.push_str(",\"output\":");
                push(text, &Output::from(shown));
            }
            Some((true, false, ""))
        }
        Phase::Failed(error) => Some((true, true, error.as_ref())),
        Phase::Skipped(cause) => {
            skipped = format!("skipped: block {} failed", id_of(*cause));
            Some((false, false, skipped.as_str()))
        }
        Phase::Cancelled(why) => Some((false, false, why.as_ref())),
    };
    if let Some((completed, error, stderr)) = ended {
        text.push_str(if completed { ",\"completed\":true" } else { ",\"completed\":false" });
        text.push_str(if error { ",\"error\":true" } else { ",\"error\":false" });
        text.push_str(",\"stderr\":");
        push(text, stderr);
    }
    if let Some(log) = &state.log {
        text.push_str(",\"stdout\":");
        push(text, &log.text());
    }
    if let Phase::Running(fraction) = state.phase {
        text.push_str(",\"progress\":");
        push(text, &fraction);
    }
}

/// What a block shows, as it is on the wire.
#[derive(Serialize)]
#[serde(tag = "type", content = "value", rename_all = "UPPERCASE")]
enum Output<'a> {
    String(&'a str),
    Graph { filename: &'a str },
    File { filename: &'a str },
    Table { columns: &'a [String], rows: &'a [Vec<String>] },
}

impl<'a> From<&'a Shown> for Output<'a> {
    fn from(shown: &'a Shown) -> Self {
        match shown {
            Shown::Text(text) => Self::String(text),
            Shown::Graph(filename) => Self::Graph { filename },
            Shown::File(filename) => Self::File { filename },
            Shown::Table { columns, rows } => Self::Table { columns, rows },
        }
    }
}

/// The id of the block at this position, as the document spells it.
fn id(objects: &[RawObject<'_>], block: u32) -> String {
    let object = usize::try_from(block).ok().and_then(|block| objects.get(block));
    object.and_then(|object| object.get("id")).map_or("null", RawValue::get).to_owned()
}

fn ended(state: &JobState) -> String {
    state.ended.map(|ended| ended.to_string()).unwrap_or_default()
}

/// Appends what serialises without a failure.
pub(super) fn push(text: &mut String, value: &(impl Serialize + ?Sized)) {
    text.push_str(&serde_json::to_string(value).unwrap_or_default());
}
