//! The blocks of features and classifiers in workflows: fields, displays, files, errors.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::eeg_support;

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use eeg_support::{json, marker, reference, written};
use eeg_workflow_core::block::{Display, FileRoots, Port, Value as Predicted};
use eeg_workflow_core::builtin;
use eeg_workflow_core::eeg::{FeatureVectors, Model};
use eeg_workflow_core::engine::{Engine, EngineOptions, Event, Keep, Outcome, Report, RunOptions};
use eeg_workflow_core::workflow::{BlockId, Plan, Workflow};
use ndarray::Array2;
use serde_json::{Value, json};

const MODULE: &str = "EEG_Basil.zip:EEG_Basil";

/// A workflow and what became of it.
struct Ran {
    plan: Plan,
    report: Report,
}

/// Runs blocks (type, values), numbered from 1, with edges (from, to) along ports of the one
/// name that both ends know.
fn run(folder: &Path, blocks: &[(&str, Value)], edges: &[(usize, usize)]) -> Ran {
    run_document(folder, &document(blocks, edges))
}

fn document(blocks: &[(&str, Value)], edges: &[(usize, usize)]) -> Value {
    let registry = builtin::registry().unwrap();
    let module = registry.get(MODULE).unwrap();
    let spec = |id: usize| module.get(blocks[id - 1].0).unwrap().spec();
    let block = |(i, (name, values)): (usize, &(&str, Value))| json!({"id": i + 1, "module": MODULE, "type": name, "values": values});
    let edge = |(i, (from, to)): (usize, &(usize, usize))| {
        let fits = |port: &&Port| spec(*to).inputs().iter().any(|input| input.name == port.name);
        let port = &spec(*from).outputs().iter().find(fits).unwrap().name;
        json!({
            "id": i + 1,
            "block1": from, "connector1": [port, "output"],
            "block2": to, "connector2": [port, "input"],
        })
    };
    json!({
        "blocks": blocks.iter().enumerate().map(block).collect::<Vec<_>>(),
        "edges": edges.iter().enumerate().map(edge).collect::<Vec<_>>(),
    })
}

fn run_document(folder: &Path, document: &Value) -> Ran {
    run_with(document, RunOptions { files: Some(FileRoots::new(folder)), ..RunOptions::default() })
}

fn run_with(document: &Value, options: RunOptions) -> Ran {
    let workflow = Workflow::from_json(&document.to_string()).unwrap();
    let plan = workflow.plan(&builtin::registry().unwrap()).unwrap();
    let engine = Engine::new(EngineOptions { threads: Some(2), ..EngineOptions::default() });
    let options = RunOptions { keep: Keep::All, ..options };
    let report = engine.unwrap().start(&plan, options).wait();
    Ran { plan, report }
}

impl Ran {
    fn display(&self, id: usize) -> Display {
        let index = self.plan.index_of(&BlockId::Integer(id as i64)).unwrap();
        if let Some(Outcome::Failed(error)) = self.report.outcome(index) {
            panic!("block {id}: {error}");
        }
        Display::clone(self.report.display(index).unwrap())
    }

    fn text(&self, id: usize) -> String {
        match self.display(id) {
            Display::Text(text) => text.to_string(),
            other => panic!("block {id} shows {other:?}"),
        }
    }

    fn failure(&self, id: usize) -> String {
        match self.report.outcome(self.plan.index_of(&BlockId::Integer(id as i64)).unwrap()) {
            Some(Outcome::Failed(error)) => error.to_string(),
            other => panic!("block {id}: {other:?}"),
        }
    }

    fn output(&self, id: usize, port: usize) -> eeg_workflow_core::block::Value {
        let index = self.plan.index_of(&BlockId::Integer(id as i64)).unwrap();
        self.report.output(index, port).unwrap().clone()
    }
}

/// Writes `own.vhdr`: two channels, events 1, 2, 3 in turns, each followed by a wave of its own.
fn recording(folder: &Path) {
    const EVENTS: usize = 60;
    let onset = |event: usize| 300 + event * 500;
    let mut samples = Array2::from_shape_fn((2, onset(EVENTS) + 500), |(c, t)| {
        ((t * 7919 + c * 104_729) % 613) as i16 - 306
    });
    let mut markers = Vec::new();
    for event in 0..EVENTS {
        let id = event % 3 + 1;
        markers.push(marker("Stimulus", &format!("S{id:>3}"), onset(event) as i64, 1));
        for t in 0..200 {
            let wave = (t as f64 * 0.03 * id as f64).sin() * 400.0;
            samples[(0, onset(event) + t)] += wave as i16;
            samples[(1, onset(event) + t)] -= wave as i16;
        }
    }
    written(&folder.join("own.vhdr"), &samples, markers);
}

