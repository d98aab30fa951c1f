//! Modules as laboratories write them, from the reference data, and more of their kinds: each works
//! beside the native blocks. Needs a Python with mne, scikit-learn and Keras (as `mne.rs`).
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::{eeg_support, python_lab};

use eeg_workflow_core::block::{Display, OwnerId};
use eeg_workflow_core::eeg::Model;
use eeg_workflow_core::module::Owner;
use eeg_workflow_core::workflow::BlockIndex;
use python_lab::{Lab, workflow};
use serde_json::{Value as Json, json};

const READ: &str = "EEG_Basil.zip:EEG_Basil/OfflineDataProvider";
const EXTRACT: &str = "EEG_Basil.zip:EEG_Basil/EpochExtraction";
const WAVELET: &str = "EEG_Basil.zip:EEG_Basil/WaveletTransform";
const LABELING: &str = "EEG_Basil.zip:EEG_Basil/FeatureLabeling";
const LAYER: &str = "EEG_Basil.zip:EEG_Basil/NeuralNetworkLayer";
const CLASSIFIER: &str = "EEG_Basil.zip:EEG_Basil/NeuralNetworkClassifier";
const SAVE: &str = "EEG_Basil.zip:EEG_Basil/SaveModel";
const PREDICT: &str = "EEG_Basil.zip:EEG_Basil/Predict";

fn lab() -> Lab {
    let python =
        std::env::var_os("EEG_MNE_PYTHON").expect("EEG_MNE_PYTHON names a Python with mne");
    Lab::with(|options| options.interpreter = python.into())
}

