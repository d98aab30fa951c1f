//! The modules that a command works with: the built-in ones, and the archives of its `--module`.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::builtin;
use eeg_workflow_core::module::{
    ArchiveLimits, InstallError, ModuleLibrary, NewArchive, Owner, UserModules,
};

use crate::cli::ModuleOptions;
use crate::command::failure::Failure;
use crate::command::interrupt::{self, Interrupt};
use crate::python::{self, Python};
use crate::text::with_causes;

/// The built-in modules and those of the archives that the command line names.
pub(super) struct AvailableModules {
    pub(super) view: UserModules,
    // Before the folder: with it the Python workers end, which have their own folders there.
    _library: ModuleLibrary,
    _folder: Scratch,
}

impl AvailableModules {
    pub(super) fn open(options: &ModuleOptions, interrupt: &Interrupt) -> Result<Self, Failure> {
        let folder = Scratch::new(interrupt)?;
        let builtin = builtin::registry().map_err(|error| Failure::failed(error.to_string()))?;
        let python = Arc::new(Python::new(&options.python, folder.0.join("python")));
        let archives = folder.0.join("modules");
        let limits = ArchiveLimits::default();
        let library = ModuleLibrary::open_with(&archives, builtin, limits, python.for_library())
            .map_err(|error| Failure::failed(with_causes(&error)))?;
        let owner = Owner { id: OwnerId::LOCAL, email: String::new() };
        refuse_equal_names(&options.archives)?;
        let wrong = |path: &Path, problem| Failure::usage(format!("{}: {problem}", path.display()));
        let mut files = Vec::with_capacity(options.archives.len());
        for path in &options.archives {
            let bytes = fs::read(path).map_err(|error| wrong(path, error.to_string()))?;
            files.push((path.file_name().unwrap_or_default().to_string_lossy(), bytes));
        }
        let archives: Vec<NewArchive<'_>> =
            files.iter().map(|(name, bytes)| NewArchive { name, bytes }).collect();
        library.install_all(&owner, false, &archives).map_err(|(i, error)| {
            let path = options.archives.get(i).map_or(Path::new(""), PathBuf::as_path);
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

/// A temporary folder of this process, removed when this is dropped.
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

/// Archives are told apart by their file names.
fn refuse_equal_names(archives: &[PathBuf]) -> Result<(), Failure> {
    let mut names = HashSet::new();
    match archives.iter().find(|path| !names.insert(path.file_name())) {
        None => Ok(()),
        Some(path) => {
            let problem = "another --module has the same file name";
            Err(Failure::usage(format!("{}: {problem}", path.display())))
        }
    }
}
