//! The folder where the files go that blocks make.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use eeg_workflow_core::block::Display;
use eeg_workflow_core::job::Shown;

use crate::cli::RunOptions;
use crate::command::failure::Failure;

/// The folder for artifacts, made when there is something to put into it.
pub(super) struct Folder {
    path: PathBuf,
    /// Whether it is one of the program's choice, which must be a new one.
    is_new: bool,
    is_made: bool,
}

impl Folder {
    /// The folder that the command line names, which is made now, or a new one named after the
    /// workflow.
    pub(super) fn new(options: &RunOptions) -> Result<Self, Failure> {
        if let Some(path) = &options.output {
            fs::create_dir_all(path)
                .map_err(|error| Failure::usage(format!("--output {}: {error}", path.display())))?;
            return Ok(Self { path: path.clone(), is_new: false, is_made: true });
        }
        let stem = options.workflow.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self { path: format!("{stem}-output").into(), is_new: true, is_made: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What a block shows; if it is a file, the file is written.
    pub(super) fn keep(&mut self, block: &str, display: &Display) -> io::Result<Shown> {
        Ok(match display {
            Display::Text(text) => Shown::Text(text.clone()),
            Display::Table { columns, rows } => {
                Shown::Table { columns: columns.clone(), rows: rows.clone() }
            }
            Display::Graph(artifact) => {
                Shown::Graph(self.write(block, &artifact.name, &artifact.bytes)?.into())
            }
            Display::File(artifact) => {
                Shown::File(self.write(block, &artifact.name, &artifact.bytes)?.into())
            }
            _ => Shown::Text("(something that this program cannot show)".into()),
        })
    }

    fn write(&mut self, block: &str, name: &str, bytes: &[u8]) -> io::Result<String> {
        self.make()?;
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
        let name = format!("{block}-{name}").replace(|c| !plain(c), "_");
        fs::write(self.path.join(&name), bytes)?;
        Ok(name)
    }

    fn make(&mut self) -> io::Result<()> {
        if self.is_made {
            return Ok(());
        }
        if self.is_new {
            let first = self.path.clone();
            let mut number = 1;
            while let Err(error) = fs::create_dir(&self.path) {
                if error.kind() != io::ErrorKind::AlreadyExists {
                    return Err(error);
                }
                number += 1;
                self.path = format!("{}-{number}", first.display()).into();
            }
        }
        self.is_made = true;
        Ok(())
    }
}
