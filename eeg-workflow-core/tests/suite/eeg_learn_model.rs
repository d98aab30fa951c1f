//! Files of models: what is written is read back, and what is broken is an error.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use eeg_workflow_core::eeg::network::{Activation, Layer, LayerChain, Network};
use eeg_workflow_core::eeg::{FeatureVectors, Lda, Model, Shrinkage, Weights};
use ndarray::Array2;
use proptest::prelude::*;

fn labels(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{i},{}", i + 10)).collect()
}

fn single(activation: Activation, last: Activation) -> Model {
    let chain = LayerChain::default()
        .with(Layer::new(6, activation, 0.1).unwrap())
        .with(Layer::new(4, activation, 0.0).unwrap())
        .with(Layer::new(3, last, 0.0).unwrap());
    let network = Network::<f32>::glorot_uniform(5, &chain, 11).unwrap();
    Model::new(Weights::Single(network), labels(3)).unwrap()
}

fn double() -> Model {
    let x = Array2::from_shape_fn((20, 4), |(i, j)| ((i * 7 + j * 3) % 11) as f64 * 1e-6);
    let classes: Vec<usize> = (0..20).map(|i| i % 2).collect();
    let lda = Lda::fit(x.view(), &classes, 2, Shrinkage::Auto).unwrap();
    Model::from_lda(lda, labels(2)).unwrap()
}

fn every_model() -> Vec<Model> {
    let mut models = vec![double()];
    for activation in Activation::ALL {
        models.push(single(activation, Activation::Softmax));
        models.push(single(activation, Activation::Sigmoid));
    }
    models
}

#[test]
fn both_formats_give_back_what_was_written() {
    for model in every_model() {
        assert_eq!(Model::from_bytes(&model.to_onnx()).unwrap(), model);
        assert_eq!(Model::from_bytes(&model.to_safetensors()).unwrap(), model);
    }
}

#[test]
fn the_header_of_safetensors_tells_names_shapes_and_labels() {
    let file = single(Activation::Relu, Activation::Softmax).to_safetensors();
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    assert_eq!(length % 8, 0);
    let header: serde_json::Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    assert_eq!(header["dense_1/weights"]["shape"], serde_json::json!([5, 6]));
    assert_eq!(header["dense_1/weights"]["dtype"], "F32");
    assert_eq!(header["__metadata__"]["class_labels"], r#"["0,10","1,11","2,12"]"#);
    assert_eq!(header["__metadata__"]["input_shape"], "[null,5]");
    let parameters = 5 * 6 + 6 + 6 * 4 + 4 + 4 * 3 + 3;
    assert_eq!(file.len(), 8 + length + 4 * parameters);
}

#[test]
fn a_model_tells_what_does_not_fit_it() {
    let model = double();
    let vectors = FeatureVectors::new(Array2::zeros((3, 7)), vec![1, 2, 3]).unwrap();
    let error = model.predict(&vectors).unwrap_err().to_string();
    assert_eq!(error, "the vectors have 7 features, but the model was trained on 4");
    let error = Model::new(model.weights().clone(), labels(3)).unwrap_err().to_string();
    assert_eq!(error, "3 class labels for 2 classes");
}

fn refused(bytes: &[u8]) -> String {
    let error = Model::from_bytes(bytes).unwrap_err();
    let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

#[test]
fn broken_files_are_errors_that_say_what_is_wrong() {
    let model = single(Activation::Gelu, Activation::Softmax);
    assert!(refused(b"").contains("neither"));
    assert!(refused(b"PK\x03\x04 nothing").contains("ONNX"));
    // A header that says it is longer than any memory.
    let mut huge = u64::MAX.to_le_bytes().to_vec();
    huge.extend_from_slice(b"{}");
    assert!(refused(&huge).contains("outside the file"), "{}", refused(&huge));

    let header = |text: &str| {
        let mut file = (text.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(text.as_bytes());
        refused(&file)
    };
    assert!(header(r#"{"a": 1}"#).contains("JSON"));
    assert!(header("{}").contains("activations"));
    let one = |tensor: &str| {
        header(&format!(
            r#"{{"__metadata__": {{"activations": "[\"softmax\"]", "class_labels": "[\"1\"]"}}, "dense_1/weights": {tensor}}}"#
        ))
    };
    assert!(
        one(r#"{"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}"#).contains("outside")
    );
    assert!(
        one(r#"{"dtype": "F32", "shape": [1, 1], "data_offsets": [4, 0]}"#).contains("outside")
    );
    assert!(one(r#"{"dtype": "I8", "shape": [1, 1], "data_offsets": [0, 0]}"#).contains("I8"));
    let most = usize::MAX;
    let text = one(&format!(r#"{{"dtype": "F32", "shape": [{most}, 4], "data_offsets": [0, 0]}}"#));
    assert!(text.contains("shape"), "{text}");
    assert!(
        one(r#"{"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}"#).contains("dimensions")
    );

    // A network that computes something else than its layers say.
    let mut other = model.to_onnx();
    let erf = other.windows(5).position(|w| w == b"\x22\x03Erf").unwrap();
    other[erf + 2..erf + 5].copy_from_slice(b"Abs");
    assert!(refused(&other).contains("graph"), "{}", refused(&other));

    // Millions of empty tensors in a few megabytes.
    let mut many = vec![0x3a];
    let empties = [0x2a, 0x00].repeat(2 << 20);
    let mut length = empties.len();
    while length > 0x7f {
        many.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    many.push(length as u8);
    many.extend(empties);
    assert!(refused(&many).contains("neither"));
}

#[test]
fn a_file_that_is_cut_anywhere_is_an_error() {
    let model = single(Activation::Elu, Activation::Softmax);
    for file in [model.to_onnx(), model.to_safetensors()] {
        for end in 0..file.len() {
            // What is cut between two fields of ONNX may lack nothing but metadata.
            assert!(Model::from_bytes(&file[..end]).is_err(), "{end} of {}", file.len());
        }
    }
}

proptest! {
    #[test]
    fn no_file_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Model::from_bytes(&bytes);
        let mut framed = (bytes.len() as u64).to_le_bytes().to_vec();
        framed.push(b'{');
        framed.extend(bytes);
        let _ = Model::from_bytes(&framed);
    }

    #[test]
    fn no_change_of_a_byte_makes_the_reader_panic(place in any::<prop::sample::Index>(), byte in any::<u8>(), onnx in any::<bool>()) {
        let model = double();
        let mut file = if onnx { model.to_onnx() } else { model.to_safetensors() };
        let place = place.index(file.len());
        file[place] = byte;
        let _ = Model::from_bytes(&file);
    }
}
