//! A job service with blocks whose runs can be counted and held.
#![allow(dead_code, unreachable_pub, unused_imports, clippy::unwrap_used, clippy::expect_used)]

mod faulty;

pub use faulty::{FaultyStore, Operation};

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::block::{
    Block, BlockError, BlockErrorKind, BlockSpec, Context, Display, Execution, Inputs, Outputs,
    PortType, PythonRepr, Value,
};
use eeg_workflow_core::engine::{Engine, EngineOptions};
use eeg_workflow_core::job::{
    JobId, JobOptions, JobService, JobStore, MemoryStore, ModuleUse, PlanSource, SqliteStore,
};
use eeg_workflow_core::module::{Module, ModuleRegistry};
use eeg_workflow_core::workflow::{InvalidWorkflow, Plan, Workflow};
use tempfile::TempDir;

pub const OWNER: OwnerId = OwnerId(1);

/// What the tests see and steer of the blocks.
#[derive(Default)]
pub struct Probe {
    runs: Mutex<Vec<String>>,
    gate: Mutex<bool>,
    moved: Condvar,
}

impl Probe {
    /// How often blocks with this value of `name` have run.
    pub fn runs(&self, name: &str) -> usize {
        self.order().iter().filter(|run| *run == name).count()
    }

    /// The values of `name` of the blocks that have run, in their order.
    pub fn order(&self) -> Vec<String> {
        self.runs.lock().unwrap().clone()
    }

    /// Lets the `Gate` blocks go on.
    pub fn open(&self) {
        *self.gate.lock().unwrap() = true;
        self.moved.notify_all();
    }
}

type Body = fn(&Probe, &Context<'_>, Inputs<'_>) -> Result<Outputs, BlockError>;

struct Probed {
    spec: BlockSpec,
    probe: Arc<Probe>,
    body: Body,
}

impl Block for Probed {
    fn spec(&self) -> &BlockSpec {
        &self.spec
    }

    fn run(&self, cx: &Context<'_>, inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        self.probe.runs.lock().unwrap().push(cx.text("name"));
        (self.body)(&self.probe, cx, inputs)
    }
}

/// As the arithmetic blocks show their output.
fn shown(value: Value) -> Outputs {
    let map: Value = [("output", value.clone())].into_iter().collect();
    Outputs::one(value).show(Display::text(PythonRepr(&map).to_string()))
}

fn constant(_: &Probe, cx: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
    Ok(shown(cx.text("constant value").into()))
}

fn add(_: &Probe, _: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
    let sum = inputs.float("num1")? + inputs.float("num2")?;
    #[expect(clippy::cast_possible_truncation)]
    let sum = if sum.fract() == 0.0 { Value::from(sum as i64) } else { Value::from(sum) };
    Ok(shown(sum))
}

fn gate(probe: &Probe, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
    let mut open = probe.gate.lock().unwrap();
    while !*open {
        cx.check()?;
        open = probe.moved.wait_timeout(open, Duration::from_millis(5)).unwrap().0;
    }
    drop(open);
    Ok(Outputs::one(inputs.take_optional("in").unwrap_or_default()))
}

/// Goes on until the gate is open, also when it is to stop.
fn stubborn(probe: &Probe, _: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
    let open = probe.gate.lock().unwrap();
    drop(probe.moved.wait_while(open, |open| !*open).unwrap());
    Ok(Outputs::one(Value::None))
}

fn fail(_: &Probe, cx: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
    cx.log("about to fail");
    Err(BlockError::new("it broke").with_details("Traceback\n  it \"broke\""))
}

fn plot(_: &Probe, cx: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
    let file = if cx.text("name") == "evil" { "../../evil\u{0}.png" } else { "plot.png" };
    Ok(Outputs::one(1.5).show(Display::graph(file, *b"picture")))
}

fn talk(_: &Probe, cx: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
    for step in 1..=4 {
        cx.log(format!("step {step}"));
        cx.progress(f64::from(step) / 4.0);
    }
    Ok(Outputs::one(true))
}

fn table(_: &Probe, _: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
    let columns = ["name".to_owned(), "value".to_owned()];
    let rows = [vec!["a".to_owned(), "1".to_owned()]];
    let display = Display::Table { columns: Arc::new(columns), rows: Arc::new(rows) };
    Ok(Outputs::one(Value::None).show(display))
}

