//! The EEG blocks in workflows: what they declare, show and pass on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::{edf_files, eeg_support};

use std::path::Path;
use std::sync::Arc;

use edf_files::{eeg, file, rich, volts};
use eeg_support::{json, marker, reference, wave, written};
use eeg_workflow_core::block::{Display, FileRoots};
use eeg_workflow_core::builtin;
use eeg_workflow_core::eeg::Recording;
use eeg_workflow_core::engine::{Engine, EngineOptions, Keep, Outcome, Report, RunOptions};
use eeg_workflow_core::workflow::{BlockId, Plan, Workflow};
use serde_json::{Value, json};

const MODULE: &str = "EEG_Basil.zip:EEG_Basil";

/// Blocks (type, values) numbered from 1, and edges along `EEGData` (from, to).
fn plan(blocks: &[(&str, Value)], edges: &[(u32, u32)]) -> Plan {
    let block = |(i, (name, values)): (usize, &(&str, Value))| json!({"id": i + 1, "module": MODULE, "type": name, "values": values});
    let edge = |(i, (from, to)): (usize, &(u32, u32))| {
        json!({
            "id": i + 1,
            "block1": from, "connector1": ["EEGData", "output"],
            "block2": to, "connector2": ["EEGData", "input"],
        })
    };
    let document = json!({
        "blocks": blocks.iter().enumerate().map(block).collect::<Vec<_>>(),
        "edges": edges.iter().enumerate().map(edge).collect::<Vec<_>>(),
    });
    let workflow = Workflow::from_json(&document.to_string()).unwrap();
    workflow.plan(&builtin::registry().unwrap()).unwrap()
}

fn run(plan: &Plan, files: &Path) -> Report {
    let engine = Engine::new(EngineOptions { threads: Some(2), ..EngineOptions::default() });
    let files = Some(FileRoots::new(files));
    let options = RunOptions { keep: Keep::All, files, ..RunOptions::default() };
    engine.unwrap().start(plan, options).wait()
}

fn shown(plan: &Plan, report: &Report, id: i64) -> Arc<Display> {
    let index = plan.index_of(&BlockId::Integer(id)).unwrap();
    if let Some(Outcome::Failed(error)) = report.outcome(index) {
        panic!("block {id}: {error}");
    }
    Arc::clone(report.display(index).unwrap())
}

fn text(plan: &Plan, report: &Report, id: i64) -> String {
    match &*shown(plan, report, id) {
        Display::Text(text) => text.to_string(),
        other => panic!("block {id} shows {other:?}"),
    }
}

fn failure(plan: &Plan, report: &Report, id: i64) -> String {
    match report.outcome(plan.index_of(&BlockId::Integer(id)).unwrap()) {
        Some(Outcome::Failed(error)) => error.to_string(),
        other => panic!("block {id}: {other:?}"),
    }
}

#[test]
fn a_recording_goes_through_all_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let markers = vec![
        marker("Stimulus", "S  2", 10, 1),
        marker("Comment", "it's", 20, 0),
        marker("Stimulus", "S  1", 30, 1),
    ];
    let samples = wave(3, 1200);
    written(&folder.path().join("own.vhdr"), &samples, markers);
    let plan = plan(
        &[
            ("OfflineDataProvider", json!({"EEG File": "Home/own.eeg"})),
            ("ChannelNames", json!({})),
            ("EventAndIds", json!({})),
            ("ChannelSelection", json!({"Channels": ["C3", "C1"]})),
            ("EEGPlot", json!({})),
            ("ChannelNames", json!({})),
            ("ChannelSelection", json!({"Channels": ""})),
        ],
        &[(1, 2), (1, 3), (1, 4), (4, 5), (4, 6), (1, 7)],
    );
    let report = run(&plan, folder.path());
    assert_eq!(text(&plan, &report, 1), "(3, 1200)");
    assert_eq!(text(&plan, &report, 2), "['C1', 'C2', 'C3']");
    assert_eq!(
        text(&plan, &report, 3),
        r#"{"Comment/it's": 10001, 'Stimulus/S  1': 1, 'Stimulus/S  2': 2}"#
    );
    assert_eq!(text(&plan, &report, 4), "(2, 1200)");
    assert_eq!(text(&plan, &report, 6), "['C3', 'C1']");
    assert_eq!(text(&plan, &report, 7), "(3, 1200)");
    let graph = shown(&plan, &report, 5);
    let artifact = graph.artifact().unwrap();
    assert!(artifact.bytes.starts_with(b"\x89PNG"));
    assert!(artifact.name.ends_with(".png"));

    let index = plan.index_of(&BlockId::Integer(4)).unwrap();
    let picked = report.output(index, 0).unwrap().downcast_ref::<Recording>().unwrap();
    let gain = 1e-6 * 0.1;
    assert_eq!(picked.channel(0).unwrap(), samples.row(2).mapv(|v| f64::from(v) * gain).to_vec());
}

