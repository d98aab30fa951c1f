//! The EEG steps beside MNE-Python, pictures beside matplotlib and training beside Keras, in one
//! run, in turn: CPU and wall seconds. The recordings have 64 channels × 1000 Hz × 10 minutes and
//! 3 channels × 1000 Hz × 230 s, INT_16.
//!
//! `cargo bench -p benches --bench eeg` measures this library alone.
//! `benches/eeg_peers.sh` makes a virtual environment with MNE and Keras;
//! `EEG_PEERS=target/eeg-peers/bin/python cargo bench -p benches --bench eeg` measures both. A
//! relative path counts from the workspace's folder. Behind `--`, names of parts (pipeline, small,
//! pictures, floor, train) measure only those.
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
    self, EegPlot, EpochOptions, Epochs, FeatureVectors, FirFilter, Recording, Wavelet, plot_epochs,
};
use eeg_workflow_core::picture::Format;
use measure::cpu;
use ndarray::Array2;
use rayon::prelude::*;
use realfft::RealFftPlanner;

const CHANNELS: usize = 64;
const SAMPLES: usize = 600_000;
const ROUNDS: usize = 5;
const PARTS: [&str; 5] = ["pipeline", "small", "pictures", "floor", "train"];

/// A step's name with its CPU and wall seconds.
type Figures = Vec<(String, f64, f64)>;

/// `PART` compares it with its peers, `run PART HEADER` is one process of that.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.as_slice() {
        [run, part, header] if run == "run" => {
            match part.as_str() {
                "pictures" => pictures(Path::new(header)),
                "floor" => floor(),
                "train" => train(),
                _ => pipeline(Path::new(header)),
            }
            println!("process {}", cpu().as_secs_f64());
            println!("peak {}", peak_mib());
        }
        parts => {
            let wanted = |part: &&str| parts.is_empty() || parts.iter().any(|p| p == part);
            compare(&PARTS.into_iter().filter(wanted).collect::<Vec<_>>());
        }
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

fn filter(recording: &Recording) -> FirFilter {
    FirFilter::band(recording.sfreq(), Some(0.1), Some(30.0)).unwrap()
}

fn pipeline(header: &Path) {
    let recording = step("read", || eeg::read(header).unwrap());
    let recording = step("to-volts", || {
        let info = recording.info().clone();
        Recording::from_volts(info, recording.into_data()).unwrap()
    });
    let filtered = step("filter", || filter(&recording).apply(recording));
    let epochs = step("epochs", || Epochs::extract(&filtered, &EpochOptions::default()).unwrap());
    drop(filtered);
    step("average", || epochs.average().unwrap());
    let wavelet: Wavelet = "db1".parse().unwrap();
    step("wavelet", || FeatureVectors::from_wavelet(&epochs, wavelet, 1).unwrap());
}

fn pictures(header: &Path) {
    let recording = eeg::read(header).unwrap();
    step("plot", || EegPlot::default().draw(&recording, Format::Png).unwrap());
    let epochs = filter(&recording).apply(recording);
    let epochs = Epochs::extract(&epochs, &EpochOptions::default()).unwrap();
    step("epoch-image", || plot_epochs(&epochs, Format::Png).unwrap());
}

/// The bare transforms, there and back, that the filter of the pipeline needs: in blocks of the
/// size that takes the least time.
fn floor() {
    const TAPS: usize = 33_001;
    let mut planner = RealFftPlanner::<f64>::new();
    let mut transforms = |size: usize, channels: usize| {
        let (there, back) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
        let blocks = SAMPLES.div_ceil(size + 1 - TAPS);
        let start = Instant::now();
        (0..channels).into_par_iter().for_each_init(
            || {
                let scratch = there.get_scratch_len().max(back.get_scratch_len());
                (there.make_input_vec(), there.make_output_vec(), vec![Default::default(); scratch])
            },
            |(signal, spectrum, scratch), _| {
                for _ in 0..blocks {
                    there.process_with_scratch(signal, spectrum, scratch).unwrap();
                    back.process_with_scratch(spectrum, signal, scratch).unwrap();
                    signal.fill(1.0);
                }
            },
        );
        start.elapsed()
    };
    let sizes = (16..=20).flat_map(|k| [1 << k, 5 << (k - 2), 3 << (k - 1)]);
    let best = sizes.min_by_key(|size| (0..3).map(|_| transforms(*size, 4)).min()).unwrap();
    println!("note blocks of {best}");
    step("filter", || transforms(best, CHANNELS));
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

/// Writes a recording: rhythms, drift and noise, a stimulus every 990 ms.
fn generate(header: PathBuf, channels: usize, n_samples: usize) -> PathBuf {
    let mut state = 7_u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 24) - 0.5
    };
    let mut samples = Array2::<i16>::zeros((channels, n_samples));
    for (channel, mut row) in samples.rows_mut().into_iter().enumerate() {
        let mut drift = 0.0;
        for (i, sample) in row.iter_mut().enumerate() {
            let t = i as f64 / 1000.0;
            drift = 0.999 * drift + random();
            let wave = 80.0 * (62.8 * t + channel as f64).sin() + 5.0 * (314.0 * t).sin();
            *sample = (10.0 * drift + wave + 60.0 * random()) as i16;
        }
    }
    let markers = (0..n_samples as i64 / 1_000).map(|i| Marker {
        kind: "Stimulus".to_owned(),
        description: if i % 5 == 0 { "S  2" } else { "S  1" }.to_owned(),
        sample: 2_000 + i * 990,
        size: 1,
    });
    let channel =
        |i| Int16Channel { name: format!("E{}", i + 1), unit: "µV".to_owned(), resolution: 0.1 };
    Int16Recording {
        channels: (0..channels).map(channel).collect(),
        sfreq: 1000.0,
        meas_date: None,
        samples: samples.view(),
        markers: markers.collect(),
    }
    .write(&header)
    .unwrap();
    header
}

