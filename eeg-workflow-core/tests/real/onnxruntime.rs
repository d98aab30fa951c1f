//! Model files in the programs that others open them with: `onnx.checker`, onnxruntime,
//! safetensors. Needs a Python that has them:
//!
//!     python3 -m venv venv && venv/bin/pip install numpy onnx onnxruntime safetensors
//!     EEG_ONNX_PYTHON=venv/bin/python cargo test --test real onnxruntime -- --ignored
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;

use eeg_workflow_core::eeg::network::{Activation, Layer, LayerChain, Network};
use eeg_workflow_core::eeg::{FeatureVectors, Lda, Model, Shrinkage, Weights};
use ndarray::Array2;
use serde_json::{Value, json};

const PROGRAM: &str = r#"
import json, sys
import numpy as np, onnx, onnxruntime
from safetensors import safe_open
folder = sys.argv[1]
cases = json.load(open(f"{folder}/cases.json"))
for case in cases:
    name = case["name"]
    path = f"{folder}/{name}.onnx"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    kind = np.float64 if case["double"] else np.float32
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["class_labels"]) == case["labels"], metadata
    assert json.loads(metadata["input_shape"]) == [None, case["features"]], metadata
    assert session.get_inputs()[0].shape == ["samples", case["features"]]
    x = np.array(case["x"], kind)
    p, c = session.run(["probabilities", "class"], {"features": x})
    worst = np.abs(p - np.array(case["probabilities"])).max()
    assert worst <= 1e-5, (name, worst)
    assert c.tolist() == case["classes"], name
    one, _ = session.run(None, {"features": x[:1]})
    assert one.shape == (1, len(case["labels"]))
    with safe_open(f"{folder}/{name}.safetensors", "np") as file:
        assert file.metadata() == metadata, file.metadata()
        for tensor in model.graph.initializer:
            if tensor.name.startswith("dense_"):
                own = onnx.numpy_helper.to_array(tensor)
                assert np.array_equal(file.get_tensor(tensor.name), own), tensor.name
    print(name, worst)
print("all", len(cases))
"#;

#[test]
#[ignore = "needs python3 with onnxruntime"]
fn others_open_the_files_and_predict_the_same() {
    let python = std::env::var("EEG_ONNX_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let mut cases = Vec::new();
    for activation in Activation::ALL {
        for last in [Activation::Softmax, Activation::Sigmoid] {
            let chain = LayerChain::default()
                .with(Layer::new(16, activation, 0.2).unwrap())
                .with(Layer::new(8, activation, 0.0).unwrap())
                .with(Layer::new(3, last, 0.0).unwrap());
            let network = Network::<f32>::glorot_uniform(40, &chain, 5).unwrap();
            let labels = vec!["1,2".to_owned(), "3".to_owned(), "é \"x\"".to_owned()];
            let model = Model::new(Weights::Single(network), labels).unwrap();
            cases.push(case(folder.path(), &format!("{activation}-{last}"), &model, 3.0));
        }
    }
    let x = Array2::from_shape_fn((60, 12), |(i, j)| wave(i, j) * 1e-5 + 0.02);
    let classes: Vec<usize> = (0..60).map(|i| (i * i + i / 7) % 3).collect();
    let lda = Lda::fit(x.view(), &classes, 3, Shrinkage::Auto).unwrap();
    let labels = ["1", "2", "3"].map(str::to_owned).to_vec();
    cases.push(case(folder.path(), "lda", &Model::from_lda(lda, labels).unwrap(), 1e-5));
    std::fs::write(folder.path().join("cases.json"), Value::from(cases.clone()).to_string())
        .unwrap();
    let output = Command::new(python).args(["-c", PROGRAM]).arg(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.ends_with(&format!("all {}\n", cases.len())), "{text}");
}

fn wave(i: usize, j: usize) -> f64 {
    ((i * 37 + j * 101 + i * j * 13) % 97) as f64 / 48.5 - 1.0
}

/// Writes the model's files, and what it says of some vectors.
fn case(folder: &std::path::Path, name: &str, model: &Model, scale: f64) -> Value {
    let features = model.feature_count();
    // What f32 holds exactly, so that both sides start from the same numbers.
    let x = Array2::from_shape_fn((20, features), |(i, j)| f64::from((wave(i, j) * scale) as f32));
    let vectors = FeatureVectors::new(x.clone(), vec![1; 20]).unwrap();
    let predictions = model.predict(&vectors).unwrap();
    std::fs::write(folder.join(format!("{name}.onnx")), model.to_onnx()).unwrap();
    std::fs::write(folder.join(format!("{name}.safetensors")), model.to_safetensors()).unwrap();
    let rows = |a: &Array2<f64>| a.rows().into_iter().map(|r| r.to_vec()).collect::<Vec<_>>();
    json!({
        "name": name,
        "double": matches!(model.weights(), Weights::Double(_)),
        "labels": model.class_labels(),
        "features": features,
        "x": rows(&x),
        "probabilities": rows(&predictions.probabilities),
        "classes": predictions.classes,
    })
}