#[test]
fn an_error_names_the_parameter_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let markers = vec![marker("Stimulus", "S  1", 300, 1)];
    written(&folder.path().join("own.vhdr"), &wave(3, 1200), markers);
    let cases = [
        ("EpochExtraction", "PostStimulus onset", "inf"),
        ("EpochExtraction", "PostStimulus onset", "1e10"),
        ("EpochExtraction", "PreStimulus onset", "-1e10"),
        ("EpochExtraction", "PreStimulus onset", "3"),
        ("EpochExtraction", "Baseline Correction End Time", "3"),
        ("EpochExtraction", "Baseline Correction Start Time", "-3"),
        ("EpochExtraction", "Event Id", ","),
        ("EpochExtraction", "Event Id", "S 9"),
        ("PowerSpectrum", "Lowest Frequency", "900"),
        ("PowerSpectrum", "Highest Frequency", "-4"),
        ("Filter", "Low Cutoff Frequency", "250"),
        ("Notch", "Frequencies", "249.9"),
    ];
    let blocks: Vec<_> =
        std::iter::once(("OfflineDataProvider", json!({"EEG File": "Home/own.eeg"})))
            .chain(cases.map(|(block, parameter, value)| (block, json!({ parameter: value }))))
            .collect();
    let edges: Vec<_> = (0..cases.len()).map(|case| (1, case as u32 + 2)).collect();
    let plan = plan(&blocks, &edges);
    let report = run(&plan, folder.path());
    for (case, (block, parameter, value)) in cases.iter().enumerate() {
        let failure = failure(&plan, &report, case as i64 + 2);
        let expected = format!("parameter \"{parameter}\": ");
        assert!(failure.starts_with(&expected), "{block} with {parameter} {value}: {failure}");
    }
}

