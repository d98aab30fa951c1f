//! Models as ONNX files.

use std::collections::BTreeMap;

use prost::Message;

use super::parts::{self, Stored, Tensor, bias_name, bytes_of, weights_name};
use super::proto::{
    self, AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};
use crate::eeg::learn::network::{Activation, Network};
use crate::eeg::learn::{Model, ModelFileError, Weights};

/// The set of operators that the graph is written in, of ONNX 1.8 (2020).
const OPSET: i64 = 13;
const IR_VERSION: i64 = 7;
/// The maximum number of bytes of a file that are anything but numbers.
const MAX_MESSAGES: usize = 1 << 20;
const FEATURES: &str = "features";
const PROBABILITIES: &str = "probabilities";
const CLASS: &str = "class";
const INT64: i32 = 7;

pub(super) fn write(model: &Model) -> Vec<u8> {
    let graph = match &model.weights {
        Weights::Single(network) => graph(network),
        Weights::Double(network) => graph(network),
    };
    let entry = |(key, value): (&str, String)| StringStringEntryProto { key: key.into(), value };
    let proto = ModelProto {
        ir_version: IR_VERSION,
        producer_name: env!("CARGO_PKG_NAME").into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: parts::metadata(model).into_iter().map(entry).collect(),
    };
    proto.encode_to_vec()
}

pub(super) fn read(bytes: &[u8]) -> Result<Model, ModelFileError> {
    // Messages take many times their bytes in memory, unlike the numbers in tensors.
    if bytes.len() - proto::tensor_bytes(bytes).min(bytes.len()) > MAX_MESSAGES {
        return Err(ModelFileError::Format);
    }
    let proto = ModelProto::decode(bytes)?;
    let graph = proto.graph.ok_or(ModelFileError::Format)?;
    let metadata = proto.metadata_props.iter();
    let metadata: BTreeMap<&str, &str> =
        metadata.map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
    let tensors: BTreeMap<&str, Tensor<'_>> = graph
        .initializer
        .iter()
        .filter_map(|initializer| Some((initializer.name.as_str(), tensor(initializer)?)))
        .collect();
    let model = parts::assemble(&metadata, &tensors)?;
    // The layers are what the metadata and the tensors say; a graph that does something else
    // with them is somebody else's.
    let (nodes, constants) = match &model.weights {
        Weights::Single(network) => nodes(network),
        Weights::Double(network) => nodes(network),
    };
    let same_constants = constants.iter().all(|constant| graph.initializer.contains(constant));
    let is_default = |set: &OperatorSetIdProto| set.domain.is_empty() && set.version == OPSET;
    if graph.node != nodes || !same_constants || !proto.opset_import.iter().all(is_default) {
        return Err(ModelFileError::Graph);
    }
    Ok(model)
}

/// An initializer; None when it is of another type than floats.
fn tensor(tensor: &TensorProto) -> Option<Tensor<'_>> {
    let shape = tensor.dims.iter().map(|n| usize::try_from(*n).ok()).collect::<Option<_>>()?;
    let double = match tensor.data_type {
        <f64 as Stored>::ONNX => true,
        <f32 as Stored>::ONNX => false,
        _ => return None,
    };
    Some(Tensor { double, shape, bytes: &tensor.raw_data })
}

fn graph<F: Stored>(network: &Network<F>) -> GraphProto {
    let (node, constants) = nodes(network);
    let tensors = parts::tensors(network).into_iter();
    let initializer = tensors.map(|(name, shape, raw_data)| TensorProto {
        dims: shape.into_iter().map(|n| i64::try_from(n).unwrap_or(i64::MAX)).collect(),
        data_type: F::ONNX,
        name,
        raw_data,
    });
    GraphProto {
        node,
        name: "classifier".into(),
        initializer: initializer.chain(constants).collect(),
        input: vec![matrix(FEATURES, F::ONNX, &[network.inputs()])],
        output: vec![
            matrix(PROBABILITIES, F::ONNX, &[network.outputs()]),
            matrix(CLASS, INT64, &[]),
        ],
    }
}

