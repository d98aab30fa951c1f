//! Blocks in Python: what it costs to reach a warm worker, whether blocks run at the same time,
//! and how fast an array gets there. Needs a `python3`; `EEG_PEERS` names one with numpy, for the
//! comparison with `np.load(mmap_mode="r")`.
//!
//! `cargo bench -p benches --bench python`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::block::Value;
use eeg_workflow_core::builtin;
use eeg_workflow_core::eeg::{
    Channel, ChannelKind, Encoding, EventNumbering, Info, Recording, StoredSamples,
};
use eeg_workflow_core::engine::{Engine, EngineOptions, Keep, Report, RunOptions, RunStatus};
use eeg_workflow_core::module::{ArchiveLimits, Module, ModuleLibrary, ModuleRuntime, Owner};
use eeg_workflow_core::runtime::python::{PythonOptions, PythonRuntime};
use eeg_workflow_core::runtime::sandbox::{Sandbox, SandboxKind};
use eeg_workflow_core::workflow::{BlockIndex, Workflow};
use serde_json::{Value as Json, json};

const MODULE: &str = r#"
import time
from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.ParameterType import ParameterType


class Pass(Block):
    def __init__(self):
        self.inp = BlockInput("in", 0, 1, ParameterType.OBJECT)
        self.output = BlockOutput("out", ParameterType.OBJECT, 1, 100)

    def input_params(self, data):
        self.inp.set_value(data.get("in", 0))

    def execute(self):
        self.output.set_value(self.inp.value)


class Make(Pass):
    def execute(self):
        self.output.set_value({1, 2, 3})


class Sleep(Block):
    def execute(self):
        time.sleep(1)


class Compute(Block):
    def execute(self):
        end = time.process_time() + 1
        while time.process_time() < end:
            pass


class First(Block):
    def __init__(self):
        self.inp = BlockInput("in", 1, 1, ParameterType.OBJECT)

    def input_params(self, data):
        self.inp.set_value(data["in"])

    def execute(self):
        value = self.inp.value
        # A recording is mne's, or has its samples as an attribute.
        value = getattr(value, "_data", getattr(value, "data", value))
        return f"{value[0, 0]} {value.shape}", "STRING"


string_classobject_mapping = {
    name: block()
    for name, block in {
        "Pass": Pass, "Make": Make, "Sleep": Sleep, "Compute": Compute, "First": First
    }.items()
}
"#;

const CHANNELS: usize = 64;
const SAMPLES: usize = 600_000;

struct Lab {
    engine: Engine,
    library: ModuleLibrary,
    runtime: Arc<PythonRuntime>,
}