fn provider() -> (&'static str, Value) {
    ("OfflineDataProvider", json!({"EEG File": "Home/own.eeg"}))
}

fn layer(units: u32, activation: &str, dropout: &str) -> (&'static str, Value) {
    let units = units.to_string();
    let values =
        json!({"Number of Units": units, "Activation Function": activation, "Dropout": dropout});
    ("NeuralNetworkLayer", values)
}

fn classifier(classes: &str, epochs: &str) -> (&'static str, Value) {
    let values = json!({"Number of Classes": classes, "Number of Epochs": epochs});
    ("NeuralNetworkClassifier", values)
}

#[test]
fn a_network_is_trained_kept_and_used_on_vectors() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path());
    let blocks = [
        provider(),
        ("EpochExtraction", json!({})),
        ("WaveletTransform", json!({})),
        ("FeatureLabeling", json!({"Labels": ["1", "2,3"]})),
        // The same vectors, labelled another way.
        ("FeatureLabeling", json!({"Labels": ["3", "1"]})),
        layer(16, "relu", "0.1"),
        layer(2, "softmax", "0"),
        // The same first layer under another one.
        layer(3, "softmax", "0"),
        classifier("2", "30"),
        ("SaveModel", json!({})),
        ("SaveModel", json!({"Format": "safetensors"})),
        ("TrainingCurve", json!({})),
    ];
    let edges =
        [(1, 2), (2, 3), (3, 4), (3, 5), (6, 7), (6, 8), (7, 9), (4, 9), (9, 10), (9, 11), (9, 12)];
    let ran = run(folder.path(), &blocks, &edges);
    assert_eq!(ran.text(3), "Total datapoints: 60\nNo. of Features: (352,)");
    assert_eq!(ran.text(4), "{1: 0, 2: 1, 3: 1}");
    assert_eq!(ran.text(5), "{3: 0, 1: 1}");
    let vectors = |id| ran.output(id, 0).downcast::<FeatureVectors>().unwrap();
    assert_eq!(vectors(3).classes(), None);
    assert_eq!(vectors(4).classes().unwrap(), [vec![0; 20], vec![1; 40]].concat());
    assert_eq!(vectors(5).classes().unwrap(), [vec![1; 20], vec![0; 20]].concat());
    assert_eq!(vectors(3).event_ids()[..21], [vec![1; 20], vec![2]].concat());

    let text = ran.text(9);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Training Accuracy: 1.0");
    let accuracy: f64 = lines[1].strip_prefix("Validation Accuracy: ").unwrap().parse().unwrap();
    assert!(accuracy > 0.9, "{text}");
    assert_eq!(lines[2], "No. of Training Samples: 40");
    assert_eq!(lines[3], "Confusion Matrix:");
    let cells: Vec<Vec<&str>> =
        lines[4..].iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(cells[0], ["true", "\\", "predicted", "1", "2,3"]);
    assert_eq!((cells[1][0], cells[2][0], cells.len()), ("1", "2,3", 3));
    assert!(lines[4..].iter().all(|line| line.len() == lines[4].len()), "{text}");
    let counts = cells[1..].iter().flat_map(|row| &row[1..]);
    assert_eq!(counts.map(|n| n.parse::<u32>().unwrap()).sum::<u32>(), 20);
    assert!(!text.contains('<'));

    let model = ran.output(9, 0).downcast::<Model>().unwrap();
    assert_eq!(model.history().len(), 30);
    assert_eq!(model.class_labels(), ["1", "2,3"]);
    for (id, name) in [(10, "model.onnx"), (11, "model.safetensors")] {
        let Display::File(file) = ran.display(id) else { panic!("{id}") };
        assert_eq!(&*file.name, name);
        assert_eq!(Model::from_bytes(&file.bytes).unwrap().weights(), model.weights());
        std::fs::write(folder.path().join(name), &file.bytes).unwrap();
    }
    let Display::Graph(curve) = ran.display(12) else { panic!("no picture") };
    assert!(curve.bytes.starts_with(b"\x89PNG"));

    // Another workflow uses what the first one kept.
    let blocks = [
        provider(),
        ("EpochExtraction", json!({})),
        ("WaveletTransform", json!({})),
        ("FeatureLabeling", json!({"Labels": ["1", "2,3"]})),
        ("LoadModel", json!({"Model File": "Home/model.onnx"})),
        ("Predict", json!({})),
        ("LoadModel", json!({"Model File": "Home/model.safetensors"})),
        ("Predict", json!({})),
        ("TrainingCurve", json!({})),
    ];
    let edges = [(1, 2), (2, 3), (3, 4), (4, 6), (5, 6), (3, 8), (7, 8), (7, 9)];
    let used = run(folder.path(), &blocks, &edges);
    assert_eq!(used.text(5), "No. of Features: (352,)\nNo. of Classes: 2\nClasses: 1 | 2,3");
    let Display::Table { columns, rows } = used.display(6) else { panic!("no table") };
    assert_eq!(
        *columns,
        ["Vector", "Event Id", "Class", "Predicted", "P(1)", "P(2,3)"].map(str::to_owned)
    );
    assert_eq!(rows.len(), 60);
    assert_eq!(rows[0][..4], ["1", "1", "1", "1"].map(str::to_owned));
    let sum = rows[0][4].parse::<f64>().unwrap() + rows[0][5].parse::<f64>().unwrap();
    assert!((sum - 1.0).abs() < 2e-6);
    assert_eq!(used.output(6, 0), used.output(8, 0));
    assert_eq!(used.output(6, 1), used.output(8, 1));
    let Display::Table { columns, .. } = used.display(8) else { panic!("no table") };
    assert_eq!(columns.len(), 5, "without labels there is no class");
    assert!(used.failure(9).contains("not trained in epochs"));
}