/// A value of any number of samples and these further sizes.
fn matrix(name: &str, elem_type: i32, sizes: &[usize]) -> ValueInfoProto {
    let samples = DimensionProto { dim_value: None, dim_param: Some("samples".into()) };
    let size = |n: &usize| DimensionProto { dim_value: i64::try_from(*n).ok(), dim_param: None };
    let dim = [samples].into_iter().chain(sizes.iter().map(size)).collect();
    let tensor_type = TensorTypeProto { elem_type, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

/// The steps of the graph, and the constants that they need beside the parameters.
fn nodes<F: Stored>(network: &Network<F>) -> (Vec<NodeProto>, Vec<TensorProto>) {
    let mut graph = Steps::default();
    let mut value = FEATURES.to_owned();
    let last = network.layers().len();
    for (number, layer) in (1..).zip(network.layers()) {
        let sums = format!("dense_{number}/sums");
        graph.step("Gemm", &[&value, &weights_name(number), &bias_name(number)], &sums, vec![]);
        let out =
            if number == last { PROBABILITIES.to_owned() } else { format!("dense_{number}/out") };
        graph.activation::<F>(layer.activation, &sums, &out);
        value = out;
    }
    let axis = |i| AttributeProto { name: "axis".into(), i: Some(i), f: None, kind: 2 };
    let flat = AttributeProto { name: "keepdims".into(), i: Some(0), f: None, kind: 2 };
    graph.step("ArgMax", &[PROBABILITIES], CLASS, vec![axis(1), flat]);
    (graph.nodes, graph.constants)
}

#[derive(Default)]
struct Steps {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Steps {
    fn step(&mut self, op: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![output.to_owned()],
            name: format!("{output}/{op}"),
            op_type: op.to_owned(),
            attribute,
        });
    }

    /// A scalar, made when it is needed first.
    fn constant<F: Stored>(&mut self, name: &str, value: f64) -> String {
        if self.constants.iter().all(|constant| constant.name != name) {
            self.constants.push(TensorProto {
                dims: vec![],
                data_type: F::ONNX,
                name: name.to_owned(),
                raw_data: bytes_of([F::of(value)].iter()),
            });
        }
        name.to_owned()
    }

    fn activation<F: Stored>(&mut self, activation: Activation, sums: &str, out: &str) {
        let float = |name: &str, f: f64| AttributeProto {
            name: name.into(),
            f: Some(f as f32),
            i: None,
            kind: 1,
        };
        let (op, attributes) = match activation {
            Activation::Sigmoid => ("Sigmoid", vec![]),
            Activation::Relu => ("Relu", vec![]),
            Activation::Softmax => {
                let axis = AttributeProto { name: "axis".into(), i: Some(1), f: None, kind: 2 };
                ("Softmax", vec![axis])
            }
            Activation::Elu => ("Elu", vec![float("alpha", 1.0)]),
            Activation::LeakyRelu => ("LeakyRelu", vec![float("alpha", Activation::LEAKY_SLOPE)]),
            Activation::Selu => {
                let alpha = float("alpha", Activation::SELU_ALPHA);
                ("Selu", vec![alpha, float("gamma", Activation::SELU_SCALE)])
            }
            Activation::Tanh => ("Tanh", vec![]),
            Activation::Linear => ("Identity", vec![]),
            Activation::Gelu => return self.gelu::<F>(sums, out),
        };
        self.step(op, &[sums], out, attributes);
    }

    /// x · (1 + erf(x / √2)) / 2: an operator of its own only from opset 20 on.
    fn gelu<F: Stored>(&mut self, sums: &str, out: &str) {
        let root = self.constant::<F>("root_2", std::f64::consts::SQRT_2);
        let one = self.constant::<F>("one", 1.0);
        let half = self.constant::<F>("half", 0.5);
        let part = |name: &str| format!("{out}/{name}");
        self.step("Div", &[sums, &root], &part("scaled"), vec![]);
        self.step("Erf", &[&part("scaled")], &part("erf"), vec![]);
        self.step("Add", &[&part("erf"), &one], &part("twice"), vec![]);
        self.step("Mul", &[&part("twice"), &half], &part("share"), vec![]);
        self.step("Mul", &[sums, &part("share")], out, vec![]);
    }
}
