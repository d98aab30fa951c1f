//! Recordings, epochs and averages between native blocks and MNE-Python, and a whole module of
//! blocks on mne, PyWavelets, scikit-learn and Keras. Needs a Python that has them:
//!
//!     python3 -m venv venv
//!     venv/bin/pip install mne pywavelets scikit-learn matplotlib keras jax
//!     EEG_MNE_PYTHON=$PWD/venv/bin/python cargo test --test real mne -- --ignored
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::{eeg_support, python_lab};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use eeg_support::{same_bits, wave};
use eeg_workflow_core::block::{Display, Value};
use eeg_workflow_core::eeg::{ChannelKind, Epochs, Evoked, Recording};
use eeg_workflow_core::engine::{Event, Keep, Listener, RunOptions};
use eeg_workflow_core::runtime::python::PythonOptions;
use eeg_workflow_core::workflow::BlockIndex;
use ndarray::{Array, Dimension};
use python_lab::{Done, Lab, workflow};
use serde_json::json;

const READ: &str = "EEG_Basil.zip:EEG_Basil/OfflineDataProvider";
const FILTER: &str = "EEG_Basil.zip:EEG_Basil/Filter";
const EXTRACT: &str = "EEG_Basil.zip:EEG_Basil/EpochExtraction";
const AVERAGE: &str = "EEG_Basil.zip:EEG_Basil/EpochAveraging";
const FEATURES: &str = "EEG_Basil.zip:EEG_Basil/WaveletTransform";
const EPOCH_PLOT: &str = "EEG_Basil.zip:EEG_Basil/EpochPlot";

/// A recording of 3 channels and 230 s, at 1000 Hz.
const REAL: &str = "bv_uwb/DoD_2015_02";

fn with_mne(change: impl FnOnce(&mut PythonOptions)) -> Lab {
    let python =
        std::env::var_os("EEG_MNE_PYTHON").expect("EEG_MNE_PYTHON names a Python with mne");
    Lab::with(|options| {
        options.interpreter = PathBuf::from(python);
        change(options);
    })
}

/// A lab with the blocks of `real_mne/Lab.py`.
fn lab() -> Lab {
    let lab = with_mne(|_| {});
    let source = include_str!("mne/Lab.py");
    lab.install(&[("Lab/__init__.py", source)]).unwrap_or_else(|error| panic!("{error:?}"));
    lab
}

/// Copies the files of a reference recording that have its stem; gives the name of one of them.
fn give(lab: &Lab, recording: &str) -> String {
    let reference = eeg_support::reference().expect("the reference data are there");
    let path = reference.join("data").join(recording);
    let stem = path.file_stem().unwrap().to_owned();
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap().flatten() {
        if entry.path().file_stem() == Some(&stem) {
            std::fs::copy(entry.path(), lab.files.join(entry.file_name())).unwrap();
        }
    }
    let ending = path.extension().map_or("vhdr", |ending| ending.to_str().unwrap());
    format!("Home/{}.{ending}", stem.to_str().unwrap())
}

fn assert_same<D: Dimension>(ours: &Array<f64, D>, theirs: &Array<f64, D>) {
    assert_eq!(ours.shape(), theirs.shape());
    assert!(ours.iter().zip(theirs).all(|(a, b)| same_bits(*a, *b)));
}

fn evoked(done: &Done, block: u32) -> Evoked {
    done.value(block).native().downcast_ref::<Evoked>().expect("an average").clone()
}

