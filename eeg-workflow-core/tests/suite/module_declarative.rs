//! Declarative modules: presets and sub-workflows as blocks, installed and run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::{lab, needs, zips};

use std::sync::Arc;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::block::{Display, Execution, Field, PortType, Value};
use eeg_workflow_core::builtin;
use eeg_workflow_core::engine::{Engine, EngineOptions, RunOptions, RunStatus};
use eeg_workflow_core::module::{ArchiveLimits, ModuleLibrary, Owner};
use eeg_workflow_core::workflow::{BlockIndex, Code, Workflow};
use lab::{ARITHMETIC, Lab, constant, edge, increment, output, statistics};
use serde_json::json;

#[test]
fn the_example_module_runs() {
    let lab = Lab::new();
    lab.install_as("Statistics.zip", &[("Statistics", statistics())]).unwrap();
    let module = "Statistics.zip:Statistics";
    let (plan, report) = lab.run(
        json!([
            constant(1, "40"),
            constant(2, "50"),
            {"id": 3, "type": "Mean of two", "module": module, "values": {}},
            {"id": 4, "type": "Change", "module": module, "values": {}},
            {"id": 5, "type": "Change", "module": module, "values": {"scale": "1000"}},
            {"id": 6, "type": "Hundred", "module": module},
        ]),
        json!([
            edge(1, "output", 3, "a"),
            edge(2, "output", 3, "b"),
            edge(1, "output", 4, "before"),
            edge(2, "output", 4, "after"),
            edge(1, "output", 5, "before"),
            edge(2, "output", 5, "after"),
        ]),
    );
    assert_eq!(output(&plan, &report, 3), Value::Float(45.0));
    assert_eq!(output(&plan, &report, 4), Value::Float(25.0));
    assert_eq!(output(&plan, &report, 5), Value::Float(250.0));
    assert_eq!(output(&plan, &report, 6), Value::Integer(100));
    let shown = report.display(BlockIndex(2)).unwrap();
    assert_eq!(**shown, Display::text("{'output': 45.0}"));
}

#[test]
fn a_composed_block_declares_its_own_fields() {
    let lab = Lab::new();
    lab.install_as("Statistics.zip", &[("Statistics", statistics())]).unwrap();
    let spec = lab.spec("Statistics.zip:Statistics", "Change");
    let fields: Vec<_> = spec
        .fields()
        .map(|field| match field {
            Field::Input(port) => {
                format!("in {} {} {}", port.name, port.port_type, port.cardinality)
            }
            Field::Output(port) => {
                format!("out {} {} {}", port.name, port.port_type, port.cardinality)
            }
            Field::Parameter(p) => {
                format!("{} {} {} {}", p.name, p.port_type, p.default, p.description)
            }
        })
        .collect();
    assert_eq!(
        fields,
        [
            "in before NUMBER 1-1",
            "in after NUMBER 1-1",
            "scale NUMBER \"100\" 100 for percent",
            "out change NUMBER 1-100",
        ]
    );
    assert_eq!((spec.family(), spec.execution()), ("Comparisons", Execution::Wait));

    let preset = lab.spec("Statistics.zip:Statistics", "Hundred");
    assert_eq!(preset.fields().count(), 1);
    assert_eq!(preset.outputs()[0].name, "output");
    assert_eq!(preset.description(), "The number 100");
}

#[test]
fn a_preset_leaves_the_other_parameters_editable() {
    let lab = Lab::new();
    let plot = json!({"name": "Sine", "preset": {
        "module": ARITHMETIC, "type": "Plot", "values": {"function equation": "np.sin(x)"}}});
    lab.install(&[("M", json!({"format": 1, "blocks": [plot]}))]).unwrap();
    let spec = lab.spec("Lab.zip:M", "Sine");
    let names: Vec<_> = spec.parameters().iter().map(|parameter| &*parameter.name).collect();
    assert_eq!(names, ["range"]);
    let sine = json!({"id": 1, "type": "Sine", "module": "Lab.zip:M", "values": {"range": "6.28"}});
    let (_, report) = lab.run(json!([sine]), json!([]));
    assert_eq!(report.status(), RunStatus::Completed);
    let shown = report.display(BlockIndex(0)).unwrap();
    let artifact = shown.artifact().unwrap();
    assert_eq!(&*artifact.name, "plot.png");
    assert!(artifact.bytes.starts_with(b"\x89PNG"));

    let none = json!({"id": 1, "type": "Sine", "module": "Lab.zip:M", "values": {"range": "0"}});
    let (_, report) = lab.run(json!([none]), json!([]));
    let failures = report.failures();
    assert_eq!(failures[0].1.to_string(), "parameter \"range\": must be a number other than 0");
}