fn main() {
    let folder = std::env::temp_dir().join(format!("bench-python-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let lab = Lab::new(&folder);
    println!("workers before anything is run: {:?}", lab.runtime.workers());
    let start = Instant::now();
    lab.install();
    println!("installed, the first worker started: {:.0} ms", ms(start.elapsed()));

    dispatch(&lab);
    parallel(&lab);
    arrays(&lab);
    drop(lab);
    std::fs::remove_dir_all(&folder).unwrap();
}

impl Lab {
    fn new(folder: &Path) -> Self {
        let python = peers().unwrap_or_else(python);
        let sandbox = Sandbox::detect().or_else(|_| Sandbox::new(SandboxKind::None)).unwrap();
        println!("{} in {}", python.display(), sandbox.kind());
        let options = PythonOptions::new(python, folder.join("python"));
        let runtime = Arc::new(PythonRuntime::new(options, sandbox).unwrap());
        let shared: Arc<dyn ModuleRuntime> = runtime.clone();
        let mut registry = builtin::registry().unwrap();
        let array = Arc::new(ndarray::ArrayD::from_elem(vec![CHANNELS, SAMPLES], 1.5));
        let recording = recording();
        let module = Module::new("Bench.zip:Bench")
            .function("Array", [], "out", move || Ok(Value::Array(Arc::clone(&array))))
            .and_then(|module| {
                module
                    .function("Recording", [], "out", move || Ok(Value::object(recording.clone())))
            })
            .unwrap();
        registry.register(module).unwrap();
        let limits = ArchiveLimits::default();
        let library =
            ModuleLibrary::open_with(&folder.join("modules"), registry, limits, Some(shared));
        let engine = Engine::new(EngineOptions::default()).unwrap();
        Self { engine, library: library.unwrap(), runtime }
    }

    fn install(&self) {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("Lab/__init__.py", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(MODULE.as_bytes()).unwrap();
        let bytes = zip.finish().unwrap().into_inner();
        let owner = Owner { id: OwnerId(1), email: String::new() };
        self.library.install(&owner, false, "Lab.zip", &bytes).unwrap();
    }

    /// Runs the blocks, each with the one before it at its input if `chained`.
    fn run(&self, blocks: &[&str], chained: bool) -> (Report, Duration) {
        let block = |(id, name): (usize, &&str)| {
            let is_native = ["Array", "Recording"].contains(name);
            let module = if is_native { "Bench.zip:Bench" } else { "Lab.zip:Lab" };
            json!({"id": id, "type": name, "module": module, "values": {}})
        };
        let edge = |id: usize| {
            json!({"id": id, "block1": id - 1, "connector1": ["out", "output"],
                "block2": id, "connector2": ["in", "input"]})
        };
        let last = if chained { blocks.len() } else { 1 };
        let document = json!({
            "blocks": blocks.iter().enumerate().map(block).collect::<Json>(),
            "edges": (1..last).map(edge).collect::<Json>(),
        });
        let workflow = Workflow::from_json(&document.to_string()).unwrap();
        let plan = workflow.plan(&self.library.view(OwnerId(1))).unwrap();
        let options = RunOptions { keep: Keep::None, owner: OwnerId(1), ..RunOptions::default() };
        let start = Instant::now();
        let report = self.engine.start(&plan, options).wait();
        let elapsed = start.elapsed();
        assert_eq!(report.status(), RunStatus::Completed, "{:?}", report.failures());
        (report, elapsed)
    }
}

/// 16-bit integers, multiplexed, as in a file.
fn recording() -> Recording {
    let bytes = (0..2 * CHANNELS * SAMPLES).map(|i| (i * 7) as u8).collect();
    let gains = [1e-7; CHANNELS];
    let samples = StoredSamples::new(bytes, Encoding::Int16, true, CHANNELS, &gains).unwrap();
    let channel =
        |i| Channel { name: format!("E{i}"), kind: ChannelKind::Eeg, unit: "µV".to_owned() };
    let info = Info {
        channels: (0..CHANNELS).map(channel).collect(),
        sfreq: 1000.0,
        meas_date: None,
        annotations: Vec::new(),
        numbering: EventNumbering::BrainVision,
        highpass: 0.0,
        lowpass: 500.0,
    };
    Recording::from_stored(info, samples).unwrap()
}

fn dispatch(lab: &Lab) {
    let long: Vec<&str> = std::iter::repeat_n("Pass", 300).collect();
    let mut held = long.clone();
    held[0] = "Make";
    lab.run(&long, true);
    for (what, blocks) in [("a number from block to block", &long), ("a set, held", &held)] {
        let mut rounds: Vec<f64> =
            (0..9).map(|_| 1e3 * ms(lab.run(blocks, true).1) / blocks.len() as f64).collect();
        println!("dispatch in a chain, {what}: {:.0} µs a block", median(&mut rounds));
    }
    let mut single: Vec<f64> = (0..300).map(|_| 1e3 * ms(lab.run(&["Pass"], false).1)).collect();
    println!("dispatch of a run of one block: {:.0} µs", median(&mut single));
}

fn parallel(lab: &Lab) {
    for name in ["Sleep", "Compute"] {
        let (_, first) = lab.run(&[name; 4], false);
        let (_, warm) = lab.run(&[name; 4], false);
        println!(
            "four blocks that {} for 1 s: {:.2} s, again {:.2} s",
            name.to_lowercase(),
            first.as_secs_f64(),
            warm.as_secs_f64()
        );
    }
}

fn arrays(lab: &Lab) {
    let bytes = CHANNELS * SAMPLES * 8;
    let source = vec![1.5_f64; CHANNELS * SAMPLES];
    let reach = |source: &str| {
        let mut rounds: Vec<f64> = (0..7)
            .map(|_| {
                let (report, elapsed) = lab.run(&[source, "First"], true);
                assert!(report.display(BlockIndex(1)).is_some());
                ms(elapsed)
            })
            .collect();
        median(&mut rounds)
    };
    let mut copies: Vec<f64> = (0..7)
        .map(|_| {
            let start = Instant::now();
            let copy = std::hint::black_box(source.clone());
            let elapsed = ms(start.elapsed());
            drop(copy);
            elapsed
        })
        .collect();
    println!("copying {} MB in memory: {:.0} ms", bytes / 1_000_000, median(&mut copies));
    for (what, source) in [("an array", "Array"), ("a recording of 16-bit integers", "Recording")] {
        let reach = reach(source);
        let speed = bytes as f64 / reach / 1e6;
        println!("{what} reaches a block in {reach:.0} ms ({speed:.1} GB/s)");
    }
    let Some(python) = peers() else { return };
    let program = format!(
        "import numpy as np, time, tempfile, os\n\
         f = tempfile.mkdtemp() + '/a.npy'\n\
         np.save(f, np.full(({CHANNELS}, {SAMPLES}), 1.5))\n\
         t = time.perf_counter(); a = np.load(f, mmap_mode='r'); x = a[0, 0]\n\
         m = time.perf_counter() - t\n\
         t = time.perf_counter(); a = np.load(f)\n\
         print(f'np.load: mmap_mode=\"r\" {{1e3 * m:.1f}} ms, \
         whole {{1e3 * (time.perf_counter() - t):.0f}} ms')\n\
         os.remove(f)"
    );
    let output = Command::new(python).args(["-c", &program]).output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

/// The Python with numpy, if there is one; a relative path counts from the workspace's folder.
fn peers() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    Some(workspace.join(std::env::var_os("EEG_PEERS")?))
}

/// The `python3` of the PATH.
fn python() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = std::env::split_paths(&path).map(|folder| folder.join("python3"));
    programs.find(|program| program.is_file()).expect("python3 is there")
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
