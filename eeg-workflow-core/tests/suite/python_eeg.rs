//! Recordings between native blocks and blocks in Python without mne or numpy: what they get, and
//! what of it is refused when they give it back. Needs a `python3`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::{eeg_support, python_lab};

use eeg_support::{marker, same_bits, wave, written};
use eeg_workflow_core::eeg::{Epochs, FeatureVectors, Recording};
use python_lab::{Done, Lab, workflow};
use serde_json::json;

const READ: &str = "EEG_Basil.zip:EEG_Basil/OfflineDataProvider";
const EXTRACT: &str = "EEG_Basil.zip:EEG_Basil/EpochExtraction";
const NAMES: &str = "EEG_Basil.zip:EEG_Basil/ChannelNames";
const AVERAGE: &str = "EEG_Basil.zip:EEG_Basil/EpochAveraging";

const CHANGE: &str = r#"
import sys

# As where neither is installed.
sys.modules["mne"] = sys.modules["numpy"] = None

class Change(Block):
    """Does something to what it gets, and passes it on."""

    def __init__(self):
        self.inp = BlockInput("in", 1, 1, ParameterType.OBJECT)
        self.code = BlockParameter("code", ParameterType.STRING, "")
        self.out = BlockOutput("out", ParameterType.OBJECT, 1, 100)

    def input_params(self, data):
        self.data = data

    def execute(self):
        data = self.data["in"]
        names = {"data": data}
        exec(self.data["code"], names)
        self.out.set_value(data)
        return str(names.get("result")), "STRING"
"#;

const OWN_FEATURES: &str = "
class Vector:
    def __init__(self, features, class_id):
        self.features = features
        self.class_id = class_id

class Own(Block):
    def __init__(self):
        self.out = BlockOutput('out', ParameterType.FEATUREVECTOR, 1, 100)

    def execute(self):
        self.out.set_value([Vector([1, 2], 0), Vector([3, 4], 1), Vector([5, 6.5], 1)])
";

fn lab() -> Lab {
    let lab = Lab::new();
    lab.blocks(&["Change"], CHANGE);
    let markers = vec![
        marker("Stimulus", "S  1", 100, 1),
        marker("Stimulus", "S  2", 300, 1),
        marker("Comment", "eyes closed", 350, 50),
        marker("Stimulus", "S  1", 500, 1),
    ];
    written(&lab.files.join("a.vhdr"), &wave(2, 1_000), markers);
    lab
}

/// Reads the recording, lets Python do something to it, and lists its channels; cuts epochs from
/// it first if `of_epochs`.
fn change(lab: &Lab, code: &str, of_epochs: bool) -> Done {
    let (last, port) = if of_epochs { (AVERAGE, "Epochs") } else { (NAMES, "EEGData") };
    let blocks = [
        (1, READ, json!({ "EEG File": "Home/a.eeg" })),
        (2, EXTRACT, json!({ "Event Id": "Stimulus/S  1,Stimulus/S  2" })),
        (3, "Change", json!({ "code": code })),
        (4, last, json!({})),
    ];
    let first = if of_epochs { (2, "Epochs", 3, "in") } else { (1, "EEGData", 3, "in") };
    lab.run(&workflow(&blocks, &[(1, "EEGData", 2, "EEGData"), first, (3, "out", 4, port)]))
}

#[test]
fn without_mne_a_recording_comes_as_its_fields_and_goes_back_as_it_came() {
    let lab = lab();
    let code = "result = (data.kind, data.ch_names, data.ch_types, data.sfreq, data.numbering, \
                data.annotations[0], data.annotations[2][2], data.data.shape, data.data[1, 7] == 6.51e-05)";
    let done = change(&lab, code, false).completed();
    let value = (done.value(0), done.value(2));
    let [ours, back] =
        [&value.0, &value.1].map(|v| v.native().downcast_ref::<Recording>().unwrap());
    assert_eq!(ours.channel(1).unwrap()[7], 6.51e-5);
    assert_eq!(
        done.text(2),
        "('Recording', ['C1', 'C2'], ['eeg', 'eeg'], 500.0, 'brainvision', [0.2, 0.6, 0.7, 1.0], \
         'Comment/eyes closed', (2, 1000), True)"
    );
    assert_eq!(back.annotations(), ours.annotations());
    assert_eq!(back.events(), ours.events());
    assert_eq!(back.info().meas_date, ours.info().meas_date);
    assert_eq!((back.info().highpass, back.info().lowpass), (0.0, 250.0));
    let (ours, back) = (ours.data(), back.data());
    assert!(ours.iter().zip(back.iter()).all(|(a, b)| same_bits(*a, *b)));
}

#[test]
fn without_mne_epochs_come_as_their_fields_and_go_back_as_they_came() {
    let lab = lab();
    let code = "result = (data.kind, data.events, data.first, data.baseline, data.event_id, \
                data.drop_log, data.data.shape)";
    let done = change(&lab, code, true).completed();
    assert_eq!(
        done.text(2),
        "('Epochs', [[100, 0, 1], [300, 0, 2], [500, 0, 1]], -100, [-0.2, 0.0], \
         [['Stimulus/S  1', 1], ['Stimulus/S  2', 2]], [[], [], ['IGNORED'], []], (3, 2, 351))"
    );
    let value = (done.value(1), done.value(2));
    let [ours, back] = [&value.0, &value.1].map(|v| v.native().downcast_ref::<Epochs>().unwrap());
    assert_eq!((back.events(), back.info()), (ours.events(), ours.info()));
    assert_eq!(back.data(), ours.data());
}

