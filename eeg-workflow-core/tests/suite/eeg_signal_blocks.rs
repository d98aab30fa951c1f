//! The blocks of signal processing in workflows: what they pass on, show, log and refuse, and
//! that no branch sees what another one does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::eeg_support;

use std::path::Path;
use std::sync::{Arc, mpsc};

use eeg_support::{json, marker, reference, wave, written};
use eeg_workflow_core::block::{Display, FileRoots};
use eeg_workflow_core::builtin;
use eeg_workflow_core::eeg::{Epochs, Evoked, FirFilter, Recording, read};
use eeg_workflow_core::engine::{Engine, EngineOptions, Event, Keep, Outcome, Report, RunOptions};
use eeg_workflow_core::workflow::{BlockId, Plan, Workflow};
use serde_json::{Value, json};

/// Blocks (type, values) numbered from 1, and edges (from, port, to); both ends of an edge have
/// the same name in these modules.
fn plan(blocks: &[(&str, Value)], edges: &[(u32, &str, u32)]) -> Plan {
    let block = |(i, (name, values)): (usize, &(&str, Value))| json!({"id": i + 1, "module": "EEG_Basil.zip:EEG_Basil", "type": name, "values": values});
    let edge = |(i, (from, port, to)): (usize, &(u32, &str, u32))| {
        json!({
            "id": i + 1,
            "block1": from, "connector1": [port, "output"],
            "block2": to, "connector2": [port, "input"],
        })
    };
    let document = json!({
        "blocks": blocks.iter().enumerate().map(block).collect::<Vec<_>>(),
        "edges": edges.iter().enumerate().map(edge).collect::<Vec<_>>(),
    });
    let workflow = Workflow::from_json(&document.to_string()).unwrap();
    workflow.plan(&builtin::registry().unwrap()).unwrap()
}

/// A finished run with the lines that its blocks logged.
struct Done<'a> {
    plan: &'a Plan,
    report: Report,
    log: Vec<String>,
}

fn run<'a>(plan: &'a Plan, files: &Path) -> Done<'a> {
    let engine = Engine::new(EngineOptions { threads: Some(2), ..EngineOptions::default() });
    let (sender, events) = mpsc::channel();
    let options = RunOptions {
        keep: Keep::All,
        files: Some(FileRoots::new(files)),
        listener: Some(Arc::new(sender)),
        ..RunOptions::default()
    };
    let report = engine.unwrap().start(plan, options).wait();
    let lines = events.try_iter().filter_map(|event| match event {
        Event::BlockLog { line, .. } => Some(line.to_string()),
        _ => None,
    });
    Done { plan, report, log: lines.collect() }
}

impl Done<'_> {
    fn shown(&self, id: i64) -> Arc<Display> {
        let index = self.plan.index_of(&BlockId::Integer(id)).unwrap();
        if let Some(Outcome::Failed(error)) = self.report.outcome(index) {
            panic!("block {id}: {error}");
        }
        Arc::clone(self.report.display(index).unwrap())
    }

    fn text(&self, id: i64) -> String {
        match &*self.shown(id) {
            Display::Text(text) => text.to_string(),
            other => panic!("block {id} shows {other:?}"),
        }
    }

    fn graph(&self, id: i64) -> Vec<u8> {
        match &*self.shown(id) {
            Display::Graph(artifact) => artifact.bytes.to_vec(),
            other => panic!("block {id} shows {other:?}"),
        }
    }

    fn table(&self, id: i64) -> (Vec<String>, Vec<Vec<String>>) {
        match &*self.shown(id) {
            Display::Table { columns, rows } => (columns.to_vec(), rows.to_vec()),
            other => panic!("block {id} shows {other:?}"),
        }
    }

    fn output(&self, id: i64) -> &eeg_workflow_core::block::Value {
        let index = self.plan.index_of(&BlockId::Integer(id)).unwrap();
        if let Some(Outcome::Failed(error)) = self.report.outcome(index) {
            panic!("block {id}: {error}");
        }
        self.report.output(index, 0).unwrap()
    }

    fn recording(&self, id: i64) -> &Recording {
        self.output(id).downcast_ref().unwrap()
    }

    fn epochs(&self, id: i64) -> &Epochs {
        self.output(id).downcast_ref().unwrap()
    }

    fn failure(&self, id: i64) -> String {
        match self.report.outcome(self.plan.index_of(&BlockId::Integer(id)).unwrap()) {
            Some(Outcome::Failed(error)) => error.to_string(),
            other => panic!("block {id}: {other:?}"),
        }
    }
}

