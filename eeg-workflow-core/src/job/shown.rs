//! What a block displays, as its job keeps it: small things in its details, large ones in files.

use std::io;
use std::sync::Arc;

use super::Shown;
use super::budget::{Budget, start};
use super::state::row_size;
use crate::block::{Artifact, Display};

/// The most bytes of one displayed string or table that are kept in a job's details.
const MAX_INLINE: usize = 1024 * 1024;
/// The most bytes of a string or table that are kept in a file.
const MAX_FILE: usize = 16 * 1024 * 1024;

impl Shown {
    /// What a block displays; `write` writes a file and gives its name.
    ///
    /// # Errors
    /// A file that the block made cannot be written.
    pub(super) fn new(
        display: &Display,
        budget: &Budget,
        write: &dyn Fn(&Artifact) -> io::Result<String>,
    ) -> Result<Self, String> {
        let file = |artifact: &Artifact| {
            let name = write(artifact);
            name.map(Into::into)
                .map_err(|error| format!("cannot keep \"{}\": {error}", artifact.name))
        };
        Ok(match display {
            Display::Text(text) => Self::Text(shown_text(text, budget, write)),
            Display::Graph(artifact) => Self::Graph(file(artifact)?),
            Display::File(artifact) => Self::File(file(artifact)?),
            Display::Table { columns, rows } => shown_table(columns, rows, budget, write),
        })
    }
}

fn shown_text(
    text: &Arc<str>,
    budget: &Budget,
    write: &dyn Fn(&Artifact) -> io::Result<String>,
) -> Arc<str> {
    let taken = budget.take(text.len(), MAX_INLINE);
    if taken == text.len() {
        return Arc::clone(text);
    }
    let kept = start(text, MAX_FILE);
    let cut = cut_note("output.txt", kept.as_bytes(), text.len(), write);
    format!("{}\n({cut})", start(text, taken)).into()
}

fn shown_table(
    columns: &Arc<[String]>,
    rows: &Arc<[Vec<String>]>,
    budget: &Budget,
    write: &dyn Fn(&Artifact) -> io::Result<String>,
) -> Shown {
    let size = row_size(columns) + rows.iter().map(|row| row_size(row)).sum::<usize>();
    let mut left = budget.take(size, MAX_INLINE);
    if left == size {
        return Shown::Table { columns: Arc::clone(columns), rows: Arc::clone(rows) };
    }
    let mut fits = |row: &[String]| {
        let size = row_size(row);
        let fits = size <= left;
        left = if fits { left - size } else { 0 };
        fits
    };
    let head = if fits(columns) { Arc::clone(columns) } else { Arc::new([]) };
    let mut kept: Vec<Vec<String>> = rows.iter().take_while(|row| fits(row)).cloned().collect();
    let tabs = tab_separated(columns, rows);
    let length = rows.iter().chain([&columns.to_vec()]).map(|row| row_size(row)).sum();
    let cut = cut_note("table.tsv", tabs.as_bytes(), length, write);
    kept.push(vec![format!("({cut}; {} rows)", rows.len())]);
    Shown::Table { columns: head, rows: kept.into() }
}

/// The table as lines of cells between tabs, as far as a file may go.
fn tab_separated(columns: &[String], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for row in std::iter::once(columns).chain(rows.iter().map(Vec::as_slice)) {
        for (i, cell) in row.iter().enumerate() {
            text.push_str(if i == 0 { "" } else { "\t" });
            let cell = start(cell, MAX_FILE.saturating_sub(text.len()));
            text.extend(
                cell.chars().map(|c| if matches!(c, '\t' | '\n' | '\r') { ' ' } else { c }),
            );
        }
        text.push('\n');
        if text.len() >= MAX_FILE {
            break;
        }
    }
    text
}

/// Writes what is too long for the details into a file, and says what was cut and where it is.
fn cut_note(
    name: &str,
    kept: &[u8],
    length: usize,
    write: &dyn Fn(&Artifact) -> io::Result<String>,
) -> String {
    let artifact = Artifact { name: name.into(), bytes: kept.into() };
    match write(&artifact) {
        Ok(file) if kept.len() < length && kept.len() >= MAX_FILE - 4 => {
            let kept = kept.len();
            format!("cut: {length} bytes, of which the file {file} has the first {kept}")
        }
        Ok(file) => format!("cut: {length} bytes, all of them in the file {file}"),
        // What the block made is what it gave on; that less of it is shown fails nothing.
        Err(_) => format!("cut: {length} bytes"),
    }
}