fn large(_: &Probe, _: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
    Ok(Outputs::one(ndarray::ArrayD::zeros(vec![10])))
}

/// Shows, or logs, as many bytes as its name says behind a colon.
fn show(_: &Probe, cx: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
    let name = cx.text("name");
    let (what, bytes) = name.split_once(':').unwrap();
    let bytes: usize = bytes.parse().unwrap();
    let display = match what {
        "text" => Display::text("\u{1}".repeat(bytes)),
        "table" => Display::Table {
            columns: Arc::new(["a".to_owned(), "b".to_owned()]),
            rows: (0..bytes / 100).map(|i| vec![i.to_string(), "x".repeat(100)]).collect(),
        },
        "log" => {
            (0..bytes / 1_000).for_each(|_| cx.log("y".repeat(1_000)));
            return Ok(Outputs::one(Value::None));
        }
        _ => return Err(BlockError::new("failed").with_details("z".repeat(bytes))),
    };
    Ok(Outputs::one(Value::None).show(display))
}

/// Fails as a block whose process was killed.
fn killed(probe: &Probe, _: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
    let is_second = probe.runs("killed once") > 1;
    if is_second {
        return Ok(Outputs::one(Value::None));
    }
    Err(BlockError::of(BlockErrorKind::Killed, "killed by signal 15"))
}

fn file(_: &Probe, cx: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
    Ok(shown(std::fs::read_to_string(cx.file("file")?)?.into()))
}

pub fn registry(probe: &Arc<Probe>) -> ModuleRegistry {
    let block = |name: &str, body: Body| {
        let spec = BlockSpec::new(name)
            .parameter("name", PortType::STRING, "", "What the runs are counted by")
            .parameter("constant value", PortType::STRING, "", "")
            .parameter("file", PortType::FILE, "", "")
            .output("output", PortType::OBJECT);
        let spec = match name {
            "Addition" => {
                spec.input("num1", PortType::OBJECT, 1..=1).input("num2", PortType::OBJECT, 1..=1)
            }
            "Gate" | "Stubborn" => {
                spec.input("in", PortType::OBJECT, 0..=1).with_execution(Execution::Wait)
            }
            _ => spec.input("in", PortType::OBJECT, 0..=1),
        };
        Probed { spec, probe: Arc::clone(probe), body }
    };
    let blocks: [(&str, Body); 13] = [
        ("Constant", constant),
        ("Addition", add),
        ("Gate", gate),
        ("Stubborn", stubborn),
        ("Fail", fail),
        ("Plot", plot),
        ("Talk", talk),
        ("Table", table),
        ("Large", large),
        ("File", file),
        ("Show", show),
        ("Killed", killed),
        ("Pass", |_, _, mut inputs| {
            Ok(Outputs::one(inputs.take_optional("in").unwrap_or_default()))
        }),
    ];
    let module = blocks.into_iter().fold(Module::new("Arithmetic.zip:Arithmetic"), |module, b| {
        module.block(block(b.0, b.1)).unwrap()
    });
    let mut registry = ModuleRegistry::new();
    registry.register(module).unwrap();
    registry
}

/// A service and all that it depends on.
pub struct Lab {
    pub service: JobService,
    pub store: Arc<dyn JobStore>,
    pub probe: Arc<Probe>,
    pub folder: Arc<TempDir>,
}

impl Lab {
    pub fn new() -> Self {
        Self::with(Arc::new(MemoryStore::new()), |_| {})
    }

    pub fn with(store: Arc<dyn JobStore>, change: impl FnOnce(&mut JobOptions)) -> Self {
        Self::at(Arc::new(tempfile::tempdir().unwrap()), store, change)
    }

    pub fn at(
        folder: Arc<TempDir>,
        store: Arc<dyn JobStore>,
        change: impl FnOnce(&mut JobOptions),
    ) -> Self {
        Self::with_modules(folder, store, change, |registry| Arc::new(registry))
    }

    pub fn with_modules(
        folder: Arc<TempDir>,
        store: Arc<dyn JobStore>,
        change: impl FnOnce(&mut JobOptions),
        modules: impl FnOnce(ModuleRegistry) -> Arc<dyn PlanSource>,
    ) -> Self {
        let probe = Arc::new(Probe::default());
        let mut options = JobOptions::new(folder.path().join("artifacts"));
        options.files = Some(folder.path().join("files"));
        options.save_interval = Duration::from_millis(10);
        change(&mut options);
        let engine = EngineOptions { threads: Some(2), ..EngineOptions::default() };
        let engine = Engine::new(engine).unwrap();
        let modules = modules(registry(&probe));
        let service = JobService::open(engine, Arc::clone(&store), modules, options).unwrap();
        Self { service, store, probe, folder }
    }

