//! The results as a table for people.

use std::io::{self, Write};
use std::time::Duration;

use eeg_workflow_core::job::{ArtifactFolder, Phase, RunRecorder, Shown};
use eeg_workflow_core::workflow::{BlockIndex, Plan};

use crate::text::printable;

/// Of what one block shows, so many lines are printed after the first.
const LINES: usize = 20;

/// Prints one row a block: its id, its type, what became of it, how long it took, and what it
/// shows.
pub(super) fn print(done: &RunRecorder, plan: &Plan) -> io::Result<()> {
    let mut rows = vec![["block", "type", "state", "time", "result"].map(str::to_owned)];
    let blocks = done.state().blocks.iter().zip(done.elapsed());
    for (index, (block, elapsed)) in plan.indices().zip(blocks) {
        let name = plan.block(index).map_or("", |block| block.spec().name()).to_owned();
        let state = match &block.phase {
            Phase::Waiting | Phase::Running(_) => "not run",
            Phase::Finished(_) => "done",
            Phase::Failed(_) => "failed",
            Phase::Skipped(_) => "skipped",
            Phase::Cancelled(_) => "stopped",
            _ => "",
        };
        let time = elapsed.map(time).unwrap_or_default();
        rows.push([
            id(plan, index),
            name,
            state.to_owned(),
            time,
            result(&block.phase, plan, done.folder()),
        ]);
    }
    let widths: [usize; 4] = std::array::from_fn(|column| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    });
    let indent = widths.iter().sum::<usize>() + 2 * widths.len();
    let mut out = io::stdout().lock();
    for [id, name, state, time, result] in &rows {
        let [a, b, c, d] = widths;
        let mut lines = result.lines().map(printable);
        let first = lines.next().unwrap_or_default();
        let line = format!("{id:a$}  {name:b$}  {state:c$}  {time:>d$}  {first}");
        writeln!(out, "{}", line.trim_end())?;
        for line in lines.by_ref().take(LINES) {
            writeln!(out, "{:indent$}{line}", "")?;
        }
        match lines.count() {
            0 => {}
            more => writeln!(out, "{:indent$}… {more} more lines (--json has them all)", "")?,
        }
    }
    out.flush()
}

fn result(phase: &Phase, plan: &Plan, folder: &ArtifactFolder) -> String {
    match phase {
        Phase::Finished(Some(Shown::Text(text))) => text.to_string(),
        Phase::Finished(Some(Shown::Graph(file) | Shown::File(file))) => {
            folder.path().join(&**file).display().to_string()
        }
        Phase::Finished(Some(Shown::Table { columns, rows })) => {
            let lines = std::iter::once(columns.join("\t"));
            lines.chain(rows.iter().map(|row| row.join("\t"))).collect::<Vec<_>>().join("\n")
        }
        Phase::Failed(why) | Phase::Cancelled(why) => why.to_string(),
        Phase::Skipped(cause) => format!("skipped: block {} failed", id(plan, BlockIndex(*cause))),
        _ => String::new(),
    }
}

fn id(plan: &Plan, block: BlockIndex) -> String {
    plan.id(block).map(ToString::to_string).unwrap_or_default()
}

fn time(elapsed: Duration) -> String {
    match elapsed.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds => format!("{:.2} ms", seconds * 1e3),
    }
}