/// Runs a command and reads its steps; all of them together and the whole process are steps too.
fn run(command: &mut Command) -> (Figures, f64) {
    let start = Instant::now();
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let wall = start.elapsed().as_secs_f64();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (mut figures, mut process, mut peak) = (Figures::new(), f64::NAN, f64::NAN);
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["step", name, cpu, wall] => {
                figures.push(((*name).to_owned(), cpu.parse().unwrap(), wall.parse().unwrap()));
            }
            ["process", cpu] => process = cpu.parse().unwrap(),
            ["peak", mib] => peak = mib.parse().unwrap(),
            _ => {}
        }
    }
    let cpu = figures.iter().map(|figure| figure.1).sum();
    figures.push(("all steps".to_owned(), cpu, figures.iter().map(|figure| figure.2).sum()));
    figures.push(("whole process".to_owned(), process, wall));
    (figures, peak)
}

/// The Python with the peers, if there is one.
fn peers() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    Some(workspace.join(std::env::var_os("EEG_PEERS")?))
}

/// Who is compared in a part: name, command and how often it is run.
fn sides(part: &str, header: &Path, python: Option<&Path>) -> Vec<(String, Command, usize)> {
    let mut sides = Vec::new();
    for (name, threads) in [("2 threads", "2"), ("1 thread", "1")] {
        let mut ours = Command::new(std::env::current_exe().unwrap());
        ours.args(["run", part]).arg(header).env("RAYON_NUM_THREADS", threads);
        let side = if part == "floor" { "bare FFT" } else { "this library" };
        sides.push((format!("{side}, {name}"), ours, ROUNDS));
    }
    // Matplotlib takes minutes, and has one thread.
    let (peer, all_threads, rounds) = match part {
        "train" => ("Keras", &["2", "1"][..], ROUNDS),
        "pictures" => ("matplotlib", &["1"][..], 1),
        _ => ("MNE", &["2", "1"][..], ROUNDS),
    };
    if let (Some(python), false) = (python, part == "floor") {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("eeg_peers.py");
        for threads in all_threads {
            let mut command = Command::new(python);
            command.arg(&script).args([part, threads]).arg(header);
            for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
                command.env(variable, threads);
            }
            sides.push((format!("{peer}, {threads} thread(s)"), command, rounds));
        }
    }
    sides
}

fn compare(parts: &[&str]) {
    let folder = std::env::temp_dir().join(format!("bench-eeg-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let big = generate(folder.join("big.vhdr"), CHANNELS, SAMPLES);
    let small = generate(folder.join("small.vhdr"), 3, 230_000);
    let python = peers();
    for part in parts {
        let header = if *part == "small" { &small } else { &big };
        let mut sides = sides(part, header, python.as_deref());
        let mut all: Vec<BTreeMap<String, Vec<(f64, f64)>>> = vec![BTreeMap::new(); sides.len()];
        let mut peaks = vec![0.0_f64; sides.len()];
        let mut order = Vec::new();
        for round in 0..ROUNDS {
            for (side, (_, command, rounds)) in sides.iter_mut().enumerate() {
                if round >= *rounds {
                    continue;
                }
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
        println!("\n{part}: CPU / wall seconds, median of {ROUNDS}");
        let names = sides.iter().map(|(name, ..)| format!("{name:>26}")).collect::<String>();
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
