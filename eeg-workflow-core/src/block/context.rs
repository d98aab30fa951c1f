//! What a running block may ask of its surroundings.

use std::any::Any;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::parameters;
use super::{BlockError, BlockErrorKind, BlockSpec, Number, OwnerId, Parameters, Value};
use crate::deadline::Deadline;

/// Why a block must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The run was cancelled.
    Cancelled,
    /// The run's or the block's deadline of this length passed.
    TimedOut(Duration),
}

/// What runs a block: the engine.
pub trait BlockHost: Any + Send + Sync {
    /// Why the run must stop, if it must.
    fn stop(&self) -> Option<Stop>;
    /// Sleeps for this long (none: without end), or until the run must stop.
    fn sleep(&self, length: Option<Duration>) -> Option<Stop>;
    /// Reports progress.
    fn progress(&self, block: u32, fraction: f64);
    /// Reports a line of the block's log.
    fn log(&self, block: u32, line: &str);
    /// Where FILE parameters are found.
    fn files(&self) -> Option<&FileRoots>;
    /// Whose run it is.
    fn owner(&self) -> OwnerId;
    /// Who takes an output of the block.
    fn takers(&self, block: u32, output: usize) -> Takers;
}

/// Who takes an output: what decides in which form a block of another process gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Takers {
    /// Blocks of this program, or whoever reads the report of the run.
    pub native: bool,
    /// Blocks that [check the values they get by themselves](BlockSpec::checks_own_values), or
    /// that may pass the value on to such.
    pub foreign: bool,
}

/// A running block's view of its run: its parameters, cancellation, deadline, progress, log
/// and files.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub(crate) spec: &'a BlockSpec,
    pub(crate) parameters: &'a Parameters,
    pub(crate) host: &'a dyn BlockHost,
    pub(crate) block: u32,
    pub(crate) deadline: Deadline,
}

impl<'a> Context<'a> {
    /// Stops here when the run was cancelled or a deadline has passed; a long computation
    /// calls it between its steps.
    ///
    /// # Errors
    /// The reason to stop, to be returned as the block's error.
    pub fn check(&self) -> Result<(), BlockError> {
        self.stop().map_or(Ok(()), |stop| Err(stop.into()))
    }

    /// Why the block must stop, if it must.
    pub(crate) fn stop(&self) -> Option<Stop> {
        let late = || self.deadline.passed().map(Stop::TimedOut);
        self.host.stop().or_else(late)
    }

    /// Sleeps, unless the block must stop before.
    ///
    /// # Errors
    /// As [`Context::check`].
    pub fn sleep(&self, duration: Duration) -> Result<(), BlockError> {
        let end = Deadline::after(duration).earlier(self.deadline);
        self.host.sleep(end.remaining()).map_or(Ok(()), |stop| Err(BlockError::from(stop)))?;
        self.check()
    }

    /// Reports progress, from 0 to 1.
    pub fn progress(&self, fraction: f64) {
        self.host.progress(self.block, fraction.clamp(0.0, 1.0));
    }

    /// Writes a line to the block's log.
    pub fn log(&self, line: impl AsRef<str>) {
        self.host.log(self.block, line.as_ref());
    }

    /// The owner of the run, as [the run's options](crate::engine::RunOptions::owner) have it:
    /// what a block keeps from one run to the next it keeps for each owner alone.
    pub fn owner(&self) -> OwnerId {
        self.host.owner()
    }

    /// Who takes the output at this position.
    pub fn takers(&self, output: usize) -> Takers {
        self.host.takers(self.block, output)
    }