#[test]
fn blocks_of_an_archive_may_use_each_other_in_any_order() {
    let lab = Lab::new();
    let first = json!({"format": 1, "blocks": [
        {"name": "Last", "preset": {"module": "Second", "type": "Middle"}},
        {"name": "Sum", "workflow": {
            "document": {
                "blocks": [
                    {"id": 1, "type": "Last", "module": "First"},
                    {"id": 2, "type": "Middle", "module": "Lab.zip:Second"},
                    {"id": 3, "type": "Addition", "module": ARITHMETIC},
                ],
                "edges": [edge(1, "output", 3, "num1"), edge(2, "output", 3, "num2")],
            },
            "outputs": [{"name": "sum", "from": {"block": 3, "port": "output"}}],
        }},
    ]});
    let second = json!({"format": 1, "blocks": [
        {"name": "Middle", "preset": {"module": "Second", "type": "Base"}},
        {"name": "Base", "preset": {
            "module": ARITHMETIC, "type": "Constant", "values": {"constant value": "21"}}},
    ]});
    lab.install(&[("First", first), ("Second", second)]).unwrap();
    let (plan, report) =
        lab.run(json!([{"id": 1, "type": "Sum", "module": "Lab.zip:First"}]), json!([]));
    assert_eq!(output(&plan, &report, 1), Value::Integer(42));
}

#[test]
fn sub_workflows_may_hold_sub_workflows() {
    let lab = Lab::new();
    let mut blocks = vec![increment("B1", ARITHMETIC, "Constant")];
    blocks.extend((2..=8).map(|i| increment(&format!("B{i}"), "M", &format!("B{}", i - 1))));
    lab.install(&[("M", json!({"format": 1, "blocks": blocks}))]).unwrap();
    let (plan, report) =
        lab.run(json!([{"id": 1, "type": "B8", "module": "Lab.zip:M"}]), json!([]));
    assert_eq!(output(&plan, &report, 1), Value::Integer(18));
}

#[test]
fn archives_may_use_other_archives_and_find_them_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let registry = builtin::registry().unwrap();
        ModuleLibrary::open(folder.path(), registry, ArchiveLimits::default()).unwrap()
    };
    let owner = |id| Owner { id: OwnerId(id), email: String::new() };
    let library = open();
    library.install(&owner(1), false, "Base.zip", &zips::module("Base")).unwrap();
    let user = json!({"format": 1, "blocks": [
        {"name": "Again", "preset": {"module": "Base.zip:Base", "type": "Hundred"}}]});
    let bytes = zips::archive(&[zips::file("User/module.json", user.to_string().as_bytes())]);
    // Not for somebody who does not see the base.
    let error = library.install(&owner(2), false, "User.zip", &bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "User/module.json at /blocks/0/preset/module: there is no module \"Base.zip:Base\""
    );
    library.install(&owner(1), false, "User.zip", &bytes).unwrap();
    drop(library);
    let library = open();
    assert!(library.problems().is_empty());
    assert!(library.view(OwnerId(1)).module("User.zip:User").is_some());
}