/// A recording's vectors into a network that is trained for so many epochs: block 7.
fn training(epochs: &str) -> Value {
    let blocks = [
        provider(),
        ("EpochExtraction", json!({})),
        ("WaveletTransform", json!({"Level": "4"})),
        ("FeatureLabeling", json!({"Labels": ["1", "2,3"]})),
        layer(4, "relu", "0"),
        layer(2, "softmax", "0"),
        classifier("2", epochs),
    ];
    document(&blocks, &[(1, 2), (2, 3), (3, 4), (5, 6), (6, 7), (4, 7)])
}

#[test]
fn training_tells_loss_and_accuracy_of_each_epoch() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path());
    let (sender, events) = mpsc::channel::<Event>();
    let options = RunOptions {
        listener: Some(Arc::new(sender)),
        files: Some(FileRoots::new(folder.path())),
        ..RunOptions::default()
    };
    run_with(&training("12"), options).text(7);
    let (mut fractions, mut lines) = (Vec::new(), Vec::new());
    for event in events {
        match event {
            Event::BlockProgress { fraction, .. } => fractions.push(fraction),
            Event::BlockLog { line, .. } => lines.push(line.to_string()),
            _ => {}
        }
    }
    // 40 vectors are two batches an epoch.
    assert_eq!(fractions.len(), 24);
    assert!(fractions.is_sorted() && fractions.last() == Some(&1.0));
    let epochs: Vec<&String> = lines.iter().filter(|line| line.starts_with("epoch ")).collect();
    assert_eq!(epochs.len(), 12);
    assert!(epochs[11].starts_with("epoch 12/12: loss 0."), "{}", epochs[11]);
    assert!(epochs[11].contains("validation accuracy"));
}

#[test]
fn ids_without_a_class_and_classes_without_vectors_are_told() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path());
    let (sender, events) = mpsc::channel::<Event>();
    let files = Some(FileRoots::new(folder.path()));
    let options = RunOptions { listener: Some(Arc::new(sender)), files, ..RunOptions::default() };
    let blocks = [
        provider(),
        ("EpochExtraction", json!({})),
        ("WaveletTransform", json!({"Level": "5"})),
        ("FeatureLabeling", json!({"Labels": ["2"]})),
        ("LDA", json!({})),
        layer(1, "softmax", "0"),
        classifier("1", "1"),
        ("FeatureLabeling", json!({"Labels": ["1", "9"]})),
        ("LDA", json!({})),
    ];
    let edges = [(1, 2), (2, 3), (3, 4), (4, 5), (4, 7), (6, 7), (3, 8), (8, 9)];
    let ran = run_with(&document(&blocks, &edges), options);
    assert!(ran.failure(5).contains("samples of 1 classes: at least 2 are needed"));
    let one = ran.failure(7);
    assert_eq!(one, "parameter \"Number of Classes\": 1 class: there is nothing to tell apart");
    let none = ran.failure(9);
    assert_eq!(none, "input \"FeatureVector\": no vector is of class \"9\"");
    let line = |event| if let Event::BlockLog { line, .. } = event { Some(line) } else { None };
    let lines: Vec<_> = events.into_iter().filter_map(line).collect();
    for expected in [
        "40 vectors were dropped: no class lists their event ids",
        "no vector has the listed event id 9",
    ] {
        assert!(lines.iter().any(|line| &**line == expected), "{lines:?}");
    }
}