#[test]
#[ignore = "needs a Python with mne"]
fn a_recording_from_a_native_block_is_what_mne_reads_from_the_file() {
    let lab = lab();
    let recordings = [
        REAL,
        "bv_uwb/Tachov_26_3_2015_08",
        "bv_eeglab/testbva",
        "bv_julia/test1",
        "bv_mne/test",
        "bv_quirks/base_int16_mux",
        "bv_quirks/bad_annotation",
        "bv_quirks/comma_in_name",
        "bv_quirks/int32_mux",
        "bv_quirks/ascii_mux_point",
        "bv_quirks/marker_edges",
        "bv_quirks/marker_kinds",
        "bv_quirks/marker_unsorted",
        "bv_quirks/vectorized_int16",
        "bv_quirks/vectorized_float32_no_datapoints",
        "bv_quirks/utf8_bom",
        "edf/test_reduced.edf",
        "edf/test_utf8_annotations.edf",
        "edf/subsecond_starttime.edf",
        "edf/test_generator.bdf",
    ];
    let (mut blocks, mut edges) = (Vec::new(), Vec::new());
    for (id, recording) in (1..).step_by(2).zip(recordings) {
        let name = give(&lab, recording);
        // As MNE has them; by default they are seams.
        let values = json!({ "EEG File": name, "New Segments": "events" });
        blocks.push((id, READ, values));
        blocks.push((id + 1, "Compare", json!({ "file": name })));
        edges.push((id, "EEGData", id + 1, "in"));
    }
    let done = lab.run(&workflow(&blocks, &edges)).completed();
    for (block, recording) in (1..).step_by(2).zip(recordings) {
        eprintln!("{recording}: {}", done.text(block));
    }
    assert_eq!(done.text(1), "RawArray (3, 230480) exact");
}

#[test]
#[ignore = "needs a Python with mne"]
fn a_pipeline_of_native_and_python_blocks_gives_the_numbers_of_native_ones() {
    let lab = lab();
    let name = give(&lab, REAL);
    let filter = json!({ "Low Cutoff Frequency": "0.1", "High Cutoff Frequency": "30" });
    let document = workflow(
        &[
            (1, READ, json!({ "EEG File": name })),
            (2, FILTER, filter.clone()),
            (3, EXTRACT, json!({})),
            (4, AVERAGE, json!({})),
            // Filtered and cut in Python, averaged here.
            (5, "FilterAndEpoch", json!({})),
            (6, AVERAGE, json!({})),
            // Read in Python, filtered here, cut here.
            (7, "Read", json!({ "file": name })),
            (8, FILTER, filter),
            (9, EXTRACT, json!({})),
            (10, AVERAGE, json!({})),
            (11, "Plot", json!({})),
        ],
        &[
            (1, "EEGData", 2, "EEGData"),
            (2, "EEGData", 3, "EEGData"),
            (3, "Epochs", 4, "Epochs"),
            (1, "EEGData", 5, "in"),
            (5, "out", 6, "Epochs"),
            (7, "out", 8, "EEGData"),
            (8, "EEGData", 9, "EEGData"),
            (9, "Epochs", 10, "Epochs"),
            (8, "EEGData", 11, "in"),
        ],
    );
    let done = lab.run(&document).completed();
    let native = evoked(&done, 3);
    // The same samples and the same code.
    assert_same(&evoked(&done, 9).data, &native.data);
    // mne's filter and ours.
    let mixed = evoked(&done, 5);
    let largest = native.data.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let worst =
        mixed.data.iter().zip(native.data.iter()).fold(0.0_f64, |w, (a, b)| w.max((a - b).abs()));
    eprintln!("worst deviation {:.1e} of the largest value", worst / largest);
    assert!(worst <= 1e-12 * largest, "{worst} {largest}");
    assert_eq!((mixed.nave, mixed.first, mixed.sfreq), (native.nave, native.first, native.sfreq));
    assert_eq!(
        mixed.channels,
        native
            .channels
            .iter()
            .cloned()
            .map(|mut channel| {
                channel.unit = "V".to_owned();
                channel
            })
            .collect()
    );
    assert!(is_picture(&done, 10));
}

fn is_picture(done: &Done, block: u32) -> bool {
    match done.report.display(BlockIndex(block)).map(|display| (**display).clone()) {
        Some(Display::Graph(picture)) => {
            let bytes = &picture.bytes;
            bytes.starts_with(b"\x89PNG") && bytes.len() > 5_000
        }
        _ => false,
    }
}