#[test]
fn an_input_takes_as_many_values_as_its_card_says() {
    let lab = Lab::new();
    let sum = json!({"name": "Total", "workflow": {
        "document": {"blocks": [{"id": 1, "type": "Sum", "module": "Test"}], "edges": []},
        "inputs": [{"name": "values", "card": "0-3", "for": {"block": 1, "port": "in"}}],
        "outputs": [{"name": "total", "from": {"block": 1, "port": "out"}}],
    }});
    lab.install(&[("M", json!({"format": 1, "blocks": [sum]}))]).unwrap();
    for count in 0..=3 {
        let mut blocks = vec![json!({"id": 0, "type": "Total", "module": "Lab.zip:M"})];
        blocks.extend((1..=count).map(|id| json!({"id": id, "type": "One", "module": "Test"})));
        let edges: Vec<_> = (1..=count).map(|id| edge(id, "out", 0, "values")).collect();
        let (plan, report) = lab.run(json!(blocks), json!(edges));
        assert_eq!(output(&plan, &report, 0), Value::Integer(count));
    }
}

#[test]
fn a_failure_inside_names_the_inner_block() {
    let lab = Lab::new();
    let inverse = json!({"name": "Inverse", "workflow": {
        "document": {
            "blocks": [constant(1, "1"), {"id": "divide", "type": "Division", "module": ARITHMETIC}],
            "edges": [{"id": 1, "block1": 1, "connector1": ["output", "output"],
                "block2": "divide", "connector2": ["num1", "input"]}],
        },
        "inputs": [{"name": "x", "for": {"block": "divide", "port": "num2"}}],
        "outputs": [{"name": "y", "from": {"block": "divide", "port": "output"}}],
    }});
    lab.install(&[("M", json!({"format": 1, "blocks": [inverse]}))]).unwrap();
    let (_, report) = lab.run(
        json!([constant(1, "0"), {"id": 2, "type": "Inverse", "module": "Lab.zip:M"}]),
        json!([edge(1, "output", 2, "x")]),
    );
    assert_eq!(report.status(), RunStatus::Failed);
    let failures = report.failures();
    assert_eq!(failures[0].1.to_string(), "inner block divide (Division): division by zero");
}

#[test]
fn a_parameter_can_be_left_for_the_user_to_fill_in() {
    let lab = Lab::new();
    let block = json!({"name": "Number", "workflow": {
        "document": {"blocks": [constant(1, "")], "edges": []},
        "parameters": [{"name": "n", "for": [{"block": 1, "parameter": "constant value"}]}],
        "outputs": [{"name": "n", "from": {"block": 1, "port": "output"}}],
    }});
    lab.install(&[("M", json!({"format": 1, "blocks": [block]}))]).unwrap();
    let number = json!([{"id": 1, "type": "Number", "module": "Lab.zip:M", "values": {"n": "7"}}]);
    let (plan, report) = lab.run(number, json!([]));
    assert_eq!(output(&plan, &report, 1), Value::Integer(7));
    let empty =
        json!({"blocks": [{"id": 1, "type": "Number", "module": "Lab.zip:M"}], "edges": []});
    let invalid = Workflow::from_json(&empty.to_string()).unwrap();
    let invalid = invalid.plan(&lab.library.view(OwnerId(1))).unwrap_err();
    assert_eq!(invalid.diagnostics[0].code, Code::InvalidParameter);
}

#[test]
fn a_plan_keeps_working_when_its_archive_is_removed() {
    let lab = Lab::new();
    lab.install_as("Statistics.zip", &[("Statistics", statistics())]).unwrap();
    let plan = lab.plan(
        json!([constant(1, "1"), {"id": 2, "type": "Mean of two", "module": "Statistics.zip:Statistics"}]),
        json!([edge(1, "output", 2, "a"), edge(1, "output", 2, "b")]),
    );
    let owner = Owner { id: OwnerId(1), email: String::new() };
    lab.library.remove(&owner, "Statistics.zip").unwrap();
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let report = engine.start(&plan, RunOptions::default()).wait();
    assert_eq!(output(&plan, &report, 2), Value::Float(1.0));
}

#[test]
fn types_of_a_modules_own_pass_through() {
    let lab = Lab::new();
    let block = json!({"name": "A", "workflow": {
        "document": {"blocks": [constant(1, "5")], "edges": []},
        "outputs": [{"name": "text", "type": "STRING", "card": "1-1", "from": {"block": 1, "port": "output"}}],
    }});
    lab.install(&[("M", json!({"format": 1, "blocks": [block]}))]).unwrap();
    assert_eq!(lab.spec("Lab.zip:M", "A").outputs()[0].port_type, PortType::STRING);
}