#[test]
fn training_stops_when_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path());
    let options = RunOptions {
        block_deadline: Some(Duration::from_secs(2)),
        files: Some(FileRoots::new(folder.path())),
        ..RunOptions::default()
    };
    let begun = Instant::now();
    let error = run_with(&training("1000000000"), options).failure(7);
    assert_eq!(error, "timed out after 2 s");
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_linear_classifier_is_tested_by_folds_and_used() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path());
    let blocks = [
        provider(),
        ("EpochExtraction", json!({})),
        ("WindowedMeans", json!({"Time Windows": ["0:0.05", "0.05:0.1", "0.1 : 0.2", "0.2:0.3"]})),
        ("FeatureLabeling", json!({"Labels": ["1", "2", "3"]})),
        ("LDA", json!({})),
        ("Predict", json!({})),
        ("SaveModel", json!({})),
        ("WindowedMeans", json!({"Unit Norm": "true"})),
    ];
    let ran = run(
        folder.path(),
        &blocks,
        &[(1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (4, 6), (5, 7), (2, 8)],
    );
    assert_eq!(ran.text(3), "Total datapoints: 60\nNo. of Features: (8,)");
    assert_eq!(ran.text(8), "Total datapoints: 60\nNo. of Features: (10,)");
    let Display::Table { columns, rows } = ran.display(5) else { panic!("no table") };
    assert_eq!(columns[3..], ["Accuracy", "AUC"].map(str::to_owned));
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[0][..3], ["1", "48", "12"].map(str::to_owned));
    assert_eq!(rows[5][0], "Mean");
    assert!(rows[5][3].parse::<f64>().unwrap() > 0.9, "{rows:?}");
    assert!(rows[5][4].parse::<f64>().unwrap() > 0.95, "{rows:?}");
    let Display::File(file) = ran.display(7) else { panic!("no file") };
    assert_eq!(Model::from_bytes(&file.bytes).unwrap().class_labels(), ["1", "2", "3"]);
    let vectors = ran.output(8, 0).downcast::<FeatureVectors>().unwrap();
    assert!(vectors.values().rows().into_iter().all(|row| (row.dot(&row) - 1.0).abs() < 1e-12));
}