#[test]
#[ignore = "needs a Python with mne"]
fn epochs_averages_and_feature_vectors_cross_both_ways_unchanged() {
    let lab = lab();
    let name = give(&lab, REAL);
    let document = workflow(
        &[
            (1, READ, json!({ "EEG File": name })),
            (2, EXTRACT, json!({})),
            (3, "SameEpochs", json!({ "file": name })),
            (4, AVERAGE, json!({})),
            (5, AVERAGE, json!({})),
            (6, AVERAGE, json!({ "Per Condition": "true" })),
            (7, "SameAverages", json!({})),
            (8, "SameAverages", json!({})),
            (9, EPOCH_PLOT, json!({})),
            (10, EPOCH_PLOT, json!({})),
            (11, FEATURES, json!({})),
            (12, "Vectors", json!({})),
        ],
        &[
            (1, "EEGData", 2, "EEGData"),
            (2, "Epochs", 3, "in"),
            (2, "Epochs", 4, "Epochs"),
            (3, "out", 5, "Epochs"),
            (2, "Epochs", 6, "Epochs"),
            (4, "Epochs", 7, "in"),
            (6, "Epochs", 8, "in"),
            (7, "out", 9, "Epochs"),
            (3, "out", 10, "Epochs"),
            (2, "Epochs", 11, "Epochs"),
            (11, "FeatureVector", 12, "in"),
        ],
    );
    let done = lab.run(&document).completed();
    eprintln!("epochs deviate by {} from mne's", done.text(2));
    let value = (done.value(1), done.value(2));
    let [ours, back] = [&value.0, &value.1].map(|v| v.native().downcast_ref::<Epochs>().unwrap());
    assert_same(&back.data(), &ours.data());
    assert_eq!(back.events(), ours.events());
    assert_eq!(back.info(), ours.info());
    assert_same(&evoked(&done, 4).data, &evoked(&done, 3).data);
    assert_same(&evoked(&done, 6).data, &evoked(&done, 3).data);
    assert_eq!(evoked(&done, 6).comment, evoked(&done, 3).comment);
    assert!(done.text(7).starts_with("9 of (3, 701), Stimulus/S  1, "), "{}", done.text(7));
    let Value::List(averages) = done.value(5) else { panic!("a list of averages") };
    let value = done.value(7);
    let Value::List(back) = value.native() else { panic!("{value:?}") };
    for (ours, back) in averages.iter().zip(back.iter()) {
        let [ours, back] = [ours, back].map(|v| v.downcast_ref::<Evoked>().unwrap());
        assert_same(&back.data, &ours.data);
        assert_eq!((back.nave, &back.comment), (ours.nave, &ours.comment));
    }
    assert!(is_picture(&done, 8) && is_picture(&done, 9));
    assert!(done.text(11).starts_with("(113, "), "{}", done.text(11));
}

#[test]
#[ignore = "needs a Python with mne"]
fn a_recording_of_mne_keeps_its_kinds_of_channels_and_its_annotations() {
    let lab = lab();
    let name = give(&lab, REAL);
    let names = "EEG_Basil.zip:EEG_Basil/ChannelNames";
    let events = "EEG_Basil.zip:EEG_Basil/EventAndIds";
    let document = workflow(
        &[
            (1, "Kinds", json!({})),
            (2, names, json!({})),
            (3, "Crop", json!({ "file": name })),
            (4, events, json!({})),
        ],
        &[(1, "out", 2, "EEGData"), (3, "out", 4, "EEGData")],
    );
    let done = lab.run(&document).completed();
    let value = done.value(0);
    let recording = value.native().downcast_ref::<Recording>().unwrap();
    let kinds: Vec<&str> = recording.channels().iter().map(|c| c.kind.as_str()).collect();
    assert_eq!(kinds[..5], ["eeg", "eog", "ecg", "emg", "misc"]);
    assert!(recording.channels()[5..].iter().all(|c| c.kind == ChannelKind::Misc));
    let notes = recording.annotations();
    assert_eq!(notes.len(), 2);
    assert!((notes[0].onset - 1.25).abs() < 1e-9 && notes[0].duration == 0.5);
    assert_eq!(recording.events().unwrap().rows.len(), 1, "BAD_blink is no event");

    let value = done.value(2);
    let cropped = value.native().downcast_ref::<Recording>().unwrap();
    let path = lab.files.join(name.trim_start_matches("Home/"));
    let whole = eeg_workflow_core::eeg::read(&path).unwrap();
    assert_eq!(cropped.n_samples(), whole.n_samples() - 10_000);
    let later = |sample: i64| sample >= 10_000;
    let events = whole.events().unwrap().rows.into_iter().filter(|event| later(event.sample));
    let expected: Vec<i64> = events.map(|event| event.sample - 10_000).collect();
    let found: Vec<i64> = cropped.events().unwrap().rows.iter().map(|e| e.sample).collect();
    assert_eq!(found, expected);
    for channel in 0..3 {
        assert_eq!(cropped.channel(channel).unwrap(), whole.channel(channel).unwrap()[10_000..]);
    }
}