/// 3 channels, 10 s at 500 Hz, with 8 stimuli of two kinds.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let stimulus = |k: i64| {
        let name = if k % 3 == 0 { "S  2" } else { "S  1" };
        marker("Stimulus", name, 50 + 600 * k, 1)
    };
    written(&folder.path().join("own.vhdr"), &wave(3, 5000), (0..9).map(stimulus).collect());
    folder
}

fn provider() -> (&'static str, Value) {
    ("OfflineDataProvider", json!({"EEG File": "Home/own.eeg"}))
}

#[test]
fn a_pipeline_from_file_to_pictures() {
    let folder = folder();
    let plan = plan(
        &[
            provider(),
            ("Filter", json!({"Low Cutoff Frequency": "1", "High Cutoff Frequency": "30"})),
            ("EpochExtraction", json!({"Event Id": "None"})),
            ("EpochAveraging", json!({})),
            ("EpochPlot", json!({})),
            ("EpochPlot", json!({"Format": "svg"})),
            ("EpochAveraging", json!({"Per Condition": "true"})),
            ("EpochPlot", json!({})),
            ("ERPPlot", json!({"Channels": ["C1", "C3"]})),
        ],
        &[
            (1, "EEGData", 2),
            (2, "EEGData", 3),
            (3, "Epochs", 4),
            (4, "Epochs", 5),
            (3, "Epochs", 6),
            (3, "Epochs", 7),
            (7, "Epochs", 8),
            (3, "Epochs", 9),
        ],
    );
    let done = run(&plan, folder.path());
    // The first event starts too early, the last one too late.
    assert_eq!(done.text(3), "(7, 3, 351)");
    assert!(
        done.log.iter().any(|l| l.contains("event 0 (Stimulus/S  2, sample 50) dropped: NO_DATA"))
    );
    assert!(done.log.iter().any(|l| l.contains("TOO_SHORT")), "{:?}", done.log);
    let average: &Evoked = done.output(4).downcast_ref().unwrap();
    assert_eq!((average.nave, average.shape()), (7, (3, 351)));
    assert_eq!(done.epochs(3).average().unwrap().data, average.data);
    for id in [5, 8, 9] {
        assert!(done.graph(id).starts_with(b"\x89PNG"), "{id}");
    }
    assert!(done.graph(6).starts_with(b"<svg"));
    let eeg_workflow_core::block::Value::List(averages) = done.output(7) else {
        panic!("a list of averages")
    };
    let names: Vec<&str> =
        averages.iter().map(|a| a.downcast_ref::<Evoked>().unwrap().comment.as_str()).collect();
    assert_eq!(names, ["Stimulus/S  1", "Stimulus/S  2"]);
}

#[test]
fn a_filter_beside_an_inspection_leaves_what_is_inspected_alone() {
    let folder = folder();
    let values = json!({"High Cutoff Frequency": "20"});
    let plan = plan(
        &[
            provider(),
            ("Filter", values.clone()),
            ("EEGPlot", json!({})),
            ("ReReference", json!({})),
            ("Filter", values),
            ("EpochExtraction", json!({"Baseline Correction": "false"})),
        ],
        &[
            (1, "EEGData", 2),
            (1, "EEGData", 3),
            (1, "EEGData", 4),
            (2, "EEGData", 5),
            (2, "EEGData", 6),
        ],
    );
    for _ in 0..5 {
        let done = run(&plan, folder.path());
        let raw = read(&folder.path().join("own.vhdr")).unwrap();
        assert_eq!(done.recording(1).data(), raw.data());
        let filter = FirFilter::band(500.0, None, Some(20.0)).unwrap();
        let once = filter.apply(raw);
        assert_eq!(done.recording(2).data(), once.data());
        assert_eq!(done.recording(5).data(), filter.apply(once.clone()).data());
        // The epochs are a view of what was filtered once, whatever was made of it elsewhere.
        let epochs = done.epochs(6);
        let start = (epochs.events()[0].sample - 100) as usize;
        let expected = once.channel(1).unwrap()[start..start + 351].to_vec();
        assert_eq!(epochs.epoch(0).unwrap().row(1).to_vec(), expected);
    }
}

#[test]
fn a_selection_beside_a_listing_leaves_the_list_whole() {
    let folder = folder();
    let plan = plan(
        &[
            provider(),
            ("ChannelSelection", json!({"Channels": ["C2"]})),
            ("ChannelNames", json!({})),
            ("ChannelNames", json!({})),
        ],
        &[(1, "EEGData", 2), (1, "EEGData", 3), (2, "EEGData", 4)],
    );
    for _ in 0..5 {
        let done = run(&plan, folder.path());
        assert_eq!(done.text(3), "['C1', 'C2', 'C3']");
        assert_eq!(done.text(4), "['C2']");
    }
}

