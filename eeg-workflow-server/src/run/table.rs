//! The results as a table for people.

use std::io::{self, Write};
use std::time::Duration;

use super::artifacts::{Folder, Shown};
use super::{Ended, Ending, State, details};

/// Prints one row a block: its id, its type, what became of it, how long it took, and what it
/// shows.
pub(super) fn print(done: &Ended<'_>, folder: &Folder) -> io::Result<()> {
    let mut rows = vec![["block", "type", "state", "time", "result"].map(str::to_owned)];
    for (index, ending) in done.plan.indices().zip(&done.blocks) {
        let id = done.plan.id(index).map(ToString::to_string).unwrap_or_default();
        let name = done.plan.block(index).map_or("", |block| block.spec().name()).to_owned();
        let state = match &ending.state {
            State::Waiting => "not run",
            State::Finished(_) => "done",
            State::Failed(_) => "failed",
            State::Skipped(_) => "skipped",
            State::Stopped(_) => "stopped",
        };
        let time = ending.elapsed.map(time).unwrap_or_default();
        rows.push([id, name, state.to_owned(), time, result(ending, done, folder)]);
    }
    let widths: [usize; 4] = std::array::from_fn(|column| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    });
    let indent = widths.iter().sum::<usize>() + 2 * widths.len();
    let mut out = io::stdout().lock();
    for [id, name, state, time, result] in &rows {
        let [a, b, c, d] = widths;
        let mut lines = result.lines();
        let first = lines.next().unwrap_or_default();
        let line = format!("{id:a$}  {name:b$}  {state:c$}  {time:>d$}  {first}");
        writeln!(out, "{}", line.trim_end())?;
        for line in lines {
            writeln!(out, "{:indent$}{line}", "")?;
        }
    }
    out.flush()
}

fn result(ending: &Ending, done: &Ended<'_>, folder: &Folder) -> String {
    match &ending.state {
        State::Waiting | State::Finished(None) => String::new(),
        State::Finished(Some(Shown::String(text))) => text.clone(),
        State::Finished(Some(Shown::Graph { filename } | Shown::File { filename })) => {
            folder.path().join(filename).display().to_string()
        }
        State::Finished(Some(Shown::Table { columns, rows })) => {
            let lines = std::iter::once(columns.join("\t"));
            lines.chain(rows.iter().map(|row| row.join("\t"))).collect::<Vec<_>>().join("\n")
        }
        State::Failed(error) | State::Stopped(error) => error.clone(),
        State::Skipped(cause) => details::skipped(done, *cause),
    }
}

fn time(elapsed: Duration) -> String {
    match elapsed.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds => format!("{:.2} ms", seconds * 1e3),
    }
}
