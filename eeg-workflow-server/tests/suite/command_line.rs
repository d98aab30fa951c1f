//! The commands run, validate and blocks, and their exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{addition, arithmetic, edge, workflow};
use eeg_workflow_core::eeg::formats::brainvision::{Int16Channel, Int16Recording, Marker};
use serde_json::Value;
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    /// A folder with a file `w.json`.
    fn new(document: &str) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("w.json"), document).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(common::PROGRAM);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        // Neither an account nor a data directory is needed.
        command.env_remove("HOME").env_remove("XDG_DATA_HOME");
        command
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_run_shows_a_table_and_ends_with_0() {
    let place = Place::new(&addition());
    let run = place.call(&["run", "w.json"]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let table = text(&run.stdout);
    assert!(table.lines().nth(3).unwrap().starts_with("3      Addition  done"), "{table}");
    assert!(table.contains("{'output': 70}"));
    assert!(run.stderr.is_empty(), "progress is for terminals: {}", text(&run.stderr));
    // No artifacts: no folder.
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_run_gives_the_jobs_details_as_json_and_nothing_else() {
    let place = Place::new(&addition());
    let run = place.call(&["run", "w.json", "--json", "--set", "1.constant value=2"]);
    assert_eq!(run.status.code(), Some(0));
    let keys = common::canonical(&text(&run.stdout));
    assert!(
        keys.starts_with("{\"workflow\":{\"blocks\":[{\"id\":1,\"type\":\"Constant\","),
        "{keys}"
    );
    let details: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(details["status"], "COMPLETED");
    assert_eq!(details["executionStatus"][2]["output"]["value"], "{'output': 32}");
    assert_eq!(details["executionStatus"], details["workflow"]["blocks"]);
    assert_eq!(details["workflow"]["blocks"][0]["values"]["constant value"], "2");
}

#[test]
fn a_failed_run_ends_with_1_and_says_which_block_failed() {
    let blocks = [
        arithmetic(1, "Constant", "{\"constant value\":\"0\"}"),
        arithmetic(2, "Division", "{}"),
        arithmetic(3, "Addition", "{}"),
    ];
    let edges = [edge(1, 2, "num1"), edge(1, 2, "num2"), edge(2, 3, "num1"), edge(1, 3, "num2")];
    let place = Place::new(&workflow(&blocks, &edges));
    let run = place.call(&["run", "w.json"]);
    assert_eq!(run.status.code(), Some(1));
    let table = text(&run.stdout);
    assert!(
        table.contains("division by zero") && table.contains("skipped: block 2 failed"),
        "{table}"
    );
    let run = place.call(&["run", "w.json", "--json"]);
    assert_eq!(run.status.code(), Some(1));
    let details: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(
        (&details["status"], &details["executionStatus"][1]["error"]),
        (&"FAILED".into(), &true.into())
    );
    assert_eq!(details["executionStatus"][2]["completed"], false);
}

#[test]
fn wrong_usage_ends_with_2() {
    let place = Place::new(&addition());
    for arguments in [
        &["run"][..],
        &["run", "nothere.json"],
        &["run", "w.json", "--nope"],
        &["run", "w.json", "--set", "x"],
        &["run", "w.json", "--set", "9.x=1"],
        &["run", "w.json", "--save", "3.nope=x"],
        &["run", "w.json", "--save", "9.output=x"],
        &["run", "w.json", "--module", "nothere.zip"],
        &["run", "w.json", "--module", "w.json"],
        &["validate", "nothere.json"],
        &["serve", "--listen", "nonsense"],
        &["--max-file", "12 elephants"],
    ] {
        let run = place.call(arguments);
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {}", text(&run.stderr));
        assert!(!run.stderr.is_empty() && run.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_invalid_workflow_ends_with_3_and_every_diagnostic() {
    let blocks = [arithmetic(1, "Nope", "{}"), arithmetic(2, "Addition", "{}")];
    let place = Place::new(&workflow(&blocks, &[edge(2, 2, "num1")]));
    for command in ["run", "validate"] {
        let run = place.call(&[command, "w.json"]);
        assert_eq!(run.status.code(), Some(3));
        let found = text(&run.stderr);
        for code in ["error[unknown-block-type]", "error[cycle]", "error[too-few-edges]"] {
            assert!(found.contains(code), "{code} in {found}");
        }
    }
    let checked = place.call(&["validate", "w.json", "--json"]);
    assert_eq!(checked.status.code(), Some(3));
    let found: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(found["valid"], false);
    assert_eq!(found["diagnostics"].as_array().unwrap().len(), 3, "{found}");
    std::fs::write(place.path().join("w.json"), addition()).unwrap();
    let checked = place.call(&["validate", "w.json"]);
    assert_eq!(
        (checked.status.code(), text(&checked.stdout).as_str()),
        (Some(0), "w.json: valid\n")
    );
    std::fs::write(place.path().join("w.json"), "{\"blocks\": [}").unwrap();
    let run = place.call(&["run", "w.json"]);
    assert_eq!(run.status.code(), Some(3));
    assert!(text(&run.stderr).contains("line 1 column 13"));
}

#[test]
fn artifacts_and_outputs_are_written() {
    let document = addition().replace(
        "{\"blocks\":[",
        &format!(
            "{{\"blocks\":[{},",
            arithmetic(9, "Plot", "{\"function equation\":\"x\",\"range\":\"10\"}")
        ),
    );
    let place = Place::new(&document);
    let run = place.call(&[
        "run",
        "w.json",
        "--save",
        "3.output=sum.json",
        "--save",
        "1.output=one.json",
    ]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let read = |name: &str| std::fs::read(place.path().join(name)).unwrap();
    assert_eq!(text(&read("sum.json")), "70\n");
    assert_eq!(text(&read("one.json")), "40\n");
    assert!(read("w-output/9-plot.png").starts_with(b"\x89PNG"));
    // The folder is a new one each time, unless it is named.
    assert_eq!(place.call(&["run", "w.json"]).status.code(), Some(0));
    assert!(read("w-output-2/9-plot.png").starts_with(b"\x89PNG"));
    for _ in 0..2 {
        assert_eq!(place.call(&["run", "w.json", "--output", "a/b"]).status.code(), Some(0));
        assert!(read("a/b/9-plot.png").starts_with(b"\x89PNG"));
    }
}

#[test]
fn block_types_are_listed_those_of_archives_too() {
    let place = Place::new("");
    let manifest = r#"{"format": 1, "blocks": [{"name": "Seven", "preset":
        {"module": "Arithmetic.zip:Arithmetic", "type": "Constant", "values": {"constant value": "7"}}}]}"#;
    std::fs::write(place.path().join("Lab.zip"), common::zip(&[("Lab/module.json", manifest)]))
        .unwrap();
    let listed = place.call(&["blocks", "--module", "Lab.zip"]);
    assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
    let listed = text(&listed.stdout);
    assert!(listed.contains("Arithmetic.zip:Arithmetic\n  Addition"), "{listed}");
    assert!(listed.contains("Lab.zip:Lab\n  Seven"), "{listed}");
    let types = place.call(&["blocks", "--json"]);
    let types: Value = serde_json::from_slice(&types.stdout).unwrap();
    let constant = types.as_array().unwrap().iter().find(|one| one["name"] == "Constant").unwrap();
    assert_eq!(constant["fields"][0]["attrs"], "editable");

    let seven = "{\"id\":1,\"type\":\"Seven\",\"module\":\"Lab.zip:Lab\",\"values\":{}}";
    std::fs::write(place.path().join("w.json"), workflow(&[seven.into()], &[])).unwrap();
    assert_eq!(place.call(&["run", "w.json"]).status.code(), Some(3));
    let run = place.call(&["run", "w.json", "--module", "Lab.zip"]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    assert!(text(&run.stdout).contains("{'output': '7'}"), "{}", text(&run.stdout));
}

#[test]
fn an_interrupted_run_ends_with_130() {
    let place = Place::new(&common::plots(2000));
    let mut run =
        place.command(&["run", "w.json", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert!(Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap().success());
    // Reads to the end, so that the program never waits for us.
    let mut out = String::new();
    std::io::Read::read_to_string(&mut run.stdout.take().unwrap(), &mut out).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let details: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(details["status"], "CANCELLED");
}

#[test]
fn a_recording_is_read_shown_and_saved() {
    let Some(reference) = common::reference() else { return };
    let block = |id: i64, name: &str, values: &str| {
        format!(
            "{{\"id\":{id},\"type\":\"{name}\",\"module\":\"EEG_Basil.zip:EEG_Basil\",\"values\":{values}}}"
        )
    };
    let edge = |to: i64| {
        format!(
            "{{\"block1\":1,\"connector1\":[\"EEGData\",\"output\"],\"block2\":{to},\"connector2\":[\"EEGData\",\"input\"]}}"
        )
    };
    let document = workflow(
        &[
            block(1, "OfflineDataProvider", "{\"EEG File\":\"\"}"),
            block(2, "ChannelNames", "{}"),
            block(3, "EventAndIds", "{}"),
            block(4, "EEGPlot", "{}"),
        ],
        &[edge(2), edge(3), edge(4)],
    );
    let place = Place::new(&document);
    let files = reference.join("eeg/data");
    let run = place.call(&[
        "run",
        "w.json",
        "--json",
        "--files",
        files.to_str().unwrap(),
        "--set",
        "1.EEG File=Home/bv_uwb/DoD_2015_02.eeg",
        "--save",
        "1.EEGData=raw.npy",
        "--output",
        "out",
    ]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let details: Value = serde_json::from_slice(&run.stdout).unwrap();
    let shown = |block: usize| details["executionStatus"][block]["output"]["value"].clone();
    assert_eq!(shown(1), "['Fz', 'Cz', 'Pz']");
    let golden =
        std::fs::read_to_string(reference.join("eeg/expected/uwb_DoD_2015_02.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    let events = shown(2).as_str().unwrap().to_owned();
    for event in golden["events_from_annotations"]["events"].as_array().unwrap() {
        let id = event[2].as_i64().unwrap();
        assert!(events.contains(&format!("'Stimulus/S  {id}': {id}")), "{id} in {events}");
    }
    let picture = shown(3)["filename"].as_str().unwrap().to_owned();
    assert!(std::fs::read(place.path().join("out").join(picture)).unwrap().starts_with(b"\x89PNG"));
    let npy = std::fs::read(place.path().join("raw.npy")).unwrap();
    let header = text(&npy[..128]);
    assert!(
        header.contains("'descr': '<f8'") && header.contains("'shape': (3, 230480"),
        "{header}"
    );
    assert_eq!(npy.len(), 128 + 3 * 230_480 * 8);
}

/// A recording of three channels and ten stimuli, written beside the workflow.
fn write_recording(place: &Place) {
    let samples = ndarray::Array2::from_shape_fn((3, 3000), |(channel, sample)| {
        ((sample * (channel + 3)) % 211) as i16
    });
    let channel =
        |name: &str| Int16Channel {
            name: name.to_owned(), unit: "µV".to_owned(), resolution: 0.1
        };
    let stimulus = |i: i64| Marker {
        kind: "Stimulus".to_owned(),
        description: format!("S  {}", i % 2 + 1),
        sample: 200 + 250 * i,
        size: 1,
    };
    Int16Recording {
        channels: ["Fz", "Cz", "Pz"].map(channel).into(),
        sfreq: 250.0,
        meas_date: None,
        samples: samples.view(),
        markers: (0..10).map(stimulus).collect(),
    }
    .write(&place.path().join("r.vhdr"))
    .unwrap();
}

#[test]
fn epochs_averages_features_and_models_are_saved_in_their_formats() {
    let block = |id: i64, kind: &str, values: &str| {
        format!(
            "{{\"id\":{id},\"type\":\"{kind}\",\"module\":\"EEG_Basil.zip:EEG_Basil\",\"values\":{values}}}"
        )
    };
    let edge = |from: i64, to: i64, output: &str, input: &str| {
        format!(
            "{{\"block1\":{from},\"connector1\":[\"{output}\",\"output\"],\
             \"block2\":{to},\"connector2\":[\"{input}\",\"input\"]}}"
        )
    };
    let blocks = [
        block(1, "OfflineDataProvider", "{\"EEG File\":\"Home/r.eeg\"}"),
        block(2, "EpochExtraction", "{}"),
        block(3, "EpochAveraging", "{}"),
        block(4, "WaveletTransform", "{}"),
        block(5, "FeatureLabeling", "{\"Labels\":[\"1\",\"2\"]}"),
        block(6, "LDA", "{\"Folds\":\"2\"}"),
        block(7, "EpochAveraging", "{\"Per Condition\":\"true\"}"),
    ];
    let edges = [
        edge(1, 2, "EEGData", "EEGData"),
        edge(2, 3, "Epochs", "Epochs"),
        edge(2, 4, "Epochs", "Epochs"),
        edge(4, 5, "FeatureVector", "FeatureVector"),
        edge(5, 6, "FeatureVector", "FeatureVector"),
        edge(2, 7, "Epochs", "Epochs"),
    ];
    let place = Place::new(&workflow(&blocks, &edges));
    write_recording(&place);
    let mut arguments = vec!["run", "w.json", "--files", "."];
    let saves = [
        "2.Epochs=e.npy",
        "3.Epochs=a.npy",
        "4.FeatureVector=f.npy",
        "6.Model=m.onnx",
        "7.Epochs=c.npy",
    ];
    for save in saves {
        arguments.extend(["--save", save]);
    }
    let run = place.call(&arguments);
    assert_eq!(run.status.code(), Some(0), "{}{}", text(&run.stdout), text(&run.stderr));
    let read = |name: &str| std::fs::read(place.path().join(name)).unwrap();
    for (name, shape, values) in [
        ("e.npy", "(10, 3, 176,)", 10 * 3 * 176),
        ("a.npy", "(3, 176,)", 3 * 176),
        ("f.npy", "(10, 264,)", 10 * 264),
        ("c.npy", "(2, 3, 176,)", 2 * 3 * 176),
    ] {
        let bytes = read(name);
        let header = text(&bytes[..128]);
        assert!(header.contains(&format!("'shape': {shape}")), "{name}: {header}");
        assert_eq!(bytes.len(), 128 + 8 * values, "{name}");
    }
    // Each condition has half of the epochs, so their mean is the average of all.
    let numbers = |name: &str| -> Vec<f64> {
        let bytes = read(name);
        bytes[128..].chunks_exact(8).map(|v| f64::from_le_bytes(v.try_into().unwrap())).collect()
    };
    let (pooled, conditions) = (numbers("a.npy"), numbers("c.npy"));
    let (first, second) = conditions.split_at(pooled.len());
    assert_ne!(first, second);
    for ((pooled, first), second) in pooled.iter().zip(first).zip(second) {
        assert!((pooled - (first + second) / 2.0).abs() < 1e-15, "{pooled} {first} {second}");
    }
    assert!(text(&read("m.onnx")).contains("class_labels"));

    let run = place.call(&["run", "w.json", "--files", ".", "--save", "6.Model=m.h5"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(text(&run.stderr).contains("a model is saved as .onnx or .safetensors"));
}

#[test]
fn long_results_are_shortened_and_control_characters_are_not_printed() {
    let place = Place::new("");
    let labels: Vec<String> = (0..40).map(|_| "\"1\"".to_owned()).collect();
    let document = format!(
        "{{\"blocks\":[{{\"id\":\"\\u001b[31m\",\"type\":\"Nope\",\"module\":\"M\",\"values\":{{\"a\":[{}]}}}}]}}",
        labels.join(",")
    );
    std::fs::write(place.path().join("w.json"), document).unwrap();
    let run = place.call(&["run", "w.json"]);
    assert_eq!(run.status.code(), Some(3));
    assert!(!text(&run.stderr).contains('\u{1b}'), "{}", text(&run.stderr));

    write_recording(&place);
    let document = "{\"blocks\":[\
        {\"id\":1,\"type\":\"OfflineDataProvider\",\"module\":\"EEG_Basil.zip:EEG_Basil\",\"values\":{\"EEG File\":\"Home/r.eeg\"}},\
        {\"id\":2,\"type\":\"PowerSpectrum\",\"module\":\"EEG_Basil.zip:EEG_Basil\",\"values\":{\"Show\":\"table\"}}],\
        \"edges\":[{\"block1\":1,\"connector1\":[\"EEGData\",\"output\"],\"block2\":2,\"connector2\":[\"EEGData\",\"input\"]}]}";
    std::fs::write(place.path().join("w.json"), document).unwrap();
    let run = place.call(&["run", "w.json", "--files", "."]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let table = text(&run.stdout);
    assert!(
        table.lines().count() < 30 && table.contains("more lines (--json has them all)"),
        "{table}"
    );
}

/// One constant, with a byte order mark before the document.
fn constant(id: &str) -> String {
    format!(
        "\u{feff}{{\"blocks\": [{{\"id\": \"{id}\", \"type\": \"Constant\", \"module\": \
         \"Arithmetic.zip:Arithmetic\", \"values\": {{\"constant value\": \"4\"}}}}], \"edges\": []}}"
    )
}

#[test]
fn what_cannot_be_set_or_saved_is_refused_before_the_run() {
    let place = Place::new(&constant("1"));
    std::fs::write(place.path().join("file"), "").unwrap();
    for (arguments, told) in [
        (&["--set", "1.constant valeu=5"][..], "w.json: --set: block 1 has no parameter"),
        (&["--set", "2.constant value=5"], "2"),
        (&["--save", "1.output=none/x.json"], "none"),
        (&["--save", "1.output=."], "not the name of a file"),
        (&["--save", "1.output=x.json", "--save", "1.output=x.json"], "twice"),
        (&["--save", "1.output=x.json", "--save", "1.output=./x.json"], "twice"),
        (&["--save", "1.output=x.npy"], "x.npy: 1.output is a NUMBER, which is not an array"),
        (&["--output", "file/x"], "file/x"),
        (&["--output", "file"], "file"),
    ] {
        let run = place.call(&[&["run", "w.json"], arguments].concat());
        let error = text(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
        assert!(run.stdout.is_empty());
    }
    assert!(!place.path().join("x.npy").exists());
}

#[test]
fn ids_of_blocks_may_contain_dots_and_equals_signs() {
    for id in ["a.b", "a=b", "a.b=c.d"] {
        let place = Place::new(&constant(id));
        let (set, save) = (format!("{id}.constant value=7"), format!("{id}.output=x.json"));
        let run = place.call(&["run", "w.json", "--set", &set, "--save", &save]);
        assert_eq!(run.status.code(), Some(0), "{id}: {}", text(&run.stderr));
        let saved = std::fs::read_to_string(place.path().join("x.json")).unwrap();
        assert!(saved.contains('7'), "{id}: {saved}");
    }
}

#[test]
fn two_archives_of_one_name_are_refused() {
    let place = Place::new(&constant("1"));
    let run = place.call(&["run", "w.json", "--module", "a/x.zip", "--module", "b/x.zip"]);
    assert_eq!(run.status.code(), Some(2), "{}", text(&run.stderr));
    assert!(text(&run.stderr).contains("b/x.zip: another --module"), "{}", text(&run.stderr));
}
