//! Networks and feature vectors between native blocks and Python blocks without Keras or numpy: in
//! the forms in which modules keep them. Needs a `python3`.
#![cfg(all(feature = "python", feature = "builtin", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::python_lab;

use eeg_workflow_core::eeg::network::LayerChain;
use eeg_workflow_core::eeg::{FeatureVectors, Model};
use python_lab::{Done, Lab, workflow};
use serde_json::{Value as Json, json};

const LAYER: &str = "EEG_Basil.zip:EEG_Basil/NeuralNetworkLayer";
const CLASSIFIER: &str = "EEG_Basil.zip:EEG_Basil/NeuralNetworkClassifier";
const PREDICT: &str = "EEG_Basil.zip:EEG_Basil/Predict";
const LABELING: &str = "EEG_Basil.zip:EEG_Basil/FeatureLabeling";
const LDA: &str = "EEG_Basil.zip:EEG_Basil/LDA";

/// `Make` gives what its code calls `result`, on a port of each type; `Look` shows what
/// its code makes of what it gets.
const BLOCKS: &str = r#"
import sys
from collections import namedtuple

# As where they are not installed.
for name in ("numpy", "keras", "mne"):
    sys.modules[name] = None

Pair = namedtuple("Pair", "features class_id")

class Vector:
    def __init__(self, features, class_id=None):
        self.features = features
        self.class_id = class_id

class Layer:
    def __init__(self, kind, weights=(), **fields):
        self.__dict__.update(fields)
        self.weights = weights
        self.__class__ = type(kind, (Layer,), {})

    def get_weights(self):
        return list(self.weights)

class Net:
    def __init__(self, *layers):
        self.layers = list(layers)

    def predict(self, features):
        raise NotImplementedError

class Make(Block):
    def __init__(self):
        self.code = BlockParameter("code", ParameterType.STRING, "")
        self.vectors = BlockOutput("FeatureVector", ParameterType.FEATUREVECTOR, 1, 100)
        self.model = BlockOutput("Model", ParameterType.MODEL, 1, 100)
        self.object = BlockOutput("Object", ParameterType.OBJECT, 1, 100)

    def input_params(self, data):
        self.code.value = data["code"]

    def execute(self):
        names = dict(globals())
        exec(self.code.value, names)
        for output in (self.vectors, self.model, self.object):
            output.set_value(names["result"])

class Pass(Block):
    def __init__(self):
        self.given = BlockInput("in", 1, 1, ParameterType.MODEL)
        self.out = BlockOutput("out", ParameterType.MODEL, 1, 100)

    def input_params(self, data):
        self.given.value = data["in"]

    def execute(self):
        self.out.set_value(self.given.value)

class Look(Block):
    def __init__(self):
        self.a = BlockInput("a", 0, 1, ParameterType.OBJECT)
        self.b = BlockInput("b", 0, 1, ParameterType.OBJECT)
        self.code = BlockParameter("code", ParameterType.STRING, "")

    def input_params(self, data):
        self.data = data

    def execute(self):
        names = {**globals(), "a": self.data.get("a"), "b": self.data.get("b")}
        exec(self.data["code"], names)
        return names["result"], "STRING"
"#;

/// Two classes that lie apart.
const APART: &str = "result = [Vector([i % 2, 1 - i % 2, 0.01 * i], i % 2) for i in range(40)]";

fn lab() -> Lab {
    let lab = Lab::new();
    lab.blocks(&["Make", "Pass", "Look"], BLOCKS);
    lab
}

/// What the native block makes of an output of `Make`.
fn given(code: &str, output: &str, block: &str, values: Json, input: &str) -> Done {
    let lab = lab();
    let blocks = [(1, "Make", json!({ "code": code })), (2, block, values)];
    lab.run(&workflow(&blocks, &[(1, output, 2, input)]))
}

#[test]
fn feature_vectors_are_taken_in_every_form_in_which_modules_keep_them() {
    let lab = lab();
    let any = [
        "[Vector([1, 2], 0), Vector([3, 4], 1), Vector([5, 6], 1)]",
        "(Vector((1, 2), 0), Vector((3, 4), 1), Vector((5, 6), 1.0))",
        "[{'features': [1, 2], 'class_id': 0}, {'features': [3, 4], 'class_id': 1}, \
          {'features': [5, 6], 'class_id': 1}]",
        "[Pair([1, 2], 0), Pair([3, 4], 1), Pair([5, 6], 1)]",
        "{'features': [[1, 2], [3, 4], [5, 6]], 'class_id': [0, 1, 1]}",
        "Vector([[1, 2], [3, 4], [5, 6]], [0, 1, 1])",
        "[Vector({'a': 1, 'b': 2}, 0), Vector({'a': 3, 'b': 4}, 1), Vector({'a': 5, 'b': 6}, 1)]",
        "[Vector([1, 2], '0'), Vector([3, 4], '1'), Vector([5, 6], '1')]",
    ];
    let declared =
        ["[([1, 2], 0), ([3, 4], 1), ([5, 6], 1)]", "([[1, 2], [3, 4], [5, 6]], [0, 1, 1])"];
    let any = any.iter().flat_map(|code| ["FeatureVector", "Object"].map(|port| (*code, port)));
    let declared = declared.iter().map(|code| (*code, "FeatureVector"));
    for (code, port) in any.chain(declared) {
        let labels = json!({ "Labels": ["1", "0"] });
        let blocks =
            [(1, "Make", json!({ "code": format!("result = {code}") })), (2, LABELING, labels)];
        let done = lab.run(&workflow(&blocks, &[(1, port, 2, "FeatureVector")]));
        let done = done.completed();
        let value = done.value(1);
        let labelled = value.downcast_ref::<FeatureVectors>().expect(code);
        assert_eq!(
            labelled.values(),
            ndarray::array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
            "{code}"
        );
        assert_eq!(labelled.classes(), Some(&[1, 0, 0][..]), "{code}");
    }
}

