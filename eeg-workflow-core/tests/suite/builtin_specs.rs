//! What the built-in blocks declare: what designers know of the Python system's blocks, and words
//! for everything.
#![allow(clippy::unwrap_used)]

use crate::support::needs::reference_file;

use eeg_workflow_core::block::{BlockSpec, Field};
use eeg_workflow_core::builtin;
use serde_json::{Value, json};

fn specs() -> Vec<(String, BlockSpec)> {
    let registry = builtin::registry().unwrap();
    let modules = registry.modules().iter();
    let blocks = modules.flat_map(|module| {
        module.blocks().iter().map(|block| (module.name().to_owned(), block.spec().clone()))
    });
    blocks.collect()
}

/// A field as designers of the Python system read it, and what it is in words.
fn field(field: Field<'_>) -> (Value, String) {
    let (port, attrs) = match field {
        Field::Input(port) => (port, "input"),
        Field::Output(port) => (port, "output"),
        Field::Parameter(parameter) => {
            let field = json!({"name": parameter.name, "type": parameter.port_type.name(),
                               "attrs": "editable", "defaultValue": parameter.default,
                               "description": parameter.description});
            return (field, parameter.help.clone());
        }
    };
    let card = port.cardinality.to_string();
    let field =
        json!({"name": port.name, "type": port.port_type.name(), "card": card, "attrs": attrs});
    (field, port.help.clone())
}

#[test]
fn the_blocks_of_the_python_system_are_declared_as_designers_know_them() {
    let Some(text) = reference_file("api/initialize.json") else { return };
    let recorded: Vec<Value> = serde_json::from_str(&text).unwrap();
    let specs = specs();
    let mut order = Vec::new();
    for block in &recorded {
        let is_it = |(module, spec): &&(String, BlockSpec)| {
            block["module"] == module.as_str() && block["name"] == spec.name()
        };
        let (_, spec) = specs.iter().find(is_it).unwrap();
        let name = spec.name();
        order.push(specs.iter().position(|(_, other)| std::ptr::eq(other, spec)).unwrap());
        assert_eq!(block["family"], spec.family(), "{name}");
        assert_eq!(block["description"], spec.description(), "{name}");
        let known = block["fields"].as_array().unwrap();
        let declared: Vec<_> = spec.fields().map(field).collect();
        for (known, (declared, _)) in known.iter().zip(&declared) {
            assert_eq!(declared, known, "{name}");
        }
        // Parameters that were added come after those that workflows in use have.
        let added = declared.get(known.len()..).unwrap();
        assert!(added.iter().all(|(field, _)| field["attrs"] == "editable"), "{name}");
    }
    let of_module = |name: &str| -> Vec<usize> {
        let modules = recorded.iter().zip(&order);
        modules.filter(|(block, _)| block["module"] == name).map(|(_, place)| *place).collect()
    };
    for module in ["Arithmetic.zip:Arithmetic", "EEG_Basil.zip:EEG_Basil"] {
        assert!(of_module(module).is_sorted(), "{module}: another order");
    }
}

#[test]
fn every_block_port_and_parameter_is_described() {
    for (module, spec) in specs() {
        let name = spec.name();
        assert!(!spec.help().is_empty(), "{module} {name}");
        for (field, help) in spec.fields().map(field) {
            assert!(!help.is_empty(), "{module} {name}: {field}");
        }
    }
}

#[test]
fn parameters_with_a_unit_name_it() {
    let units = [
        ("Filter", "Low Cutoff Frequency", "Hz"),
        ("Filter", "High Cutoff Frequency", "Hz"),
        ("Notch", "Frequencies", "Hz"),
        ("Resample", "Sampling Rate", "Hz"),
        ("EpochExtraction", "PreStimulus onset", "seconds"),
        ("EpochExtraction", "PostStimulus onset", "seconds"),
        ("EpochExtraction", "Baseline Correction Start Time", "seconds"),
        ("EpochExtraction", "Baseline Correction End Time", "seconds"),
        ("ArtifactRejection", "Peak To Peak Limit", "µV"),
        ("ArtifactRejection", "Flat Limit", "µV"),
        ("PowerSpectrum", "Segment Length", "Samples"),
        ("PowerSpectrum", "Lowest Frequency", "Hz"),
        ("WindowedMeans", "Time Windows", "seconds"),
    ];
    let specs = specs();
    for (block, parameter, unit) in units {
        let (_, spec) = specs.iter().find(|(_, spec)| spec.name() == block).unwrap();
        let found = spec.parameters().iter().find(|other| other.name == parameter).unwrap();
        assert!(found.help.contains(unit), "{block} {parameter}: {}", found.help);
    }
}
