//! A library with a Python runtime, and modules to try in it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::block::{Display, FileRoots, Value};
use eeg_workflow_core::builtin;
use eeg_workflow_core::engine::{
    Engine, EngineOptions, Event, Keep, Listener, Report, RunOptions, RunStatus,
};
use eeg_workflow_core::module::{
    ArchiveLimits, InstallError, Installed, ModuleLibrary, ModuleRuntime, Owner,
};
use eeg_workflow_core::runtime::python::{PythonOptions, PythonRuntime};
use eeg_workflow_core::runtime::sandbox::{Sandbox, SandboxKind};
use eeg_workflow_core::workflow::{BlockIndex, Plan, Workflow};
use serde_json::{Value as Json, json};

use crate::support::zips;

/// What every block module begins with.
pub(crate) const IMPORTS: &str = "
from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType
";

pub(crate) struct Lab {
    pub(crate) library: ModuleLibrary,
    pub(crate) runtime: Arc<PythonRuntime>,
    pub(crate) engine: Engine,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) files: PathBuf,
}

/// The machine's `python3`, or the one that a test which needs more names.
pub(crate) fn python() -> PathBuf {
    let named = std::env::var_os("EEG_PYTHON").unwrap_or("python3".into());
    let named = PathBuf::from(named);
    if named.components().count() > 1 {
        return named;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(&named))
        .find(|program| program.is_file())
        .expect("python3 is there")
}

/// The best sandbox that works here, or the one that is asked for.
fn sandbox() -> Sandbox {
    match std::env::var("EEG_TEST_SANDBOX").as_deref() {
        Ok("bubblewrap") => Sandbox::new(SandboxKind::Bubblewrap).unwrap(),
        Ok("landlock") => Sandbox::new(SandboxKind::Landlock).unwrap(),
        Ok("none") => Sandbox::new(SandboxKind::None).unwrap(),
        Ok(other) => panic!("no such sandbox: {other}"),
        Err(_) => Sandbox::detect().unwrap_or_else(|error| {
            eprintln!("WITHOUT SANDBOX: {error}");
            Sandbox::new(SandboxKind::None).unwrap()
        }),
    }
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut PythonOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = PythonOptions::new(python(), folder.path().join("python"));
        change(&mut options);
        let sandbox = sandbox();
        let runtime = Arc::new(PythonRuntime::new(options, sandbox).unwrap());
        let shared: Arc<dyn ModuleRuntime> = runtime.clone();
        let library = ModuleLibrary::open_with(
            &folder.path().join("modules"),
            builtin::registry().unwrap(),
            ArchiveLimits::default(),
            Some(shared),
        )
        .unwrap();
        let files = folder.path().join("home");
        std::fs::create_dir(&files).unwrap();
        let engine = Engine::new(EngineOptions::default()).unwrap();
        Self { library, runtime, engine, folder, files }
    }

    /// Installs files as `Lab.zip` for user 1.
    pub(crate) fn install(&self, files: &[(&str, &str)]) -> Result<Installed, InstallError> {
        self.install_as(1, "Lab.zip", files)
    }

    pub(crate) fn install_as(
        &self,
        owner: i64,
        archive: &str,
        files: &[(&str, &str)],
    ) -> Result<Installed, InstallError> {
        let entries: Vec<_> =
            files.iter().map(|(path, text)| zips::file(path, text.as_bytes())).collect();
        let owner = Owner { id: OwnerId(owner), email: format!("user{owner}@lab.org") };
        self.library.install(&owner, true, archive, &zips::archive(&entries))
    }

    /// Installs a module `Lab` of blocks, each a class of its own; `code` comes after the imports.
    pub(crate) fn blocks(&self, names: &[&str], code: &str) {
        let mapping: Vec<String> =
            names.iter().map(|name| format!("    \"{name}\": {name}(),\n")).collect();
        let mapping = mapping.concat();
        let text = format!("{IMPORTS}\n{code}\n\nstring_classobject_mapping = {{\n{mapping}}}\n");
        self.install(&[("Lab/__init__.py", &text)]).unwrap_or_else(|error| panic!("{error:?}"));
    }

    pub(crate) fn plan(&self, document: &Json) -> Plan {
        let workflow = Workflow::from_json(&document.to_string()).unwrap();
        workflow.plan(&self.library.view(OwnerId(1))).unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub(crate) fn run(&self, document: &Json) -> Done {
        self.run_with(document, |_| {})
    }

    pub(crate) fn run_with(&self, document: &Json, change: impl FnOnce(&mut RunOptions)) -> Done {
        let plan = self.plan(document);
        let log = Arc::new(Log::default());
        let mut options = RunOptions {
            listener: Some(log.clone()),
            keep: Keep::All,
            files: Some(FileRoots::new(&self.files)),
            owner: OwnerId(1),
            ..RunOptions::default()
        };
        change(&mut options);
        let report = self.engine.start(&plan, options).wait();
        Done { report, log }
    }

    /// Runs one block of `Lab` with these values, and nothing else.
    pub(crate) fn run_block(&self, name: &str, values: Json) -> Done {
        self.run(&workflow(&[(1, name, values)], &[]))
    }
}