#[test]
fn composed_blocks_run_side_by_side() {
    let lab = Lab::new();
    let nap = json!({"name": "Nap", "workflow": {
        "document": {
            "blocks": [{"id": 1, "type": "Sleep", "module": "Test", "values": {"seconds": "1.5"}}],
            "edges": [],
        },
        "outputs": [{"name": "out", "from": {"block": 1, "port": "out"}}],
    }});
    lab.install(&[("M", json!({"format": 1, "blocks": [nap]}))]).unwrap();
    let naps: Vec<_> =
        (0..6).map(|id| json!({"id": id, "type": "Nap", "module": "Lab.zip:M"})).collect();
    let plan = Arc::new(lab.plan(json!(naps), json!([])));
    let engine = Engine::new(EngineOptions { threads: Some(2), ..Default::default() }).unwrap();
    let start = std::time::Instant::now();
    let report = engine.start(&plan, RunOptions::default()).wait();
    assert_eq!(report.status(), RunStatus::Completed);
    let took = start.elapsed().as_secs_f64();
    // Two at a time take three times as long as one.
    assert!(took < 4.4, "six naps of 1.5 s took {took} s");
}

#[test]
fn nested_blocks_do_not_wait_for_each_others_threads() {
    let lab = Lab::new();
    let blocks = json!([
        increment("B1", ARITHMETIC, "Constant"),
        increment("B2", "M", "B1"),
        increment("B3", "M", "B2"),
    ]);
    lab.install(&[("M", json!({"format": 1, "blocks": blocks}))]).unwrap();
    let blocks: Vec<_> =
        (0..20).map(|id| json!({"id": id, "type": "B3", "module": "Lab.zip:M"})).collect();
    let plan = lab.plan(json!(blocks), json!([]));
    let options = EngineOptions { threads: Some(1), max_waiting: 2, ..Default::default() };
    let engine = Engine::new(options).unwrap();
    let (done, ended) = std::sync::mpsc::channel();
    let run = engine.start(&plan, RunOptions::default());
    std::thread::spawn(move || done.send(run.wait().status()));
    let status = ended.recv_timeout(std::time::Duration::from_secs(20));
    assert_eq!(status, Ok(RunStatus::Completed), "the run is stuck");
}

#[test]
fn a_document_may_be_wrapped_once_more() {
    let lab = Lab::new();
    let block = |value: &str| {
        json!([{"name": "A", "workflow": {
            "document": {"workflow": {"blocks": [constant(1, value)], "edges": []}},
            "outputs": [{"name": "output", "from": {"block": 1, "port": "output"}}],
        }}])
    };
    let error = lab.refused(block("abc"));
    assert_eq!(error.pointer, "/blocks/0/workflow/document/workflow");
    assert_eq!(error.diagnostics[0].pointer, "/blocks/0/values/constant value");
    lab.install(&[("M", json!({"format": 1, "blocks": block("5")}))]).unwrap();
    let (plan, report) = lab.run(json!([{"id": 1, "type": "A", "module": "Lab.zip:M"}]), json!([]));
    assert_eq!(output(&plan, &report, 1), Value::Integer(5));
}

#[test]
fn the_documented_command_makes_an_archive_that_can_be_installed() {
    let folder = tempfile::tempdir().unwrap();
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/modules");
    let archive = folder.path().join("Statistics.zip");
    let Some(mut command) = needs::python() else { return };
    command.current_dir(modules).args(["-m", "zipfile", "-c"]).arg(&archive).arg("Statistics/");
    assert!(command.status().unwrap().success());
    let lab = Lab::new();
    let owner = Owner { id: OwnerId(1), email: String::new() };
    let bytes = std::fs::read(archive).unwrap();
    let installed = lab.library.install(&owner, false, "Statistics.zip", &bytes).unwrap();
    assert_eq!((installed.blocks, installed.modules.len()), (3, 1));
}