#[test]
fn native_feature_vectors_come_as_a_list_of_objects_and_go_back_as_they_came() {
    let lab = lab();
    let code = "result = (len(data), [v.class_id for v in data], data.shape, \
                data.shape[1] == len(data[0].features), isinstance(data, list))";
    let blocks = [
        (1, READ, json!({ "EEG File": "Home/a.eeg" })),
        (2, EXTRACT, json!({ "Event Id": "Stimulus/S  1,Stimulus/S  2" })),
        (3, "EEG_Basil.zip:EEG_Basil/WaveletTransform", json!({})),
        (4, "Change", json!({ "code": code })),
        (5, "EEG_Basil.zip:EEG_Basil/FeatureLabeling", json!({ "Labels": ["2", "1"] })),
    ];
    let edges = [
        (1, "EEGData", 2, "EEGData"),
        (2, "Epochs", 3, "Epochs"),
        (3, "FeatureVector", 4, "in"),
        (4, "out", 5, "FeatureVector"),
    ];
    let done = lab.run(&workflow(&blocks, &edges)).completed();
    let value = (done.value(2), done.value(3));
    let [ours, back] =
        [&value.0, &value.1].map(|v| v.native().downcast_ref::<FeatureVectors>().unwrap());
    let features = ours.feature_count();
    assert_eq!(done.text(3), format!("(3, [1, 1, 2], (3, {features}), True, True)"));
    assert_eq!(back, ours);
    let labelled = done.value(4);
    let labelled = labelled.native().downcast_ref::<FeatureVectors>().unwrap();
    assert_eq!(labelled.classes(), Some(&[1, 1, 0][..]));
}

#[test]
fn a_laboratorys_own_list_of_features_is_labelled_by_the_native_block() {
    let lab = Lab::new();
    lab.blocks(&["Own"], OWN_FEATURES);
    let label = "EEG_Basil.zip:EEG_Basil/FeatureLabeling";
    let document = workflow(
        &[(1, "Own", json!({})), (2, label, json!({ "Labels": ["1", "0"] }))],
        &[(1, "out", 2, "FeatureVector")],
    );
    let done = lab.run(&document).completed();
    let own = done.value(0);
    let own = own.native().downcast_ref::<FeatureVectors>().unwrap();
    assert_eq!(own.values(), ndarray::array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.5]]);
    assert_eq!(own.classes(), Some(&[0, 1, 1][..]));
    let labelled = done.value(1);
    let labelled = labelled.native().downcast_ref::<FeatureVectors>().unwrap();
    assert_eq!(labelled.classes(), Some(&[1, 0, 0][..]));
}

#[test]
fn what_is_no_recording_is_refused_with_what_is_wrong() {
    let lab = lab();
    let cases = [
        ("data.sfreq = float('nan')", "sampling rate NaN Hz is not a positive number"),
        ("data.sfreq = 0", "sampling rate 0 Hz"),
        ("data.sfreq = 'fast'", "sfreq is a text"),
        ("data.ch_names[1] = 'C1'", "channel \"C1\" is named twice"),
        ("data.ch_types.pop()", "2 ch_names, but 1 ch_types"),
        ("data.ch_names[0] = 1", "ch_names is 1"),
        ("data.ch_names.append('C3'); data.ch_types.append('eeg')", "3 channels are described"),
        ("data.ch_names.clear(); data.ch_types.clear()", "0 channels"),
        ("del data.data", "it has no data"),
        ("data.data = [1.0, 2.0]", "data is a list"),
        ("data.data = memoryview(bytes(16)).cast('d')", "data of the shape [2]"),
        ("data.annotations[0][0] = float('inf')", "annotations: inf is not finite"),
        ("data.annotations[1][0] = -1", "lasts -1 s"),
        ("data.annotations[2].pop()", "4 onsets, 4 durations and 3 descriptions"),
        ("data.annotations = {}", "annotations is a map"),
        ("data.numbering = 'mine'", "numbering \"mine\""),
        ("data.meas_date = 'today'", "meas_date is a text"),
        ("data.kind = 'Epochs'", "this is not a valid Epochs: it has no first"),
        ("data.kind = 'SourceEstimate'", "an unknown kind \"SourceEstimate\""),
    ];
    for (code, expected) in cases {
        let done = change(&lab, code, false);
        let error = done.report.failures().first().map(|(_, error)| error.to_string());
        let error = error.unwrap_or_else(|| panic!("{code}: no error"));
        assert!(
            error.starts_with("output \"out\": ") && error.contains(expected),
            "{code}: {error}"
        );
    }
    change(&lab, "data.ch_types[0] = 'seeg'; data.highpass = float('nan')", false).completed();
}

#[test]
fn what_are_no_epochs_is_refused_with_what_is_wrong() {
    let lab = lab();
    let cases = [
        ("data.events.pop()", "3 epochs x 2 channels x 351 samples"),
        ("data.events[0] = [1, 2]", "is not a (sample, 0, id)"),
        ("data.events[0][0] = 2**62", "is not a (sample, 0, id)"),
        ("data.events[0][2] = 2**40", "event id 1099511627776 is too large"),
        ("data.event_id[0] = 'S'", "event_id is a text"),
        ("data.event_id[1][0] = 'Stimulus/S  1'", "event_id: \"Stimulus/S  1\" twice"),
        ("data.baseline = [float('nan'), 0]", "baseline: NaN is not finite"),
        ("data.baseline = 3", "baseline is 3"),
        ("data.first = 0.5", "first is 0.5"),
        ("data.first = 2**60", "first is 1152921504606846976"),
        ("data.data = memoryview(b'').cast('d')", "data of the shape [0]"),
    ];
    for (code, expected) in cases {
        let done = change(&lab, code, true);
        let error = done.report.failures().first().map(|(_, error)| error.to_string());
        let error = error.unwrap_or_else(|| panic!("{code}: no error"));
        assert!(error.contains(expected), "{code}: {error}");
    }
}