    /// The parameter's value as the workflow has it.
    ///
    /// # Panics
    /// With debug assertions, if the block does not declare the parameter; otherwise it is none.
    pub fn value(&self, parameter: &str) -> &'a Value {
        let value = self.parameters.value(self.spec, parameter);
        debug_assert!(
            value.is_some(),
            "block \"{}\" has no parameter \"{parameter}\"",
            self.spec.name()
        );
        value.unwrap_or(&Value::None)
    }

    /// The same, for what can say that there is none.
    fn declared(&self, parameter: &str) -> Result<&'a Value, BlockError> {
        let value = self.parameters.value(self.spec, parameter);
        value.ok_or_else(|| BlockError::parameter(parameter, "the block does not declare it"))
    }

    /// The parameter as a number; none if it was left empty.
    ///
    /// # Errors
    /// The value is not a number, or the block does not declare the parameter.
    pub fn number(&self, parameter: &str) -> Result<Option<Number>, BlockError> {
        let value = self.declared(parameter)?;
        if parameters::is_empty(value) {
            return Ok(None);
        }
        let number = Number::from_value(value);
        number.map(Some).ok_or_else(|| BlockError::parameter(parameter, "is not a number"))
    }

    /// The parameter as a float; none if it was left empty.
    ///
    /// # Errors
    /// As [`Context::number`].
    pub fn float(&self, parameter: &str) -> Result<Option<f64>, BlockError> {
        Ok(self.number(parameter)?.map(|number| number.to_f64()))
    }

    /// The parameter as text; empty if it was left empty.
    pub fn text(&self, parameter: &str) -> String {
        parameters::text(self.value(parameter)).unwrap_or_default()
    }

    /// The parameter as a truth value; false if it was left empty.
    pub fn boolean(&self, parameter: &str) -> bool {
        parameters::boolean(self.value(parameter)).unwrap_or(false)
    }

    /// The parameter as a list of strings.
    pub fn texts(&self, parameter: &str) -> Vec<String> {
        let items = parameters::items(self.value(parameter)).unwrap_or_default();
        items.iter().filter_map(parameters::text).collect()
    }

    /// The file that a FILE parameter names, inside the folder that the run was given.
    ///
    /// # Errors
    /// No file was named, its name leads outside the folder, or there is no such file.
    pub fn file(&self, parameter: &str) -> Result<PathBuf, BlockError> {
        let name = self.text(parameter);
        if name.trim().is_empty() {
            return Err(BlockError::parameter(parameter, "no file is named"));
        }
        self.named_file(&name)
            .map_err(|error| BlockError::parameter(parameter, format_args!("\"{name}\": {error}")))
    }
}

impl Context<'_> {
    /// The file of this name, inside the folder that the run was given.
    pub(crate) fn named_file(&self, name: &str) -> Result<PathBuf, FileError> {
        let roots = self.host.files();
        roots.map_or(Err(FileError::NoFolder), |roots| roots.resolve(name))
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("block", &self.block).finish_non_exhaustive()
    }
}

impl From<Stop> for BlockError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Cancelled => Self::of(BlockErrorKind::Cancelled, "cancelled"),
            Stop::TimedOut(after) => Self::timed_out(after),
        }
    }
}

/// The folders behind FILE parameters: what their first component (`Home/…`, `Shared/…`) stands
/// for. Both are the same folder unless [`FileRoots::with_shared`] says otherwise.
#[derive(Clone, Debug)]
pub struct FileRoots {
    folder: PathBuf,
    shared: Option<PathBuf>,
}

/// Why a FILE parameter names no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The run was given no folder of files.
    #[error("the run was given no folder of files")]
    NoFolder,
    /// The name leads outside the folder.
    #[error("the name leads outside the folder of files")]
    Outside,
    /// There is no such file.
    #[error("no such file")]
    NotFound,
}

impl FileRoots {
    /// Files are looked up below this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), shared: None }
    }

    /// The same, but names that begin with `Shared/` are looked up below this folder.
    #[must_use]
    pub fn with_shared(mut self, folder: impl Into<PathBuf>) -> Self {
        self.shared = Some(folder.into());
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder that a name is looked up in.
    fn root_of(&self, name: &str) -> &Path {
        let mut parts = Path::new(name).components().filter(|part| *part != Component::CurDir);
        let is_shared = parts.next() == Some(Component::Normal("Shared".as_ref()));
        match &self.shared {
            Some(shared) if is_shared && parts.next().is_some() => shared,
            _ => &self.folder,
        }
    }

    /// The path below the folder that a name stands for: `a/b.eeg` for `Home/a/b.eeg`. The first
    /// component says whose folder it is; a name of one component has none.
    ///
    /// # Errors
    /// The name leads outside the folder.
    pub fn path_below(name: &str) -> Result<PathBuf, FileError> {
        let mut parts = Vec::new();
        if name.contains(['\0', '\\']) {
            return Err(FileError::Outside);
        }
        for component in Path::new(name).components() {
            match component {
                Component::Normal(part) => parts.push(part),
                Component::CurDir => {}
                _ => return Err(FileError::Outside),
            }
        }
        let below = parts.get(1..).filter(|rest| !rest.is_empty()).unwrap_or(&parts);
        Ok(below.iter().collect())
    }

    /// The path of an existing file by its name `Home/a/b.eeg`, symbolic links followed only
    /// while they stay inside the folder. A name without a folder in front is taken as it is.
    ///
    /// # Errors
    /// The name leads outside, or there is no such file.
    pub fn resolve(&self, name: &str) -> Result<PathBuf, FileError> {
        let below = Self::path_below(name)?;
        let root = self.root_of(name).canonicalize().map_err(|_| FileError::NotFound)?;
        let path = root.join(below);
        let path = path.canonicalize().map_err(|_| FileError::NotFound)?;
        if !path.starts_with(&root) {
            return Err(FileError::Outside);
        }
        if path.is_file() { Ok(path) } else { Err(FileError::NotFound) }
    }
}