#[test]
fn events_are_chosen_by_id_by_name_and_several_at_once() {
    let folder = folder();
    for (chosen, text) in [
        ("None", "(7, 3, 351)"),
        ("", "(7, 3, 351)"),
        ("1", "(5, 3, 351)"),
        ("Stimulus/S  2", "(2, 3, 351)"),
        ("Stimulus/S 2, 1", "(7, 3, 351)"),
        ("2,1", "(7, 3, 351)"),
    ] {
        let plan = plan(
            &[provider(), ("EpochExtraction", json!({"Event Id": chosen}))],
            &[(1, "EEGData", 2)],
        );
        assert_eq!(run(&plan, folder.path()).text(2), text, "{chosen}");
    }
}

#[test]
fn errors_name_the_parameter_and_what_is_there_instead() {
    let folder = folder();
    for (block, values, port, words) in [
        (
            "Filter",
            json!({"High Cutoff Frequency": "250"}),
            "EEGData",
            "parameter \"High Cutoff Frequency\": 250 Hz is not below 250 Hz",
        ),
        (
            "Filter",
            json!({"Low Cutoff Frequency": -1}),
            "EEGData",
            "parameter \"Low Cutoff Frequency\": -1 Hz is not above 0 Hz",
        ),
        (
            "Filter",
            json!({"Low Cutoff Frequency": 400, "High Cutoff Frequency": 30}),
            "EEGData",
            "parameter \"Low Cutoff Frequency\": 400 Hz is not below 250 Hz",
        ),
        (
            "Filter",
            json!({"Low Cutoff Frequency": 52, "High Cutoff Frequency": 48}),
            "EEGData",
            "parameters \"Low Cutoff Frequency\" and \"High Cutoff Frequency\": the stop band from 48",
        ),
        (
            "Notch",
            json!({"Frequencies": "50,300"}),
            "EEGData",
            "parameter \"Frequencies\": 300 Hz is not below 250 Hz",
        ),
        (
            "EpochExtraction",
            json!({"Event Id": "9"}),
            "EEGData",
            "parameter \"Event Id\": no event \"9\"; the recording has \"Stimulus/S  1\" (1)",
        ),
        (
            "EpochExtraction",
            json!({"Baseline Correction Start Time": "-0.4"}),
            "EEGData",
            "parameter \"Baseline Correction Start Time\": the baseline from -0.4 to 0 s is not inside",
        ),
        (
            "EpochExtraction",
            json!({"Baseline Correction End Time": "x"}),
            "EEGData",
            "parameter \"Baseline Correction End Time\": \"x\" is not a number",
        ),
        (
            "EpochExtraction",
            json!({"PreStimulus onset": 0}),
            "EEGData",
            "parameter \"Baseline Correction End Time\": the baseline from the start",
        ),
        (
            "EpochExtraction",
            json!({"PreStimulus onset": 1}),
            "EEGData",
            "parameter \"PreStimulus onset\": the window from 1 to 0.5 s",
        ),
        (
            "ReReference",
            json!({"Reference Channels": "A1"}),
            "EEGData",
            "parameter \"Reference Channels\": no channel \"A1\" in the recording, which has \"C1\"",
        ),
        (
            "Resample",
            json!({"Sampling Rate": "-4"}),
            "EEGData",
            "parameter \"Sampling Rate\": -4 Hz is not a positive sampling rate",
        ),
        (
            "PowerSpectrum",
            json!({"Segment Length": "6000"}),
            "EEGData",
            "parameter \"Segment Length\": segments of 6000 samples do not fit into 5000 samples",
        ),
        ("PowerSpectrum", json!({"Format": "gif"}), "EEGData", "parameter \"Format\": \"gif\""),
    ] {
        let plan = plan(&[provider(), (block, values.clone())], &[(1, port, 2)]);
        let error = run(&plan, folder.path()).failure(2);
        assert!(error.contains(words), "{block} {values}: {error}");
    }
}