#[test]
fn a_recording_of_any_format_is_read_by_any_file_of_its_set() {
    let folder = tempfile::tempdir().unwrap();
    let samples = wave(3, 60);
    written(&folder.path().join("set.vhdr"), &samples, vec![marker("Stimulus", "S  7", 30, 1)]);
    // Annotations, channels of two rates, a trigger line; a recording whose triggers are its events.
    let mut status = eeg("Status", vec![vec![0, 5, 5], vec![0, 300, 0]]);
    status.range = ["-8388608", "8388607", "-8388608", "8388607"];
    let amplifier = [eeg("A1", vec![vec![1, 2, 3], vec![4, 5, 6]]), status];
    for (name, bytes) in [
        ("plus.edf", rich(2)),
        ("plus.bdf", rich(3)),
        ("no ending", rich(3)),
        ("amplifier.bdf", file(3, "24BIT", "1", &amplifier)),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let set = ("(3, 60)", "['C1', 'C2', 'C3']", "{'Stimulus/S  7': 7}", 1e-6 * 0.1 * -32768.0);
    let notes = "{'9': 9, 'Fz': 1, 'one': 2, 'two': 3, '仰': 4}";
    let plus = ("(3, 60)", "['Fz', 'Resp', 'Status']", notes, volts(21));
    let triggers = ("(2, 6)", "['A1', 'Status']", "{'300': 300, '5': 5}", volts(4));
    for (name, (shape, channels, events, fourth)) in [
        ("set.vhdr", set),
        ("set.eeg", set),
        ("set.vmrk", set),
        ("plus.edf", plus),
        ("plus.bdf", plus),
        ("no ending", plus),
        ("amplifier.bdf", triggers),
    ] {
        let plan = plan(
            &[
                ("OfflineDataProvider", json!({"EEG File": format!("Home/{name}")})),
                ("ChannelNames", json!({})),
                ("EventAndIds", json!({})),
            ],
            &[(1, 2), (1, 3)],
        );
        let report = run(&plan, folder.path());
        assert_eq!(text(&plan, &report, 1), shape, "{name}");
        assert_eq!(text(&plan, &report, 2), channels, "{name}");
        assert_eq!(text(&plan, &report, 3), events, "{name}");
        let index = plan.index_of(&BlockId::Integer(1)).unwrap();
        let read = report.output(index, 0).unwrap().downcast_ref::<Recording>().unwrap();
        assert_eq!(read.channel(0).unwrap()[3], fourth, "{name}");
    }
}

#[test]
fn what_cannot_be_done_names_the_parameter_and_no_folder_of_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    written(&folder.path().join("own.vhdr"), &wave(2, 100), vec![]);
    std::fs::write(folder.path().join("odd.vhdr"), "[Common Infos]\nDataFile=../own.eeg\n")
        .unwrap();
    let machine = folder.path().canonicalize().unwrap().display().to_string();

    let chosen = plan(
        &[
            ("OfflineDataProvider", json!({"EEG File": "Home/own.vhdr"})),
            ("ChannelSelection", json!({"Channels": ["C1", "Oz"]})),
        ],
        &[(1, 2)],
    );
    let error = failure(&chosen, &run(&chosen, folder.path()), 2);
    assert_eq!(
        error,
        "parameter \"Channels\": no channel \"Oz\" in the recording, which has \"C1\", \"C2\""
    );
    for (file, word) in
        [("Home/none.eeg", "no such file"), ("Home/odd.vhdr", "odd.vhdr: no DataOrientation")]
    {
        let plan = plan(&[("OfflineDataProvider", json!({"EEG File": file}))], &[]);
        let error = failure(&plan, &run(&plan, folder.path()), 1);
        assert!(error.contains("\"EEG File\"") && error.contains(word), "{error}");
        assert!(!error.contains(&machine), "{error}");
    }
}

#[test]
fn a_real_recording_shows_what_it_shows_elsewhere() {
    let Some(folder) = reference() else { return };
    let plan = plan(
        &[
            ("OfflineDataProvider", json!({"EEG File": "Home/DoD_2015_02.eeg"})),
            ("ChannelNames", json!({})),
            ("EventAndIds", json!({})),
            ("EEGPlot", json!({})),
        ],
        &[(1, 2), (1, 3), (1, 4)],
    );
    let report = run(&plan, &folder.join("data/bv_uwb"));
    assert_eq!(text(&plan, &report, 1), "(3, 230480)");
    assert_eq!(text(&plan, &report, 2), "['Fz', 'Cz', 'Pz']");
    let expected = json(&folder.join("expected/uwb_DoD_2015_02.json"));
    let ids = expected["events_from_annotations"]["event_id"].as_object().unwrap();
    let ids: Vec<String> = ids.iter().map(|(name, id)| format!("'{name}': {id}")).collect();
    assert_eq!(text(&plan, &report, 3), format!("{{{}}}", ids.join(", ")));
    assert!(matches!(&*shown(&plan, &report, 4), Display::Graph(_)));
}