/// The files of a module, by their paths below the module's parent.
fn sources(folder: &Path, below: &str, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = format!("{below}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            sources(&entry.path(), &name, found);
        } else if name.ends_with(".py") {
            found.push((name, std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

/// An exported workflow of 16 blocks of a Python module, on a real recording, as it was exported
/// but for the module's name and the recording's.
#[test]
#[ignore = "needs a Python with mne, PyWavelets, scikit-learn and Keras"]
fn a_module_of_fourteen_blocks_on_mne_and_keras_runs_as_it_is() {
    let lab = with_mne(|_| {});
    let mut files = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/mne/EEG_Python");
    sources(&folder, "EEG_Python", &mut files);
    let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    let start = Instant::now();
    let installed = lab.install_as(1, "EEG_Python.zip", &files);
    let installed = installed.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(installed.blocks, 14);
    eprintln!("installed after {:.1} s", start.elapsed().as_secs_f64());

    let reference = eeg_support::reference().expect("the reference data are there");
    let job = eeg_support::json(&reference.join("../api/eeg_job.json"));
    let mut document = job["workflow"].clone();
    let name = give(&lab, REAL);
    for block in document["blocks"].as_array_mut().unwrap() {
        block["module"] = "EEG_Python.zip:EEG_Python".into();
        if let Some(file) = block["values"].get_mut("EEG File") {
            *file = name.replace(".vhdr", ".eeg").into();
        }
    }
    // As jobs run; with warm workers; with values that stay for others and so move as copies.
    for keep in [Keep::None, Keep::None, Keep::All] {
        let times = Arc::new(Times::default());
        let change = |options: &mut RunOptions| {
            options.keep = keep;
            options.listener = Some(times.clone());
        };
        let done = lab.run_with(&document, change).completed();
        let (workers, _) = lab.runtime.workers();
        eprintln!("{:.1} s, {workers} workers", done.report.elapsed().as_secs_f64());
        for (block, (start, end)) in times.0.lock().unwrap().iter() {
            eprintln!("  {:2}: {start:5.2} to {end:5.2}", block + 1);
        }
        check_job(&done);
    }
}

/// When each block ran, in seconds from the start of the run.
#[derive(Default)]
struct Times(Mutex<BTreeMap<u32, (f64, f64)>>, OnceLock<Instant>);

impl Listener for Times {
    fn event(&self, event: Event) {
        let now = self.1.get_or_init(Instant::now).elapsed().as_secs_f64();
        let mut times = self.0.lock().unwrap();
        match event {
            Event::BlockStarted { block } => times.entry(block.0).or_default().0 = now,
            Event::BlockFinished { block, .. } => times.entry(block.0).or_default().1 = now,
            _ => {}
        }
    }
}

fn check_job(done: &Done) {
    let text = |id: u32| done.text(id - 1);
    assert_eq!(text(1), "(3, 230480)");
    assert_eq!(text(2), "['Fz', 'Cz', 'Pz']");
    assert!(text(3).starts_with("{'Stimulus/S  1': 1, 'Stimulus/S  2': 2,"));
    assert_eq!(text(6), "(2, 230480)");
    assert_eq!(text(7), "(113, 2, 701)");
    assert_eq!(text(11), "<br>Total datapoints: 113 <br> No. of Features: (114,)");
    assert_eq!(text(12), "{1: 0, 2: 0, 3: 0, 4: 1, 5: 1, 6: 1, 7: 2, 8: 2, 9: 2}");
    assert!(text(15).starts_with("<br>Training Accuracy: 0."), "{}", text(15));
    assert!([4, 9, 10].iter().all(|id| is_picture(done, id - 1)));
    match done.report.display(BlockIndex(15)).map(|display| (**display).clone()) {
        Some(Display::File(file)) => {
            assert!(file.name.ends_with(".keras") && file.bytes.len() > 10_000, "{}", file.name);
        }
        other => panic!("{other:?}"),
    }
}

/// 307 MB as volts in a release build; only there what it prints counts.
#[test]
#[ignore = "needs a Python with mne"]
fn a_large_recording_is_used_by_mne_where_it_was_put() {
    const SAMPLES: usize = if cfg!(debug_assertions) { 60_000 } else { 600_000 };
    const REREFERENCE: &str = "EEG_Basil.zip:EEG_Basil/ReReference";
    let lab = lab();
    eeg_support::written(&lab.files.join("large.vhdr"), &wave(64, SAMPLES), Vec::new());
    let read = json!({ "EEG File": "Home/large.eeg" });
    let edge = (1, "EEGData", 2, "in");
    let stored = workflow(&[(1, READ, read.clone()), (2, "Large", json!({}))], &[edge]);
    let volts = workflow(
        &[(1, READ, read), (3, REREFERENCE, json!({})), (2, "Large", json!({}))],
        &[(1, "EEGData", 3, "EEGData"), (3, "EEGData", 2, "in")],
    );
    for (what, document, block) in [("16-bit integers", &stored, 1), ("volts", &volts, 2)].repeat(4)
    {
        let times = Arc::new(Times::default());
        let change = |options: &mut RunOptions| {
            options.keep = Keep::None;
            options.listener = Some(times.clone());
        };
        let done = lab.run_with(document, change).completed();
        let text = done.text(block);
        let numbers: Vec<f64> = text.split(' ').map(|word| word.parse().unwrap()).collect();
        let [inside, bytes, sum, copy, mapped] = numbers[..] else { panic!("{text}") };
        let (start, end) = times.0.lock().unwrap()[&block];
        let there = end - start - inside;
        eprintln!(
            "{what}: there in {:.0} ms ({:.2} GB/s), read by sum() in {:.0} ms; memcpy {:.0} ms; \
             np.load(mmap_mode=\"r\").sum() {:.0} ms",
            there * 1e3,
            bytes / there / 1e9,
            sum * 1e3,
            copy * 1e3,
            mapped * 1e3
        );
        assert_eq!(bytes, (64 * SAMPLES * 8) as f64);
    }
}

/// What code of laboratories does beside its work.
#[rustfmt::skip]
const HABITS: [&str; 23] = [
    "import tqdm; result = sum(tqdm.tqdm(range(3)))",
    "import joblib; result = joblib.Parallel(n_jobs=2, prefer='threads')(joblib.delayed(abs)(i) for i in range(3))",
    "import joblib; result = joblib.Parallel(n_jobs=2)(joblib.delayed(double)(i) for i in range(3))",
    "import multiprocessing\nwith multiprocessing.get_context('spawn').Pool(2) as pool: result = pool.map(double, [1, 2])",
    "import multiprocessing\nwith multiprocessing.Pool(2) as pool: result = pool.map(double, [1, 2])",
    "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as pool: result = list(pool.map(double, [1, 2]))",
    "from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor(2) as pool: result = list(pool.map(double, [1, 2]))",
    "import mne; mne.set_config('MNE_USE_CUDA', 'false'); result = mne.get_config('MNE_USE_CUDA')",
    "import mne; mne.set_log_level('INFO'); mne.sys_info(fid=open('info.txt', 'w')); result = 'ok'",
    "import mne, numpy as np; raw = mne.io.RawArray(np.random.randn(5, 5000), mne.create_info(5, 250., 'eeg'))\nica = mne.preprocessing.ICA(3, random_state=1, max_iter=50).fit(raw); result = ica.n_components_",
    "import mne, numpy as np; raw = mne.io.RawArray(np.random.randn(5, 5000), mne.create_info(5, 250., 'eeg'))\nresult = raw.compute_psd(n_jobs=2).get_data().shape",
    "import mne, numpy as np; raw = mne.io.RawArray(np.random.randn(3, 5000), mne.create_info(['Fz','Cz','Pz'], 250., 'eeg'))\nraw.set_montage('standard_1020'); raw.compute_psd().plot_topomap(show=False); result = 'ok'",
    "import mne, numpy as np; e = mne.EpochsArray(np.random.randn(9, 3, 200), mne.create_info(3, 250., 'eeg'))\nresult = e.compute_tfr('morlet', freqs=[10, 20], n_cycles=2, average=True, verbose=True).data.shape",
    "import mne, numpy as np; raw = mne.io.RawArray(np.random.randn(3, 5000), mne.create_info(3, 250., 'eeg'))\nraw.save('a_raw.fif', overwrite=True); result = mne.io.read_raw_fif('a_raw.fif').n_times",
    "import os, getpass, platform, socket, locale, time; result = (os.path.expanduser('~') == os.environ['HOME'], getpass.getuser(), locale.getpreferredencoding(), os.cpu_count(), time.tzname)",
    "import tempfile, os; f = tempfile.NamedTemporaryFile(); d = tempfile.mkdtemp(); open('out.csv', 'w').write('x'); result = os.path.exists('out.csv')",
    "import matplotlib.pyplot as plt; plt.figure(); plt.title('\u{3b1} \u{b5}V \u{160}'); plt.savefig('a.pdf'); plt.show(); result = 'ok'",
    "from sklearn.model_selection import cross_val_score; from sklearn.svm import SVC; import numpy as np\nresult = cross_val_score(SVC(), np.random.randn(40, 4), [0, 1] * 20, cv=4, n_jobs=2).shape",
    "import jax, jax.numpy as jnp; result = float(jax.jit(jnp.sum)(jnp.ones(1000))), jax.devices()[0].platform",
    "import keras; m = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)]); m.save('m.h5'); m.summary(); result = keras.models.load_model('m.h5').count_params()",
    "import subprocess; result = subprocess.run(['ls', '/'], capture_output=True).returncode",
    "import sqlite3, ssl, ctypes, decimal, lzma, bz2; result = sqlite3.connect('x.db').execute('select 1').fetchone()",
    "import warnings, logging; warnings.warn('careful'); logging.getLogger().setLevel('INFO'); logging.info('hello'); result = 'ok'",
];

#[test]
#[ignore = "needs a Python with Keras"]
fn a_model_with_a_layer_and_a_loss_of_its_module_has_several_consumers() {
    let lab = with_mne(|_| {});
    let source = include_str!("mne/OwnLayer.py");
    lab.install(&[("Lab/__init__.py", source)]).unwrap_or_else(|error| panic!("{error:?}"));
    let document = workflow(
        &[(1, "Build", json!({})), (2, "Use", json!({})), (3, "Use", json!({}))],
        &[(1, "model", 2, "model"), (1, "model", 3, "model")],
    );
    let done = lab.run(&document).completed();
    assert_eq!([1, 2].map(|block| done.text(block)), ["12.0 own_loss"; 2]);
}

#[test]
#[ignore = "needs a Python with mne"]
fn what_code_of_laboratories_does_beside_its_work_does_not_fail() {
    let lab = with_mne(|_| {});
    let source = include_str!("mne/Habits.py");
    lab.install(&[("Lab/__init__.py", source)]).unwrap_or_else(|error| panic!("{error:?}"));
    let mut failed = Vec::new();
    for code in HABITS {
        let done = lab.run_block("Habit", json!({ "code": code }));
        let first: String = code.chars().take(70).collect();
        match done.report.failures().first() {
            None => {
                eprintln!("{:5.1} s {first}: {}", done.report.elapsed().as_secs_f64(), done.text(0))
            }
            Some((_, error)) => failed.push(format!("{first}: {}", error.details())),
        }
        // A worker that is not used again costs the next block the imports.
        let left = done.lines(0).into_iter().filter(|line| line.contains("is not used again"));
        failed.extend(left.map(|line| format!("{first}: {line}")));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