/// How a run ended.
pub(crate) struct Done {
    pub(crate) report: Report,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log(std::sync::Mutex<Vec<(u32, String)>>);

impl Listener for Log {
    fn event(&self, event: Event) {
        if let Event::BlockLog { block, line } = event {
            self.0.lock().unwrap().push((block.0, line.to_string()));
        }
    }
}

impl Done {
    #[track_caller]
    pub(crate) fn completed(self) -> Self {
        let failures: Vec<_> =
            self.report.failures().iter().map(|(b, e)| format!("{b:?}: {}", e.details())).collect();
        assert_eq!(self.report.status(), RunStatus::Completed, "{}", failures.join("\n"));
        self
    }

    /// The text that a block shows.
    pub(crate) fn text(&self, block: u32) -> String {
        match self.report.display(BlockIndex(block)).map(|display| (**display).clone()) {
            Some(Display::Text(text)) => text.to_string(),
            other => panic!("block {block} shows {other:?}"),
        }
    }

    pub(crate) fn value(&self, block: u32) -> Value {
        self.report.output(BlockIndex(block), 0).expect("the output was kept").clone()
    }

    /// The message of a block that failed.
    pub(crate) fn failure(&self, block: u32) -> Option<String> {
        let failures = self.report.failures();
        let failure = failures.iter().find(|(failed, _)| failed.0 == block);
        failure.map(|(_, error)| error.to_string())
    }

    /// The message of the only failure.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        let failures = self.report.failures();
        assert_eq!(failures.len(), 1, "{:?}", self.report.status());
        failures[0].1.to_string()
    }

    pub(crate) fn details(&self) -> String {
        self.report.failures()[0].1.details()
    }

    pub(crate) fn lines(&self, block: u32) -> Vec<String> {
        let log = self.log.0.lock().unwrap();
        log.iter().filter(|(of, _)| *of == block).map(|(_, line)| line.clone()).collect()
    }
}

/// A workflow of blocks of `Lab.zip:Lab` (or of the module before a `/`) and of edges from an
/// output of one block to an input of another.
pub(crate) fn workflow(blocks: &[(u32, &str, Json)], edges: &[(u32, &str, u32, &str)]) -> Json {
    let blocks: Vec<Json> = blocks
        .iter()
        .map(|(id, name, values)| {
            let (module, name) = name.split_once('/').unwrap_or(("Lab.zip:Lab", name));
            json!({"id": id, "type": name, "module": module, "values": values})
        })
        .collect();
    let edges: Vec<Json> = edges
        .iter()
        .enumerate()
        .map(|(id, (from, output, to, input))| {
            json!({"id": id, "block1": from, "connector1": [output, "output"],
                "block2": to, "connector2": [input, "input"]})
        })
        .collect();
    json!({"blocks": blocks, "edges": edges})
}

/// Processes of this machine whose command line has this text in it.
pub(crate) fn processes_with(text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(text) {
            found.push(id);
        }
    }
    found
}

/// Waits until something holds; false if it does not within half a minute.
pub(crate) fn soon(mut holds: impl FnMut() -> bool) -> bool {
    for _ in 0..600 {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}
