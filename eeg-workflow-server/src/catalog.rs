//! The commands that only look: which block types there are, and whether a workflow is valid.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::builtin;
use eeg_workflow_core::module::{
    ArchiveLimits, InstallError, ModuleLibrary, NewArchive, Owner, UserModules,
};
use eeg_workflow_core::workflow::{Diagnostic, InvalidWorkflow, Workflow};
use serde::Serialize;

use crate::api::modules::{BlockType, block_types};
use crate::cli::{BlocksOptions, ModuleOptions, ValidateOptions, exit};
use crate::error::with_causes;
use crate::interrupt::{self, Interrupt};
use crate::python::{self, Python};
use crate::terminal::printable;

/// Why a command ended early: what is printed, and the exit code.
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) code: u8,
}

impl Failure {
    /// The command line, or a file that it names, is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: exit::USAGE }
    }

    /// The command itself failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: exit::FAILED }
    }

    /// Prints the message; the exit code.
    pub(crate) fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("error: {}", printable(&self.message));
        }
        self.code.into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // Whoever reads the output has enough of it.
        let is_enough = error.kind() == io::ErrorKind::BrokenPipe;
        Self::failed(if is_enough { String::new() } else { error.to_string() })
    }
}

/// The `blocks` command.
pub(crate) fn blocks(options: &BlocksOptions) -> ExitCode {
    list(options).map_or_else(Failure::report, |()| ExitCode::SUCCESS)
}

fn list(options: &BlocksOptions) -> Result<(), Failure> {
    let modules = Modules::open(&options.modules, &Interrupt::listen()?)?;
    let types: Vec<BlockType<'_>> = modules.view.modules().flat_map(block_types).collect();
    if options.json {
        return print_json(&types);
    }
    let mut out = io::stdout().lock();
    let mut module = "";
    for block in &types {
        if module != block.module {
            module = block.module;
            writeln!(out, "{module}")?;
        }
        writeln!(out, "  {}", block.summary())?;
    }
    Ok(())
}

/// The `validate` command.
pub(crate) fn validate(options: &ValidateOptions) -> ExitCode {
    check(options).unwrap_or_else(Failure::report)
}

fn check(options: &ValidateOptions) -> Result<ExitCode, Failure> {
    let modules = Modules::open(&options.modules, &Interrupt::listen()?)?;
    let text = read(&options.workflow)?;
    let plan = Workflow::from_json(&text).and_then(|workflow| workflow.plan(&modules.view));
    let (valid, diagnostics) = match plan {
        Ok(plan) => (true, plan.warnings().to_vec()),
        Err(InvalidWorkflow { diagnostics, .. }) => (false, diagnostics),
    };
    if options.json {
        print_json(&Validity { valid, diagnostics: &diagnostics })?;
    } else {
        print_diagnostics(&options.workflow, &diagnostics);
        if valid {
            writeln!(io::stdout(), "{}: valid", options.workflow.display())?;
        }
    }
    Ok(if valid { ExitCode::SUCCESS } else { exit::INVALID.into() })
}

/// Whether a workflow is valid, and everything that there is to say about it.
#[derive(Serialize)]
pub(crate) struct Validity<'a> {
    pub(crate) valid: bool,
    pub(crate) diagnostics: &'a [Diagnostic],
}

/// Prints every diagnostic on standard error.
pub(crate) fn print_diagnostics(workflow: &Path, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        eprintln!("{}", printable(&format!("{}: {diagnostic}", workflow.display())));
    }
}

/// Reads a file that the command line names.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// The built-in modules and those of the archives that the command line names.
pub(crate) struct Modules {
    pub(crate) view: UserModules,
    // Before the folder: with it the Python workers end, which have their own folders there.
    _library: ModuleLibrary,
    _folder: Scratch,
}

impl Modules {
    pub(crate) fn open(options: &ModuleOptions, interrupt: &Interrupt) -> Result<Self, Failure> {
        let folder = Scratch::new(interrupt)?;
        let builtin = builtin::registry().map_err(|error| Failure::failed(error.to_string()))?;
        let python = Arc::new(Python::new(&options.python, folder.0.join("python")));
        let archives = folder.0.join("modules");
        let limits = ArchiveLimits::default();
        let library = ModuleLibrary::open_with(&archives, builtin, limits, python.for_library())
            .map_err(|error| Failure::failed(with_causes(&error)))?;
        let owner = Owner { id: OwnerId::LOCAL, email: String::new() };
        let wrong = |path: &Path, problem| Failure::usage(format!("{}: {problem}", path.display()));
        let mut files = Vec::with_capacity(options.archives.len());
        for path in &options.archives {
            let bytes = fs::read(path).map_err(|error| wrong(path, error.to_string()))?;
            files.push((path.file_name().unwrap_or_default().to_string_lossy(), bytes));
        }
        let archives: Vec<NewArchive<'_>> =
            files.iter().map(|(name, bytes)| NewArchive { name, bytes }).collect();
        library.install_all(&owner, false, &archives).map_err(|(i, error)| {
            let path = options.archives.get(i).map(PathBuf::as_path).unwrap_or(Path::new(""));
            wrong(path, with_details(&error))
        })?;
        Ok(Self { view: library.view(owner.id), _library: library, _folder: folder })
    }
}

/// What is wrong with an archive, with the traceback if it is its code.
fn with_details(error: &InstallError) -> String {
    let details = match error {
        InstallError::Code(error) => python::details(error),
        _ => "",
    };
    format!("{}\n{details}", with_causes(error)).trim_end().to_owned()
}

/// A folder of one's own among the system's temporary ones, removed with this.
struct Scratch(PathBuf);

impl Scratch {
    fn new(interrupt: &Interrupt) -> Result<Self, Failure> {
        let number = getrandom::u64().map_err(|error| Failure::failed(error.to_string()))?;
        let path = std::env::temp_dir().join(format!("eeg-workflow-{number:016x}"));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path)?;
        interrupt.removes(&path);
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        interrupt::remove(&self.0);
    }
}