#[test]
fn what_cannot_be_done_names_the_field_and_what_is_there_instead() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path());
    std::fs::write(folder.path().join("other.onnx"), b"not a model").unwrap();
    // Everything that fails stands behind labelled vectors (4) or layers of 2 units (6).
    let fails = |block: (&'static str, Value), from: &[usize]| {
        let blocks = [
            provider(),
            ("EpochExtraction", json!({})),
            ("WaveletTransform", json!({"Level": "5"})),
            ("FeatureLabeling", json!({"Labels": ["1", "2", "3"]})),
            ("EpochAveraging", json!({})),
            layer(2, "softmax", "0"),
            layer(3, "relu", "0"),
            ("LDA", json!({"Number of Folds": "3"})),
            block,
        ];
        let mut edges = vec![(1, 2), (2, 3), (3, 4), (2, 5), (4, 8)];
        edges.extend(from.iter().map(|from| (*from, 9)));
        run(folder.path(), &blocks, &edges).failure(9)
    };
    let wavelet = |values| ("WaveletTransform", values);
    assert!(fails(wavelet(json!({})), &[5]).contains("an average has no events"));
    let unknown = fails(wavelet(json!({"Wavelet": "db77"})), &[2]);
    assert!(
        unknown.contains("\"Wavelet\"") && unknown.contains("db77") && unknown.contains("sym4")
    );
    assert!(fails(wavelet(json!({"Level": "0"})), &[2]).contains("\"Level\""));
    assert!(fails(wavelet(json!({"Level": "1000"})), &[2]).contains("1 to 32"));

    let windows = |text: &str| ("WindowedMeans", json!({"Time Windows": [text]}));
    assert!(fails(windows("0.1"), &[2]).contains("\"0.1\" is not a time window"));
    assert!(fails(windows("0.3:0.1"), &[2]).contains("not a time window"));
    let outside = fails(windows("0.4:0.9"), &[2]);
    assert!(outside.contains("0.4:0.9 s") && outside.contains("-0.2 s to 0.5 s"), "{outside}");

    let labeling = |labels: Value| ("FeatureLabeling", json!({"Labels": labels}));
    assert!(fails(labeling(json!("")), &[3]).contains("no class is given"));
    assert!(
        fails(labeling(json!(["1", "2,x"])), &[3])
            .contains("entry 2: \"x\" is neither an event id")
    );
    assert!(fails(labeling(json!(["7", "8"])), &[3]).contains("the vectors have 1, 2, 3"));

    let layer = |values| ("NeuralNetworkLayer", values);
    assert!(fails(layer(json!({})), &[]).contains("\"Number of Units\""));
    assert!(
        fails(layer(json!({"Number of Units": "2.5"})), &[]).contains("2.5 is not a whole number")
    );
    assert!(fails(layer(json!({"Number of Units": "-1"})), &[]).contains("\"Number of Units\""));
    let unknown = layer(json!({"Number of Units": "2", "Activation Function": "tanhh"}));
    assert!(fails(unknown, &[]).contains("leaky-relu"));
    let dropout = layer(json!({"Number of Units": "2", "Dropout": "1.5"}));
    assert!(fails(dropout, &[]).contains("\"Dropout\": a dropout of 1.5"));
    let behind = layer(json!({"Number of Units": "2"}));
    assert!(fails(behind, &[8]).contains("expected layers, got trained model"));

    assert!(fails(classifier("3", "1"), &[4]).contains("no layers are connected"));
    assert!(fails(classifier("3", "1"), &[6]).contains("\"FeatureVector\": nothing is connected"));
    assert!(fails(classifier("3", "1"), &[3, 6]).contains("FeatureLabeling"));
    assert!(
        fails(classifier("2", "1"), &[4, 6])
            .contains("2 classes, but the vectors are labelled as 3")
    );
    assert!(
        fails(classifier("3", "1"), &[4, 6]).contains("3 classes, but the last layer has 2 units")
    );
    assert!(fails(classifier("3", "1"), &[4, 7]).contains("softmax"));
    assert!(fails(classifier("3", "0"), &[4, 7]).contains("\"Number of Epochs\""));
    assert!(
        fails(classifier("3", "1"), &[4, 8])
            .contains("expected layers to train, got trained model")
    );
    let bad = |name: &str, value: &str| {
        ("NeuralNetworkClassifier", json!({"Number of Classes": "3", name: value}))
    };
    for (name, value) in
        [("Test Size", "1"), ("Test Size", "0.999"), ("Optimizer", "sgdm"), ("Learning Rate", "-1")]
    {
        // The layers of 3 units are no softmax, but that is only seen once training starts.
        let text = fails(bad(name, value), &[4, 7]);
        assert!(text.contains(&format!("\"{name}\"")), "{text}");
    }

    assert!(fails(("SaveModel", json!({})), &[]).contains("no model is connected"));
    assert!(fails(("SaveModel", json!({})), &[6]).contains("layers that are not trained"));
    assert!(fails(("SaveModel", json!({"Format": "h5"})), &[8]).contains("\"h5\" is neither"));
    let load = |name: &str| ("LoadModel", json!({"Model File": name}));
    assert!(fails(load("Home/none.onnx"), &[]).contains("no such file"));
    let other = fails(load("Home/other.onnx"), &[]);
    assert!(other.contains("\"Model File\"") && other.contains("ONNX"), "{other}");
    assert!(fails(("LDA", json!({})), &[3]).contains("FeatureLabeling"));
    assert!(
        fails(("LDA", json!({"Number of Folds": "21"})), &[4])
            .contains("only 20 vectors are of class \"1\"")
    );
    assert!(fails(("LDA", json!({"Shrinkage": "2"})), &[4]).contains("from 0 to 1"));

    let silent = tempfile::tempdir().unwrap();
    let markers = vec![marker("Stimulus", "S  1", 200, 1)];
    written(&silent.path().join("own.vhdr"), &Array2::zeros((2, 1000)), markers);
    let blocks = [provider(), ("EpochExtraction", json!({})), wavelet(json!({}))];
    let zero = run(silent.path(), &blocks, &[(1, 2), (2, 3)]).failure(3);
    assert!(zero.contains("at sample 200 (event id 1)") && zero.contains("zero"), "{zero}");
}