#[test]
fn classes_that_are_strings_keep_their_names() {
    let code = "result = [Vector([i % 2, i / 40], ['target', 'other'][i % 2]) for i in range(40)]";
    let done = given(code, "FeatureVector", LDA, json!({}), "FeatureVector").completed();
    let value = done.value(1);
    let model = value.downcast_ref::<Model>().unwrap();
    assert_eq!(model.class_labels(), ["target", "other"]);
}

#[test]
fn features_that_do_not_fit_each_other_are_an_error_that_names_the_vector() {
    let cases = [
        ("[Vector([1, 2], 0), Vector([1], 1)]", "feature vector 1 has 1 features, the first has 2"),
        ("[Vector([1], 0), Vector([1], None)]", "feature vector 1 has the class_id None"),
        ("[Vector([1], 0), Vector(['x'], 0)]", "could not convert"),
    ];
    for (code, expected) in cases {
        let code = format!("result = {code}");
        let done =
            given(&code, "FeatureVector", LABELING, json!({ "Labels": ["0"] }), "FeatureVector");
        let error = done.failure(0).expect("Make fails");
        assert!(error.contains(expected), "{code}: {error}");
    }
}

#[test]
fn a_plain_list_of_vectors_reaches_native_and_python_blocks_alike() {
    let lab = lab();
    let code = "result = [{'features': [i % 2, i], 'class_id': i % 2} for i in range(6)]";
    let document = workflow(
        &[
            (1, "Make", json!({ "code": code })),
            (2, LABELING, json!({ "Labels": ["0", "1"] })),
            (3, "Look", json!({ "code": "result = (type(a).__name__, a[1])" })),
        ],
        &[(1, "FeatureVector", 2, "FeatureVector"), (1, "FeatureVector", 3, "a")],
    );
    let done = lab.run(&document).completed();
    assert_eq!(done.text(2), "('list', {'features': [1, 1], 'class_id': 1})");
}

#[test]
fn native_layers_come_as_an_object_with_layers_and_go_back() {
    let lab = lab();
    let first = json!({ "Number of Units": "8", "Activation Function": "elu", "Dropout": "0.25" });
    let last = json!({ "Number of Units": "2", "Activation Function": "softmax" });
    let look = "result = ([type(l).__name__ for l in a.layers], a.layers[0].units, \
                a.layers[0].activation, a.layers[1].rate, hasattr(a, 'predict'), hasattr(a, 'save'))";
    let document = workflow(
        &[
            (1, LAYER, first),
            (2, LAYER, last.clone()),
            (3, "Look", json!({ "code": look })),
            (4, "Pass", json!({})),
            (5, LAYER, last),
        ],
        &[
            (1, "Model", 2, "Model"),
            (2, "Model", 3, "a"),
            (1, "Model", 4, "in"),
            (4, "out", 5, "Model"),
        ],
    );
    let done = lab.run(&document).completed();
    assert_eq!(
        done.text(2),
        "(['Dense', 'Dropout', 'Dense', 'Dropout'], 8, 'elu', 0.25, True, True)"
    );
    let value = [done.value(1), done.value(4)];
    let [ours, back] = [&value[0], &value[1]].map(|v| v.downcast_ref::<LayerChain>().unwrap());
    assert_eq!(ours, back);
}

