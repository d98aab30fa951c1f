//! Random recordings and random parameters of the native blocks beside MNE, SciPy, PyWavelets and
//! scikit-learn: `differential.py` makes both. Needs a Python that has them, as `mne.rs` says:
//!
//!     EEG_MNE_PYTHON=$PWD/venv/bin/python cargo test --test real differential -- --ignored
//!
//! `EEG_DIFFERENTIAL_COUNT` recordings (40 without it) from the seed `EEG_DIFFERENTIAL_SEED` on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::path::Path;
use std::process::Command;

use eeg_workflow_core::block::{Display, FileRoots, Value};
use eeg_workflow_core::builtin;
use eeg_workflow_core::eeg::{Epochs, Evoked, FeatureVectors, Recording};
use eeg_workflow_core::engine::{Engine, EngineOptions, Keep, Outcome, Report, RunOptions};
use eeg_workflow_core::workflow::Workflow;
use ndarray::ArrayD;
use serde_json::Value as Json;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
#[ignore = "needs a Python with mne"]
fn random_workflows_give_the_numbers_of_the_python_packages() {
    let python = std::env::var_os("EEG_MNE_PYTHON").expect("EEG_MNE_PYTHON names a Python");
    let (seed, count) =
        (setting("EEG_DIFFERENTIAL_SEED", 0), setting("EEG_DIFFERENTIAL_COUNT", 40));
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/differential.py");
    let engine = Engine::new(EngineOptions { threads: Some(2), ..EngineOptions::default() });
    let engine = engine.unwrap();
    let (mut compared, mut blocks, mut problems) = (0, 0, Vec::new());
    // In portions, so that many recordings do not fill the disk.
    for first in (seed..seed + count).step_by(20) {
        let portion = 20.min(seed + count - first);
        let made = Command::new(&python)
            .args([script.as_os_str(), folder.path().as_os_str()])
            .args([first.to_string(), portion.to_string()])
            .status()
            .unwrap();
        assert!(made.success(), "the script fails from seed {first} on");
        for case in first..first + portion {
            let place = folder.path().join(case.to_string());
            let (checked, ran, found) = check_case(&engine, &place);
            compared += checked;
            blocks += ran;
            problems.extend(found.into_iter().map(|problem| format!("seed {case}: {problem}")));
            std::fs::remove_dir_all(&place).unwrap();
        }
    }
    eprintln!("{count} recordings, {blocks} blocks with their parameters, {compared} comparisons");
    assert!(compared > 5 * count as usize);
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// How many expectations were compared, how many blocks ran, and what is not as expected.
fn check_case(engine: &Engine, folder: &Path) -> (usize, usize, Vec<String>) {
    let case: Json =
        serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap();
    let workflow = Workflow::from_json(&case["document"].to_string()).unwrap();
    let plan = workflow.plan(&builtin::registry().unwrap()).unwrap();
    let files = Some(FileRoots::new(folder));
    let options = RunOptions { keep: Keep::All, files, ..RunOptions::default() };
    let report = engine.start(&plan, options).wait();
    let blocks = case["document"]["blocks"].as_array().unwrap();
    let expected = case["expected"].as_array().unwrap();
    let problems = expected.iter().filter_map(|expected| {
        let id = expected["block"].as_i64().unwrap();
        let block = &blocks[id as usize - 1];
        let problem = check(&report, id, expected, folder).err()?;
        Some(format!("{} {}: {problem}", block["type"], block["values"]))
    });
    (expected.len(), blocks.len(), problems.collect())
}

fn check(report: &Report, id: i64, expected: &Json, folder: &Path) -> Result<(), String> {
    match report.outcome_of(id) {
        Some(Outcome::Failed(_)) if expected["error"] == true => return Ok(()),
        Some(Outcome::Finished) if expected["error"].is_null() => {}
        Some(Outcome::Failed(error)) => return Err(error.to_string()),
        other => return Err(format!("{other:?}")),
    }
    if let Some(events) = expected["events"].as_array() {
        return check_events(report, id, events);
    }
    let value = report.output_of(id, expected["port"].as_str().unwrap()).unwrap();
    let (ours, theirs) = (array(value), read(expected, folder));
    if ours.shape() != theirs.shape() {
        return Err(format!("{:?} instead of {:?}", ours.shape(), theirs.shape()));
    }
    let exact = expected["exact"] == true;
    let scale = expected["scale"].as_f64().unwrap();
    for (row, (ours, theirs)) in ours.rows().into_iter().zip(theirs.rows()).enumerate() {
        let largest = theirs.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let tolerance = if exact { 0.0 } else { 1e-9 * largest + 1e-13 * scale };
        for (place, (a, b)) in ours.iter().zip(theirs).enumerate() {
            let same = (a - b).abs() <= tolerance || (a.is_nan() && b.is_nan());
            if !same {
                return Err(format!("row {row}, {place}: {a} instead of {b}, allowed {tolerance}"));
            }
        }
    }
    Ok(())
}

/// The events that are left, of epochs or as a drop log has them.
fn check_events(report: &Report, id: i64, expected: &[Json]) -> Result<(), String> {
    let epochs = report.output_of(id, "Epochs").unwrap();
    let epochs = epochs.downcast_ref::<Epochs>().ok_or("not epochs")?;
    let ours: Vec<[i64; 2]> =
        epochs.events().iter().map(|event| [event.sample, event.id.into()]).collect();
    let pair = |event: &Json| [event[0].as_i64().unwrap(), event[1].as_i64().unwrap()];
    let theirs: Vec<[i64; 2]> = expected.iter().map(pair).collect();
    if let Some(Display::Table { rows, .. }) = report.display_of(id).map(AsRef::as_ref) {
        let left = rows.iter().filter(|row| row[4].is_empty()).count();
        if left != ours.len() {
            return Err(format!("the drop log leaves {left} of {} epochs", ours.len()));
        }
    }
    if ours == theirs { Ok(()) } else { Err(format!("events {ours:?} instead of {theirs:?}")) }
}

fn array(value: &Value) -> ArrayD<f64> {
    if let Some(recording) = value.downcast_ref::<Recording>() {
        return recording.data().as_ref().clone().into_dyn();
    }
    if let Some(epochs) = value.downcast_ref::<Epochs>() {
        return epochs.data().as_ref().clone().into_dyn();
    }
    if let Some(evoked) = value.downcast_ref::<Evoked>() {
        return evoked.data.as_ref().clone().into_dyn();
    }
    if let Some(vectors) = value.downcast_ref::<FeatureVectors>() {
        return vectors.values().to_owned().into_dyn();
    }
    match value {
        Value::Array(array) => array.as_ref().clone(),
        other => panic!("{}", other.type_name()),
    }
}

fn read(expected: &Json, folder: &Path) -> ArrayD<f64> {
    let bytes = std::fs::read(folder.join(expected["file"].as_str().unwrap())).unwrap();
    let values = bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    let shape = expected["shape"].as_array().unwrap();
    let shape: Vec<usize> = shape.iter().map(|n| n.as_u64().unwrap() as usize).collect();
    ArrayD::from_shape_vec(shape, values).unwrap()
}