#[test]
fn a_window_longer_than_the_recording_leaves_no_epoch_and_says_so() {
    let folder = folder();
    let plan = plan(
        &[
            provider(),
            ("EpochExtraction", json!({"PostStimulus onset": 30})),
            ("EpochAveraging", json!({})),
            ("EpochPlot", json!({})),
        ],
        &[(1, "EEGData", 2), (2, "Epochs", 3), (2, "Epochs", 4)],
    );
    let done = run(&plan, folder.path());
    assert_eq!(done.text(2), "(0, 3, 15101)");
    let line = done.log.iter().find(|l| l.contains("no epoch is left")).unwrap();
    assert!(line.contains("30.202 s") && line.contains("10 s"), "{line}");
    assert!(done.failure(3).contains("input \"Epochs\": there are no epochs"));
    assert!(done.failure(4).contains("input \"Epochs\": there are no epochs"));
}

#[test]
fn a_filter_longer_than_the_signal_is_warned_of() {
    let folder = folder();
    let plan = plan(
        &[provider(), ("Filter", json!({"Low Cutoff Frequency": "0.1"}))],
        &[(1, "EEGData", 2)],
    );
    let done = run(&plan, folder.path());
    assert_eq!(done.recording(2).shape(), (3, 5000));
    assert!(done.log.iter().any(|l| l.contains("16501") && l.contains("5000")), "{:?}", done.log);
}

#[test]
fn rejected_artifacts_are_a_table() {
    let folder = folder();
    let plan = plan(
        &[
            provider(),
            ("EpochExtraction", json!({})),
            // The waves reach from -100 to 100 µV.
            ("ArtifactRejection", json!({"Peak To Peak Limit": "1000"})),
            ("ArtifactRejection", json!({"Peak To Peak Limit": "10", "Flat Limit": "1"})),
            ("ArtifactRejection", json!({"Peak To Peak Limit": "-1"})),
        ],
        &[(1, "EEGData", 2), (2, "Epochs", 3), (2, "Epochs", 4), (2, "Epochs", 5)],
    );
    let done = run(&plan, folder.path());
    let (columns, rows) = done.table(3);
    assert_eq!(columns, ["event", "time (s)", "id", "name", "dropped because of"]);
    assert_eq!(rows.len(), 9);
    assert_eq!(rows[0], ["0", "0.100", "2", "Stimulus/S  2", "NO_DATA"]);
    assert_eq!(rows[1], ["1", "1.300", "1", "Stimulus/S  1", ""]);
    assert_eq!(done.epochs(3).len(), 7);
    assert_eq!(done.table(4).1[1][4], "C1, C2, C3");
    assert!(done.epochs(4).is_empty());
    assert!(done.log.iter().any(|l| l.contains("all 7 were dropped")));
    assert_eq!(done.epochs(2).len(), 7);
    assert!(done.failure(5).contains("parameter \"Peak To Peak Limit\": -1 µV"));
}

#[test]
fn spectra_are_pictures_tables_and_numbers() {
    let folder = folder();
    let plan = plan(
        &[
            provider(),
            ("PowerSpectrum", json!({"Segment Length": "500", "Highest Frequency": "40"})),
            ("PowerSpectrum", json!({"Show": "table", "Segment Length": "500", "Overlap": "250"})),
            ("Resample", json!({"Sampling Rate": "200"})),
            ("PowerSpectrum", json!({"Format": "svg"})),
            ("Notch", json!({})),
        ],
        &[
            (1, "EEGData", 2),
            (1, "EEGData", 3),
            (1, "EEGData", 4),
            (4, "EEGData", 5),
            (4, "EEGData", 6),
        ],
    );
    let done = run(&plan, folder.path());
    assert!(done.graph(2).starts_with(b"\x89PNG"));
    assert!(done.graph(5).starts_with(b"<svg"));
    let (columns, rows) = done.table(3);
    assert_eq!(columns, ["frequency (Hz)", "C1 (µV²/Hz)", "C2 (µV²/Hz)", "C3 (µV²/Hz)"]);
    assert_eq!((rows.len(), rows[1][0].as_str()), (251, "1.0000"));
    let eeg_workflow_core::block::Value::Array(array) = done.output(2) else { panic!("an array") };
    assert_eq!(array.shape(), [4, 41]);
    assert_eq!(done.text(4), "(3, 2000)");
    assert_eq!(done.recording(6).shape(), (3, 2000));
}