#[test]
fn a_native_model_predicts_and_is_saved_in_a_python_block() {
    let lab = lab();
    let look = "
probabilities = a.predict([v.features for v in b])
a.save('model')
with open('model.safetensors', 'rb') as file:
    content = file.read()
result = [[round(p, 6) for p in row] for row in probabilities[:3]], content.hex()";
    let document = workflow(
        &[
            (1, "Make", json!({ "code": APART })),
            (2, LAYER, json!({ "Number of Units": "4" })),
            (3, LAYER, json!({ "Number of Units": "2", "Activation Function": "softmax" })),
            (4, CLASSIFIER, json!({ "Number of Epochs": "5" })),
            (5, "Look", json!({ "code": look })),
            (6, PREDICT, json!({})),
            (7, "Pass", json!({})),
            (8, PREDICT, json!({})),
        ],
        &[
            (4, "Model", 7, "in"),
            (7, "out", 8, "Model"),
            (1, "FeatureVector", 8, "FeatureVector"),
            (2, "Model", 3, "Model"),
            (3, "Model", 4, "Model"),
            (1, "FeatureVector", 4, "FeatureVector"),
            (4, "Model", 5, "a"),
            (1, "FeatureVector", 5, "b"),
            (4, "Model", 6, "Model"),
            (1, "FeatureVector", 6, "FeatureVector"),
        ],
    );
    let done = lab.run(&document).completed();
    let value = done.value(3);
    let model = value.downcast_ref::<Model>().unwrap();
    let own = done.value(0);
    let vectors = own.native().downcast_ref::<FeatureVectors>().unwrap();
    let rows = model.predict(vectors).unwrap().probabilities;
    let text = done.text(4);
    for row in rows.rows().into_iter().take(3) {
        // 32 bits there, 64 here.
        let rounded = format!("{:.5}", row[0]);
        assert!(text.contains(&rounded[..6]), "{text} {rounded}");
    }
    let saved = Model::from_bytes(&content(&text)).unwrap();
    assert_eq!((saved.weights(), saved.class_labels()), (model.weights(), model.class_labels()));
    let back = done.value(6);
    assert_eq!(back.native().downcast_ref::<Model>().unwrap().weights(), model.weights());
}

/// The bytes that a text has as hexadecimal digits between the last quotes.
fn content(text: &str) -> Vec<u8> {
    let digits = text.rsplit('\'').nth(1).unwrap();
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// A network of a laboratory's own classes, of three inputs.
const NETWORK: &str = "
from array import array
def table(rows, columns, first):
    return memoryview(array('d', [first * (i + 1) for i in range(rows * columns)])).cast('B').cast('d', [rows, columns])
def row(count):
    return memoryview(array('d', [0.0] * count))
result = Net(
    Layer('InputLayer', shape=(None, 3)),
    Layer('Dense', [table(3, 4, 0.01), row(4)], units=4, activation='linear', name='one'),
    Layer('Activation', activation='relu', name='act'),
    Layer('Dropout', rate=0.5, name='drop'),
    Layer('Dense', [table(4, 2, -0.1), row(2)], units=2, activation='softmax', name='two'),
)
";

#[test]
fn an_object_with_layers_is_a_network_for_native_blocks() {
    let lab = lab();
    let document = workflow(
        &[
            (1, "Make", json!({ "code": NETWORK })),
            (2, "Make", json!({ "code": APART })),
            (3, PREDICT, json!({})),
            (4, CLASSIFIER, json!({ "Number of Epochs": "60", "Learning Rate": "0.05" })),
        ],
        &[
            (1, "Model", 3, "Model"),
            (2, "FeatureVector", 3, "FeatureVector"),
            (1, "Model", 4, "Model"),
            (2, "FeatureVector", 4, "FeatureVector"),
        ],
    );
    let done = lab.run(&document).completed();
    let value = done.value(0);
    let network = value.native().downcast_ref::<LayerChain>().unwrap();
    assert_eq!(network.weights().unwrap().inputs(), 3);
    let layers = network.layers().iter().map(|layer| (layer.units(), layer.dropout()));
    assert_eq!(layers.collect::<Vec<_>>(), [(4, 0.5), (2, 0.0)]);
    // It starts from the weights that it brought along, and learns.
    assert!(done.text(3).starts_with("Training Accuracy: 1.0\n"), "{}", done.text(3));
}

#[test]
fn layers_that_native_blocks_lack_are_refused_by_name_where_they_are_taken() {
    let dense = "Layer('Dense', units=2, activation='softmax', name='last')";
    let cases = [
        (
            "Layer('BatchNormalization', name='norm')",
            "its layer 'norm' is of the kind BatchNormalization",
        ),
        ("Layer('Conv1D', name='conv')", "its layer 'conv' is of the kind Conv1D"),
        (
            "Layer('Dropout', rate=0.5, name='d')",
            "its layer 'd' (Dropout) stands before the first Dense",
        ),
        (
            "Layer('Dense', units=3, activation='mish', name='m')",
            "its layer 'm' has the activation mish",
        ),
        ("Layer('Dense', units=3, use_bias=False, name='n')", "its layer 'n' (Dense) has no bias"),
        ("Layer('InputLayer', shape=(None, 8, 8), name='i')", "its layer 'i' takes 2 dimensions"),
    ];
    for (layer, expected) in cases {
        let code = format!("result = Net({layer}, {dense})");
        let done = given(&code, "Model", CLASSIFIER, json!({}), "Model");
        let error = done.failure(1).expect("the classifier fails");
        assert!(
            error.starts_with("input \"Model\": expected layers to train, got Python object")
                && error.contains(expected),
            "{code}: {error}"
        );
    }
    let done = given(
        "result = object()",
        "Model",
        "EEG_Basil.zip:EEG_Basil/SaveModel",
        json!({}),
        "Model",
    );
    let error = done.failure(1).expect("it is no model");
    assert!(error.contains("expected a trained model, got Python object object"), "{error}");
}
