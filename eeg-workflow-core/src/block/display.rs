//! What a block shows beside its outputs.

use std::sync::Arc;

/// What a finished block shows to whoever looks at the workflow.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Display {
    /// Text. It is data, never markup.
    Text(Arc<str>),
    /// A picture.
    Graph(Artifact),
    /// A table: the names of its columns, and its rows.
    Table {
        /// The columns' names.
        columns: Arc<[String]>,
        /// The cells, row by row.
        rows: Arc<[Vec<String>]>,
    },
    /// A file.
    File(Artifact),
}

/// A file that a block made.
///
/// The block names it; whoever keeps the run (a job's folder, the command line's output
/// folder) gives it its final, unique name there.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    /// The name that the block gives, such as `plot.png`: one path component.
    pub name: Arc<str>,
    /// The content.
    pub bytes: Arc<[u8]>,
}

impl Display {
    /// Text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A picture in a file of this name (its ending tells the format).
    pub fn graph(name: impl Into<Arc<str>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Graph(Artifact { name: name.into(), bytes: bytes.into() })
    }

    /// A file.
    pub fn file(name: impl Into<Arc<str>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::File(Artifact { name: name.into(), bytes: bytes.into() })
    }

    /// Bytes of memory that it holds, about.
    pub fn byte_size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Graph(artifact) | Self::File(artifact) => artifact.bytes.len(),
            Self::Table { columns, rows } => {
                let row = |cells: &[String]| -> usize {
                    cells.iter().map(|cell| size_of::<String>() + cell.len()).sum()
                };
                row(columns) + rows.iter().map(|cells| row(cells)).sum::<usize>()
            }
        }
    }

    /// The file behind it, if there is one.
    pub fn artifact(&self) -> Option<&Artifact> {
        match self {
            Self::Graph(artifact) | Self::File(artifact) => Some(artifact),
            _ => None,
        }
    }
}