#[test]
fn the_workflow_of_the_designer_shows_what_it_showed_there() {
    let Some(folder) = reference() else { return };
    let mut job = json(&folder.join("../api/eeg_job.json"));
    // The recording that it was drawn for is not among the reference data; one like it is.
    let blocks = job["workflow"]["blocks"].as_array_mut().unwrap();
    blocks[0]["values"]["EEG File"] = "Home/DoD_2015_02.eeg".into();
    // What comes before features and classifiers.
    let known = |id: &Value| id.as_u64().is_some_and(|id| id <= 10);
    blocks.retain(|block| known(&block["id"]));
    let edges = job["workflow"]["edges"].as_array_mut().unwrap();
    edges.retain(|edge| known(&edge["block1"]) && known(&edge["block2"]));
    let workflow = Workflow::from_json(&job["workflow"].to_string()).unwrap();
    let plan = workflow.plan(&builtin::registry().unwrap()).unwrap();
    let done = run(&plan, &folder.join("data/bv_uwb"));
    let texts =
        [(1, "(3, 230480)"), (2, "['Fz', 'Cz', 'Pz']"), (6, "(2, 230480)"), (7, "(113, 2, 701)")];
    for (id, expected) in texts {
        assert_eq!(done.text(id), expected, "block {id}");
    }
    for block in job["workflow"]["blocks"].as_array().unwrap() {
        let id = block["id"].as_i64().unwrap();
        let index = plan.index_of(&BlockId::Integer(id)).unwrap();
        match block["output"]["type"].as_str() {
            Some("STRING") => assert!(!done.text(id).is_empty()),
            Some("GRAPH") => assert!(done.graph(id).starts_with(b"\x89PNG"), "block {id}"),
            _ => assert!(done.report.display(index).is_none(), "block {id}"),
        }
    }
}

/// `gap.vhdr`: two channels of floats at 250 Hz, the second with three samples that are no numbers, in
/// the epoch of the second of four events.
fn with_a_gap(folder: &Path) {
    let header = "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\n\
                  DataFile=gap.eeg\nMarkerFile=gap.vmrk\nDataFormat=BINARY\n\
                  DataOrientation=MULTIPLEXED\nNumberOfChannels=2\nSamplingInterval=4000\n\
                  [Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n[Channel Infos]\n\
                  Ch1=C3,,1,µV\nCh2=C4,,1,µV\n";
    let markers = (0..4).map(|k| format!("Mk{}=Stimulus,S  1,{},1,0\n", k + 1, 501 + 500 * k));
    let markers: String = markers.collect();
    let mut bytes = Vec::new();
    for k in 0..3000_u32 {
        let second = match k {
            1010 => f32::NAN,
            1011 => f32::INFINITY,
            1012 => f32::NEG_INFINITY,
            _ => (k as f32 / 9.0).cos() * 10.0,
        };
        bytes.extend(((k as f32 / 7.0).sin() * 10.0).to_le_bytes());
        bytes.extend(second.to_le_bytes());
    }
    std::fs::write(folder.join("gap.vhdr"), header).unwrap();
    std::fs::write(folder.join("gap.eeg"), bytes).unwrap();
    let head = "Brain Vision Data Exchange Marker File, Version 1.0\n[Marker Infos]\n";
    std::fs::write(folder.join("gap.vmrk"), format!("{head}{markers}")).unwrap();
}

#[test]
fn samples_that_are_not_finite_are_told_by_every_block_and_their_epochs_dropped() {
    let folder = tempfile::tempdir().unwrap();
    with_a_gap(folder.path());
    let plan = plan(
        &[
            ("OfflineDataProvider", json!({"EEG File": "Home/gap.vhdr"})),
            ("Filter", json!({"High Cutoff Frequency": "30"})),
            ("Notch", json!({})),
            ("ReReference", json!({})),
            ("Resample", json!({"Sampling Rate": "125"})),
            ("PowerSpectrum", json!({})),
            ("EpochExtraction", json!({})),
            ("EpochAveraging", json!({})),
            ("EEGPlot", json!({})),
        ],
        &[
            (1, "EEGData", 2),
            (1, "EEGData", 3),
            (1, "EEGData", 4),
            (1, "EEGData", 5),
            (1, "EEGData", 6),
            (1, "EEGData", 7),
            (7, "Epochs", 8),
            (1, "EEGData", 9),
        ],
    );
    let done = run(&plan, folder.path());
    assert_eq!(done.text(7), "(3, 2, 176)");
    let told = |what: &str| done.log.iter().filter(|line| line.contains(what)).count();
    assert_eq!(told("samples are NaN or infinite in \"C4\" (3): "), 6, "{:?}", done.log);
    assert_eq!(told("3 samples are NaN or infinite"), 1, "by the reader: {:?}", done.log);
    assert_eq!(told("event 1 (Stimulus/S  1, sample 1000) dropped: NaN"), 1, "{:?}", done.log);
    let average = done.report.output_of(8, "Epochs").unwrap().downcast_ref::<Evoked>().unwrap();
    assert!(average.data.iter().all(|v| v.is_finite()) && average.nave == 3);
}
