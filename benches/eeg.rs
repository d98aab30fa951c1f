//! The EEG steps on a big recording (64 channels × 1000 Hz × 10 minutes, INT_16), beside
//! MNE-Python, and training beside Keras, in one run, in turn. CPU and wall seconds.
//!
//! `cargo bench -p benches --bench eeg` measures this library alone.
//! `benches/eeg_peers.sh` makes a virtual environment with MNE and Keras;
//! `EEG_PEERS=target/eeg-peers/bin/python cargo bench -p benches --bench eeg` measures both.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

mod measure;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use eeg_workflow_core::eeg::formats::brainvision::{Int16Channel, Int16Recording, Marker};
use eeg_workflow_core::eeg::network::{
    Activation, Examples, FitOptions, Layer, LayerChain, Optimizer, Rule, TrainError, fit,
};
use eeg_workflow_core::eeg::{
    self, EegPlot, EpochOptions, Epochs, FeatureVectors, FirFilter, Wavelet, plot_epochs,
};
use eeg_workflow_core::picture::Format;
use measure::cpu;
use ndarray::Array2;

const CHANNELS: usize = 64;
const SAMPLES: usize = 600_000;
const ROUNDS: usize = 5;

/// A step's name with its CPU and wall seconds.
type Figures = Vec<(String, f64, f64)>;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "pipeline" || argument == "train") {
        Some(at) if arguments[at] == "train" => train(),
        Some(at) => pipeline(Path::new(&arguments[at + 1])),
        None => compare(),
    }
}

/// Prints what a step took, for the parent process to read.
fn step<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let (cpu_before, start) = (cpu(), Instant::now());
    let result = work();
    let (cpu, wall) = ((cpu() - cpu_before).as_secs_f64(), start.elapsed().as_secs_f64());
    println!("step {name} {cpu} {wall}");
    result
}

/// The steps of a pipeline, each in a process of its own with the others.
fn pipeline(header: &Path) {
    let recording = step("read", || eeg::read(header).unwrap());
    step("plot", || EegPlot::default().to_png(&recording).unwrap());
    let filtered = step("filter", || {
        FirFilter::band(recording.sfreq(), Some(0.1), Some(30.0)).unwrap().apply(recording)
    });
    let epochs = step("epochs", || Epochs::extract(&filtered, &EpochOptions::default()).unwrap());
    drop(filtered);
    step("average", || epochs.average().unwrap());
    let wavelet: Wavelet = "db1".parse().unwrap();
    step("wavelet", || FeatureVectors::from_wavelet(&epochs, wavelet, 1).unwrap());
    step("epoch-image", || plot_epochs(&epochs, Format::Png).unwrap());
    println!("peak {}", peak_mib());
}

/// 22,464 features → 128 → 2 on 402 samples, 20 epochs, batches of 32.
fn train() {
    let features = noise(402, 22_464);
    let classes: Vec<usize> = (0..402).map(|i| i % 2).collect();
    let layers = LayerChain::default()
        .with(Layer::new(128, Activation::Relu, 0.0).unwrap())
        .with(Layer::new(2, Activation::Softmax, 0.0).unwrap());
    let optimizer = Optimizer { rule: Rule::Adam, learning_rate: 1e-3 };
    let options = FitOptions { optimizer, epochs: 20, batch_size: 32, seed: 1 };
    let examples = Examples { features: features.view(), classes: &classes };
    step("fit", || fit::<f32, TrainError>(&layers, examples, None, &options, |_| Ok(())).unwrap());
    println!("peak {}", peak_mib());
}

/// The same numbers on both sides are not needed: the work does not depend on them.
fn noise(rows: usize, columns: usize) -> Array2<f32> {
    let mut state = 1_u32;
    Array2::from_shape_simple_fn((rows, columns), || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 * 0.01
    })
}

fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.chars().filter(char::is_ascii_digit).collect::<String>().parse::<f64>().unwrap() / 1024.0
}