/// A block's id, name and values.
type Node = (u32, &'static str, Json);
/// A block and its output, a block and its input.
type Edge = (u32, &'static str, u32, &'static str);

/// Installs an archive of the reference data.
fn install(lab: &Lab, archive: &str) {
    let folder = eeg_support::reference().expect("the reference data are there");
    let bytes = std::fs::read(folder.join("../cases/modules").join(archive)).unwrap();
    let owner = Owner { id: OwnerId(1), email: "user1@lab.org".to_owned() };
    let installed = lab.library.install(&owner, false, archive, &bytes);
    installed.unwrap_or_else(|error| panic!("{archive}: {error:?}"));
}

/// Blocks 1 to 4 and their edges: labelled feature vectors of a real recording.
fn features(lab: &Lab) -> (Vec<Node>, Vec<Edge>) {
    let folder = eeg_support::reference().expect("the reference data are there");
    for ending in ["eeg", "vhdr", "vmrk"] {
        let name = format!("DoD_2015_02.{ending}");
        std::fs::copy(folder.join("data/bv_uwb").join(&name), lab.files.join(&name)).unwrap();
    }
    let blocks = vec![
        (1, READ, json!({ "EEG File": "Home/DoD_2015_02.eeg" })),
        (2, EXTRACT, json!({})),
        (3, WAVELET, json!({})),
        (4, LABELING, json!({ "Labels": ["1,2,3", "4,5,6", "7,8,9"] })),
    ];
    let edges = vec![
        (1, "EEGData", 2, "EEGData"),
        (2, "Epochs", 3, "Epochs"),
        (3, "FeatureVector", 4, "FeatureVector"),
    ];
    (blocks, edges)
}

#[test]
#[ignore = "needs a Python with scikit-learn"]
fn a_support_vector_machine_takes_native_features() {
    let lab = lab();
    install(&lab, "LabSVM.zip");
    let (mut blocks, mut edges) = features(&lab);
    blocks.push((5, "LabSVM.zip:LabSVM/SVM", json!({ "C": "10" })));
    edges.push((4, "FeatureVector", 5, "FeatureVector"));
    let done = lab.run(&workflow(&blocks, &edges)).completed();
    let text = done.text(4);
    let score: f64 = text.strip_prefix("Accuracy: ").unwrap().parse().unwrap();
    assert!((1.0 / 3.0..=1.0).contains(&score), "{text}");
}

#[test]
#[ignore = "needs a Python with Keras"]
fn native_layers_and_models_are_models_of_keras_in_a_module() {
    let lab = lab();
    install(&lab, "LabModel.zip");
    let (mut blocks, mut edges) = features(&lab);
    let last = json!({ "Number of Units": "3", "Activation Function": "softmax" });
    blocks.extend([
        (5, LAYER, json!({ "Number of Units": "16", "Dropout": "0.2" })),
        (6, LAYER, last),
        (7, CLASSIFIER, json!({ "Number of Epochs": "3" })),
        (8, "LabModel.zip:LabModel/Summary", json!({})),
        (9, "LabModel.zip:LabModel/Summary", json!({})),
    ]);
    edges.extend([
        (5, "Model", 6, "Model"),
        (6, "Model", 7, "Model"),
        (4, "FeatureVector", 7, "FeatureVector"),
        (6, "Model", 8, "Model"),
        (7, "Model", 9, "Model"),
    ]);
    let done = lab.run(&workflow(&blocks, &edges)).completed();
    let layers = "['Dense', 'Dropout', 'Dense', 'Dropout']";
    assert_eq!((done.text(7).as_str(), done.text(8).as_str()), (layers, layers));
}

#[test]
#[ignore = "needs a Python with Keras"]
fn a_network_of_keras_with_a_layer_that_native_blocks_lack_is_refused_by_name() {
    let lab = lab();
    install(&lab, "LabNet.zip");
    let (mut blocks, mut edges) = features(&lab);
    blocks.extend([
        (5, "LabNet.zip:LabNet/ConvNet", json!({})),
        (6, CLASSIFIER, json!({ "Number of Epochs": "3" })),
    ]);
    edges.extend([(5, "Model", 6, "Model"), (4, "FeatureVector", 6, "FeatureVector")]);
    let error = lab.run(&workflow(&blocks, &edges)).error();
    assert!(
        error.starts_with("input \"Model\": expected layers to train, got Python object keras.")
            && error.contains("its layer 'batch_normalization' is of the kind BatchNormalization"),
        "{error}"
    );
}

const NETS: &str = "
import keras
import numpy as np

class Net(Block):
    def __init__(self):
        self.code = BlockParameter('code', ParameterType.STRING, '')
        self.model = BlockOutput('Model', ParameterType.MODEL, 1, 100)

    def input_params(self, data):
        self.code.value = data['code']

    def execute(self):
        names = dict(globals())
        exec(self.code.value, names)
        self.model.set_value(names['model'])

class Compare(Block):
    '''How far apart a model of Keras and what the native block predicted are.'''

    def __init__(self):
        self.model = BlockInput('Model', 1, 1, ParameterType.MODEL)
        self.vectors = BlockInput('FeatureVector', 1, 1, ParameterType.FEATUREVECTOR)
        self.native = BlockInput('Probabilities', 1, 1, ParameterType.OBJECT)

    def input_params(self, data):
        self.data = data

    def execute(self):
        features = np.array([vector.features for vector in self.data['FeatureVector']])
        mine = self.data['Model'].predict(features, verbose=0)
        return float(np.abs(mine - self.data['Probabilities']).max()), 'STRING'
";

/// Networks that native blocks have, each before it has weights and after it was trained.
const KNOWN: [&str; 3] = [
    "model = keras.Sequential([keras.layers.Dense(8, activation='selu'), keras.layers.Dropout(0.1), \
     keras.layers.Dense(3, activation='softmax')])",
    "model = keras.Sequential([keras.Input((1053,)), keras.layers.Dense(8), keras.layers.ReLU(), \
     keras.layers.Dense(3), keras.layers.Softmax()])",
    "i = keras.Input((1053,)); x = keras.layers.Dense(5, activation='tanh', \
     kernel_initializer='he_normal')(i)\n\
     model = keras.Model(i, keras.layers.Dense(3, activation='softmax')(x))\n\
     model.compile('adam', 'sparse_categorical_crossentropy')\n\
     model.fit(np.random.default_rng(1).normal(size=(30, 1053)), np.arange(30) % 3, verbose=0)",
];

#[test]
#[ignore = "needs a Python with Keras"]
fn networks_of_keras_are_trained_by_the_native_classifier_and_predict_the_same_in_both() {
    let lab = lab();
    lab.blocks(&["Net", "Compare"], NETS);
    for code in KNOWN {
        let (mut blocks, mut edges) = features(&lab);
        blocks.extend([
            (5, "Net", json!({ "code": code })),
            (6, CLASSIFIER, json!({ "Number of Epochs": "2" })),
            (7, PREDICT, json!({})),
            (8, "Compare", json!({})),
        ]);
        edges.extend([
            (5, "Model", 6, "Model"),
            (4, "FeatureVector", 6, "FeatureVector"),
            (6, "Model", 7, "Model"),
            (4, "FeatureVector", 7, "FeatureVector"),
            (6, "Model", 8, "Model"),
            (4, "FeatureVector", 8, "FeatureVector"),
            (7, "Probabilities", 8, "Probabilities"),
        ]);
        let done = lab.run(&workflow(&blocks, &edges)).completed();
        let worst: f64 = done.text(7).parse().unwrap();
        assert!(worst < 1e-5, "{code}: {worst}");
        assert!(done.value(5).downcast_ref::<Model>().is_some());
    }
}

/// The six blocks from epochs to a saved model, each native or in Python.
#[test]
#[ignore = "needs a Python with PyWavelets, scikit-learn and Keras"]
fn every_mixture_of_native_and_python_blocks_of_features_and_networks_completes() {
    let lab = lab();
    let source = include_str!("mne/Basil.py");
    lab.install(&[("Lab/__init__.py", source)]).unwrap_or_else(|error| panic!("{error:?}"));
    let last = json!({ "Number of Units": "3", "Activation Function": "softmax" });
    let names = [
        (WAVELET, json!({})),
        (LABELING, json!({ "Labels": ["1,2,3", "4,5,6", "7,8,9"] })),
        (LAYER, json!({ "Number of Units": "8", "Dropout": "0.1" })),
        (LAYER, last),
        (CLASSIFIER, json!({ "Number of Epochs": "2", "Number of Classes": "3" })),
        (SAVE, json!({})),
    ];
    // All native, all in Python, and each one block the other way: a mixture of more adds no edge that
    // these do not have.
    let single = (0..6).flat_map(|block| [1_u32 << block, 63 ^ (1 << block)]);
    for mixture in [0, 63].into_iter().chain(single) {
        let (first, first_edges) = features(&lab);
        let mut blocks = first[..2].to_vec();
        for (id, (name, values)) in (3..).zip(&names) {
            let in_python = mixture & (1 << (id - 3)) != 0;
            let own = name.rsplit('/').next().unwrap();
            blocks.push((id, if in_python { own } else { *name }, values.clone()));
        }
        let mut edges = first_edges;
        edges.extend([
            (5, "Model", 6, "Model"),
            (6, "Model", 7, "Model"),
            (4, "FeatureVector", 7, "FeatureVector"),
            (7, "Model", 8, "Model"),
        ]);
        let done = lab.run(&workflow(&blocks, &edges)).completed();
        assert_eq!(done.text(3), "{1: 0, 2: 0, 3: 0, 4: 1, 5: 1, 6: 1, 7: 2, 8: 2, 9: 2}");
        let text = done.text(6);
        assert!(text.starts_with("Training Accuracy: "), "{mixture:b}: {text}");
        assert!(text.contains("No. of Training Samples: 75\n"), "{mixture:b}: {text}");
        let shown = done.report.display(BlockIndex(7)).map(|display| (**display).clone());
        let Some(Display::File(file)) = shown else { panic!("{mixture:b}: {shown:?}") };
        assert!(file.bytes.len() > 8 * 1053 * 4, "{mixture:b}: {}", file.name);
    }
}

const NUMBERS: &str = "
import jax.numpy
import numpy as np
from decimal import Decimal

class Give(Block):
    '''Gives what its code calculates.'''

    def __init__(self):
        self.code = BlockParameter('code', ParameterType.STRING, '')
        self.out = BlockOutput('out', ParameterType.NUMBER, 1, 100)

    def input_params(self, data):
        self.code.value = data['code']

    def execute(self):
        self.out.set_value(eval(self.code.value))
";

#[test]
#[ignore = "needs a Python with NumPy and JAX"]
fn numbers_of_numpy_and_jax_are_numbers_at_native_blocks() {
    let lab = lab();
    lab.blocks(&["Give"], NUMBERS);
    for (code, sum) in [
        ("np.array(40)", "41"),
        ("np.array(True)", "2"),
        ("np.bool_(False)", "1"),
        ("np.int8(4)", "5"),
        ("np.uint64(2 ** 63)", "9223372036854775809"),
        ("np.float32(0.5)", "1.5"),
        ("np.longdouble(0.5)", "1.5"),
        ("np.array('40')", "41"),
        ("np.array(Decimal(40))", "41"),
        ("jax.numpy.float32(2)", "3.0"),
    ] {
        let blocks = [
            (1, "Give", json!({ "code": code })),
            (2, "Arithmetic.zip:Arithmetic/Constant", json!({ "constant value": "1" })),
            (3, "Arithmetic.zip:Arithmetic/Addition", json!({})),
        ];
        let edges = [(1, "out", 3, "num1"), (2, "output", 3, "num2")];
        let done = lab.run(&workflow(&blocks, &edges)).completed();
        assert_eq!(done.text(2), format!("{{'output': {sum}}}"), "{code}");
    }
}

#[test]
#[ignore = "needs a Python with mne"]
fn modules_give_any_number_see_native_epochs_and_treat_inputs_as_optional() {
    let lab = lab();
    for archive in ["LabSrc.zip", "LabSee.zip", "LabOpt.zip", "lab_blocks_v2.zip"] {
        install(&lab, archive);
    }
    let (mut blocks, mut edges) = features(&lab);
    blocks.truncate(2);
    edges.truncate(1);
    blocks.extend([
        (3, "LabSrc.zip:LabSrc/Src", json!({ "k": "np.float64(40)" })),
        (4, "Robust9.zip:Robust9/One", json!({})),
        (5, "Arithmetic.zip:Arithmetic/Addition", json!({})),
        (6, "LabSee.zip:LabSee/See", json!({})),
        (7, "LabOpt.zip:LabOpt/Opt", json!({})),
    ]);
    edges.extend([(3, "n", 5, "num1"), (4, "n", 5, "num2"), (2, "Epochs", 6, "x")]);
    let document = workflow(&blocks, &edges);
    let warnings: Vec<String> =
        lab.plan(&document).warnings().iter().map(ToString::to_string).collect();
    assert!(warnings.iter().any(|warning| warning.contains("\"a\"")), "{warnings:?}");
    let done = lab.run(&document).completed();
    assert_eq!(done.text(4), "{'output': 41.0}");
    assert!(done.text(5).starts_with("mne.epochs.Epochs\n"), "{}", done.text(5));
    assert!(done.text(5).contains("x.preload = True"), "{}", done.text(5));
    assert_eq!(done.text(6), "(5, None)");
}