    pub fn submit(&self, text: &str) -> JobId {
        let workflow = Workflow::from_json(text).unwrap();
        self.service.submit(OWNER, workflow).unwrap().wait().unwrap()
    }

    /// The details of a job, parsed.
    pub fn details(&self, id: JobId) -> serde_json::Value {
        serde_json::from_str(&self.service.details(OWNER, id).unwrap().unwrap()).unwrap()
    }

    /// The details once the job has ended.
    pub fn wait(&self, id: JobId) -> serde_json::Value {
        until(|| self.details(id)["status"] != "RUNNING");
        self.details(id)
    }

    pub fn status(&self, id: JobId) -> String {
        self.details(id)["status"].as_str().unwrap().to_owned()
    }

    /// The folder of the job's artifacts.
    pub fn artifacts(&self, id: JobId) -> PathBuf {
        let token = self.store.token(OWNER, id).unwrap().unwrap_or_default();
        self.folder.path().join(format!("artifacts/{id}-{:016x}", token.0))
    }
}

/// The lab as a crash leaves it: its files as they are now, opened by a new service.
pub fn after_a_crash(lab: &Lab) -> Lab {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(lab.folder.path(), copy.path());
    let store = Arc::new(SqliteStore::open(copy.path().join("jobs.db")).unwrap());
    Lab::at(Arc::new(copy), store, |_| {})
}

pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()));
        } else if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Waits until it is so, and fails when that takes too long.
#[track_caller]
pub fn until(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it takes too long");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A document of blocks, as `type name` (numbered from 1), and of edges from an output to an
/// input named `in`.
pub fn document(blocks: &[&str], edges: &[(usize, usize)]) -> String {
    let blocks = blocks.iter().zip(1..).map(|(block, id)| {
        let (block_type, name) = block.split_once(' ').unwrap_or((block, ""));
        format!(
            r#"{{"id": {id}, "type": "{block_type}", "module": "Arithmetic.zip:Arithmetic",
                "values": {{"name": "{name}"}}}}"#
        )
    });
    let edges = edges.iter().zip(1..).map(|((from, to), id)| {
        format!(
            r#"{{"id": {id}, "block1": {from}, "connector1": ["output", "output"],
                "block2": {to}, "connector2": ["in", "input"]}}"#
        )
    });
    let (blocks, edges): (Vec<_>, Vec<_>) = (blocks.collect(), edges.collect());
    format!(r#"{{"blocks": [{}], "edges": [{}]}}"#, blocks.join(","), edges.join(","))
}

/// The documented example: 40 + 30.
pub const EXAMPLE: &str = r#"{
  "edges": [
    {"id": 1, "block1": 1, "connector1": ["output", "output"],
     "block2": 3, "connector2": ["num1", "input"]},
    {"id": 2, "block1": 2, "connector1": ["output", "output"],
     "block2": 3, "connector2": ["num2", "input"]}
  ],
  "blocks": [
    {"id": 1, "x": -420.0000061035156, "y": -209, "type": "Constant",
     "module": "Arithmetic.zip:Arithmetic", "values": {"constant value": "40"}},
    {"id": 2, "x": -362.0000061035156, "y": -90.00000381469727, "type": "Constant",
     "module": "Arithmetic.zip:Arithmetic", "values": {"constant value": "30"}},
    {"id": 3, "x": -86.0000061035156, "y": -179.00000381469727, "type": "Addition",
     "module": "Arithmetic.zip:Arithmetic", "values": {}}
  ]
}"#;

/// The same blocks from an archive of this digest.
pub struct OfArchive(pub ModuleRegistry, pub &'static str);

impl PlanSource for OfArchive {
    fn plan(
        &self,
        _: OwnerId,
        workflow: &Workflow,
    ) -> Result<(Plan, Vec<ModuleUse>), InvalidWorkflow> {
        let plan = workflow.plan(&self.0)?;
        let module = plan.modules()[0].clone();
        Ok((plan, vec![ModuleUse { module, digest: self.1.to_owned() }]))
    }
}