/// Writes the recording: rhythms, drift and noise, 600 stimuli.
fn generate(folder: &Path) -> PathBuf {
    let header = folder.join("big.vhdr");
    let mut state = 7_u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 24) - 0.5
    };
    let mut samples = Array2::<i16>::zeros((CHANNELS, SAMPLES));
    for (channel, mut row) in samples.rows_mut().into_iter().enumerate() {
        let mut drift = 0.0;
        for (i, sample) in row.iter_mut().enumerate() {
            let t = i as f64 / 1000.0;
            drift = 0.999 * drift + random();
            let wave = 80.0 * (62.8 * t + channel as f64).sin() + 5.0 * (314.0 * t).sin();
            *sample = (10.0 * drift + wave + 60.0 * random()) as i16;
        }
    }
    let markers = (0..600).map(|i| Marker {
        kind: "Stimulus".to_owned(),
        description: if i % 5 == 0 { "S  2" } else { "S  1" }.to_owned(),
        sample: 2_000 + i * 990,
        size: 1,
    });
    let channel =
        |i| Int16Channel { name: format!("E{}", i + 1), unit: "µV".to_owned(), resolution: 0.1 };
    Int16Recording {
        channels: (0..CHANNELS).map(channel).collect(),
        sfreq: 1000.0,
        meas_date: None,
        samples: samples.view(),
        markers: markers.collect(),
    }
    .write(&header)
    .unwrap();
    header
}

/// Runs a command and reads its steps; its whole CPU and wall time are steps too.
fn run(command: &mut Command) -> (Figures, f64) {
    let start = Instant::now();
    let output = command.output().unwrap();
    let wall = start.elapsed().as_secs_f64();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (mut figures, mut peak) = (Figures::new(), f64::NAN);
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["step", name, cpu, wall] => {
                figures.push(((*name).to_owned(), cpu.parse().unwrap(), wall.parse().unwrap()));
            }
            ["peak", mib] => peak = mib.parse().unwrap(),
            _ => {}
        }
    }
    let cpu = figures.iter().map(|figure| figure.1).sum();
    figures.push(("all steps".to_owned(), cpu, figures.iter().map(|figure| figure.2).sum()));
    figures.push(("whole process (wall)".to_owned(), f64::NAN, wall));
    (figures, peak)
}

fn compare() {
    let folder = std::env::temp_dir().join(format!("bench-eeg-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let header = generate(&folder);
    let bench = std::env::current_exe().unwrap();
    let python = std::env::var_os("EEG_PEERS");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("eeg_peers.py");
    for mode in ["pipeline", "train"] {
        let mut sides: Vec<(String, Command)> = Vec::new();
        let mut ours = Command::new(&bench);
        ours.arg(mode).arg(&header);
        sides.push(("this library, 2 threads".to_owned(), ours));
        let mut ours = Command::new(&bench);
        ours.arg(mode).arg(&header).env("RAYON_NUM_THREADS", "1");
        sides.push(("this library, 1 thread".to_owned(), ours));
        if let Some(python) = &python {
            for threads in ["1", "2"] {
                let mut peer = Command::new(python);
                peer.arg(&script).args([mode, threads]).arg(&header);
                for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
                    peer.env(variable, threads);
                }
                let name = if mode == "train" { "Keras" } else { "MNE" };
                sides.push((format!("{name}, {threads} thread(s)"), peer));
            }
        }
        let mut all: Vec<BTreeMap<String, Vec<(f64, f64)>>> = vec![BTreeMap::new(); sides.len()];
        let mut peaks = vec![0.0_f64; sides.len()];
        let mut order = Vec::new();
        for _ in 0..ROUNDS {
            for (side, (_, command)) in sides.iter_mut().enumerate() {
                let (figures, peak) = run(command);
                peaks[side] = peaks[side].max(peak);
                for (name, cpu, wall) in figures {
                    if side == 0 && !order.contains(&name) {
                        order.push(name.clone());
                    }
                    all[side].entry(name).or_default().push((cpu, wall));
                }
            }
        }
        println!("\n{mode}: CPU / wall seconds, median of {ROUNDS}");
        let names = sides.iter().map(|(name, _)| format!("{name:>26}")).collect::<String>();
        println!("{:<22}{names}", "");
        for name in order {
            let cells = all.iter_mut().map(|side| match side.get_mut(&name) {
                Some(figures) => {
                    let (cpu, wall) = measure::median(figures);
                    format!("{:>26}", format!("{cpu:.3} / {wall:.3}"))
                }
                None => format!("{:>26}", "-"),
            });
            println!("{name:<22}{}", cells.collect::<String>());
        }
        let peaks = peaks.iter().map(|mib| format!("{:>26}", format!("{mib:.0} MiB")));
        println!("{:<22}{}", "peak memory", peaks.collect::<String>());
    }
    let _ = std::fs::remove_dir_all(folder);
}