#[test]
fn a_workflow_of_the_python_systems_designer_runs_unchanged() {
    let Some(folder) = reference() else { return };
    let mut document = json(&folder.join("../api/eeg_job.json"))["workflow"].take();
    // The recording of the exported workflow is not among the reference data: another of its kind.
    document["blocks"][0]["values"]["EEG File"] = json!("Home/DoD_2015_02.eeg");
    let is = |block: &Value, name: &str| block["type"] == name;
    let blocks = document["blocks"].as_array_mut().unwrap();
    let known = builtin::registry().unwrap();
    let known = known.get(MODULE).unwrap();
    let id = |name: &str, blocks: &[Value]| {
        blocks.iter().find(|b| is(b, name)).unwrap()["id"].as_u64().unwrap() as usize
    };
    let [wavelet, labeling, classifier, save] =
        ["WaveletTransform", "FeatureLabeling", "NeuralNetworkClassifier", "SaveModel"]
            .map(|name| id(name, blocks));
    blocks.retain(|block| known.get(block["type"].as_str().unwrap()).is_some());
    for block in &mut *blocks {
        if is(block, "NeuralNetworkClassifier") {
            block["values"]["Number of Epochs"] = json!("5");
        }
    }
    let ids: Vec<Value> = blocks.iter().map(|block| block["id"].clone()).collect();
    let edges = document["edges"].as_array_mut().unwrap();
    edges.retain(|edge| ids.contains(&edge["block1"]) && ids.contains(&edge["block2"]));
    let ran = run_document(&folder.join("data/bv_uwb"), &document);
    assert_eq!(ran.text(wavelet), "Total datapoints: 113\nNo. of Features: (702,)");
    assert_eq!(ran.text(labeling), "{1: 0, 2: 0, 3: 0, 4: 1, 5: 1, 6: 1, 7: 2, 8: 2, 9: 2}");
    assert!(ran.text(classifier).contains("\nNo. of Training Samples: 75\n"));
    let Display::File(file) = ran.display(save) else { panic!("no file") };
    assert_eq!(&*file.name, "model.onnx");
}

/// Whether each of the 60 vectors is of the second class: they come event by event.
fn truth() -> impl Iterator<Item = bool> {
    (0..60).map(|vector| vector >= 20)
}

#[test]
fn features_in_volts_are_learnt_where_they_are_scaled_and_said_not_to_be_where_not() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path());
    let train = |standardize: &str| {
        let values = json!({"Number of Classes": "2", "Number of Epochs": "60",
                            "Standardize": standardize});
        let blocks = [
            provider(),
            ("EpochExtraction", json!({})),
            ("WindowedMeans", json!({})),
            ("FeatureLabeling", json!({"Labels": ["1", "2,3"]})),
            layer(8, "relu", "0"),
            layer(2, "softmax", "0"),
            ("NeuralNetworkClassifier", values),
            ("SaveModel", json!({})),
            ("Predict", json!({})),
        ];
        let edges = [(1, 2), (2, 3), (3, 4), (5, 6), (6, 7), (4, 7), (7, 8), (7, 9), (4, 9)];
        let (sender, events) = mpsc::channel::<Event>();
        let options = RunOptions {
            listener: Some(Arc::new(sender)),
            files: Some(FileRoots::new(folder.path())),
            ..RunOptions::default()
        };
        let ran = run_with(&document(&blocks, &edges), options);
        let lines = events.into_iter().filter_map(|event| match event {
            Event::BlockLog { line, .. } => Some(line.to_string()),
            _ => None,
        });
        (ran.text(7), lines.collect::<Vec<_>>(), ran.output(9, 0))
    };
    let accuracy = |text: &str| -> f64 {
        let line = text.lines().next().unwrap().strip_prefix("Training Accuracy: ").unwrap();
        line.parse().unwrap()
    };
    let (unscaled, told, _) = train("");
    assert!(accuracy(&unscaled) < 0.9, "{unscaled}");
    let hint = told.iter().find(|line| line.contains("stayed at chance")).unwrap();
    assert!(hint.contains("Standardize"), "{hint}");

    let (scaled, told, predicted) = train("true");
    assert!(accuracy(&scaled) > 0.9, "{scaled}");
    assert!(!told.iter().any(|line| line.contains("chance")), "{told:?}");
    // The model takes features as they are.
    let Predicted::List(classes) = predicted else { panic!("{predicted:?}") };
    let classes = classes.iter().map(|class| class == &Predicted::Integer(1));
    let right = classes.zip(truth()).filter(|(predicted, truth)| predicted == truth);
    assert!(right.count() > 54);
}
