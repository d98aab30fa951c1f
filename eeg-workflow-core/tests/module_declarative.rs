//! Declarative modules: presets and sub-workflows as blocks, installed and run.
#![cfg(feature = "builtin")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::sync::Arc;

use eeg_workflow_core::block::{BlockSpec, Display, Execution, Field, PortType, Value};
use eeg_workflow_core::builtin;
use eeg_workflow_core::engine::{Engine, EngineOptions, Keep, Report, RunOptions, RunStatus};
use eeg_workflow_core::module::{
    ArchiveLimits, InstallError, ManifestError, ModuleLibrary, ModuleRegistry, Owner,
};
use eeg_workflow_core::workflow::{BlockId, BlockIndex, Code, Plan, Workflow};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

mod common;
mod zips;

const ARITHMETIC: &str = "Arithmetic.zip:Arithmetic";

/// A library in a folder that lives as long as this.
struct Lab {
    library: ModuleLibrary,
    _folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let mut registry = ModuleRegistry::new();
        registry.register(builtin::arithmetic::module().unwrap()).unwrap();
        registry.register(common::module()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let library =
            ModuleLibrary::open(folder.path(), registry, ArchiveLimits::default()).unwrap();
        Self { library, _folder: folder }
    }

    /// Installs modules (folder, manifest) as `Lab.zip`.
    fn install(&self, modules: &[(&str, Json)]) -> Result<(), InstallError> {
        self.install_as("Lab.zip", modules)
    }

    fn install_as(&self, archive: &str, modules: &[(&str, Json)]) -> Result<(), InstallError> {
        let entries: Vec<_> = modules
            .iter()
            .map(|(name, json)| {
                zips::file(&format!("{name}/module.json"), json.to_string().as_bytes())
            })
            .collect();
        let owner = Owner { id: 1, email: "user@lab.org".into() };
        self.library.install(&owner, false, archive, &zips::archive(&entries)).map(|_| ())
    }

    /// The error of one module `M` with these blocks.
    fn refused(&self, blocks: Json) -> ManifestError {
        match self.install(&[("M", json!({"format": 1, "blocks": blocks}))]) {
            Err(InstallError::Manifest(error)) => error,
            other => panic!("expected an error in the manifest, got {other:?}"),
        }
    }

    fn spec(&self, module: &str, block_type: &str) -> BlockSpec {
        let view = self.library.view(1);
        let module = &view.module(module).unwrap().module;
        module.get(block_type).unwrap().spec().clone()
    }

    fn plan(&self, blocks: Json, edges: Json) -> Plan {
        let document = json!({"blocks": blocks, "edges": edges}).to_string();
        let plan = Workflow::from_json(&document).unwrap().plan(&self.library.view(1));
        plan.unwrap_or_else(|invalid| panic!("{:?}", invalid.diagnostics))
    }

    fn run(&self, blocks: Json, edges: Json) -> (Plan, Report) {
        let plan = self.plan(blocks, edges);
        let engine = Engine::new(EngineOptions { threads: Some(2), ..Default::default() }).unwrap();
        let options = RunOptions { keep: Keep::All, ..RunOptions::default() };
        let report = engine.start(&plan, options).wait();
        (plan, report)
    }
}

fn constant(id: i64, value: &str) -> Json {
    json!({"id": id, "type": "Constant", "module": ARITHMETIC, "values": {"constant value": value}})
}

fn edge(from: i64, output: &str, to: i64, input: &str) -> Json {
    json!({"id": from * 100 + to, "block1": from, "connector1": [output, "output"],
        "block2": to, "connector2": [input, "input"]})
}

fn output(plan: &Plan, report: &Report, id: i64) -> Value {
    let block = plan.index_of(&BlockId::Integer(id)).unwrap();
    assert_eq!(report.status(), RunStatus::Completed, "{:?}", report.failures());
    report.output(block, 0).cloned().unwrap()
}

fn statistics() -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/modules/Statistics/module.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

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
    assert_eq!(output(&plan, &report, 6), Value::from("100"));
    let shown = report.display(BlockIndex(2)).unwrap();
    assert_eq!(**shown, Display::text("{'output': 45.0}"));
}

#[test]
fn the_documented_example_is_the_example() {
    let text = include_str!("../docs/MODULES.md");
    let example = text.split("```json\n").nth(1).unwrap().split("\n```").next().unwrap();
    assert_eq!(serde_json::from_str::<Json>(example).unwrap(), statistics());
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
    assert_eq!((spec.family_name(), spec.execution_class()), ("Comparisons", Execution::Wait));

    let preset = lab.spec("Statistics.zip:Statistics", "Hundred");
    assert_eq!(preset.fields().count(), 1);
    assert_eq!(preset.outputs()[0].name, "output");
    assert_eq!(preset.description_text(), "The number 100");
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

/// The workflow that adds one to its input with the block of this name.
fn increment(name: &str, module: &str, adds: &str) -> Json {
    json!({"name": name, "workflow": {
        "document": {
            "blocks": [
                {"id": 1, "type": adds, "module": module},
                {"id": 2, "type": "Addition", "module": ARITHMETIC},
                constant(3, "1"),
            ],
            "edges": [edge(1, "output", 2, "num1"), edge(3, "output", 2, "num2")],
        },
        "outputs": [{"name": "output", "from": {"block": 2, "port": "output"}}],
    }})
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
    let owner = |id| Owner { id, email: String::new() };
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
    assert!(library.view(1).module("User.zip:User").is_some());
}

#[test]
fn archives_may_not_stand_on_each_other_without_end() {
    let lab = Lab::new();
    let mut below = (ARITHMETIC.to_owned(), "Constant");
    for i in 1..=9 {
        let (archive, module) = (format!("A{i}.zip"), format!("M{i}"));
        let preset = json!({"name": "A", "preset": {"module": below.0, "type": below.1}});
        let installed =
            lab.install_as(&archive, &[(&module, json!({"format": 1, "blocks": [preset]}))]);
        match installed {
            Ok(()) if i <= 8 => below = (format!("{archive}:{module}"), "A"),
            Err(InstallError::TooDeep { limit: 8, .. }) if i == 9 => {}
            other => panic!("archive {i}: {other:?}"),
        }
    }
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
    assert_eq!(output(&plan, &report, 1), Value::from("7"));
    let empty =
        json!({"blocks": [{"id": 1, "type": "Number", "module": "Lab.zip:M"}], "edges": []});
    let invalid = Workflow::from_json(&empty.to_string()).unwrap();
    let invalid = invalid.plan(&lab.library.view(1)).unwrap_err();
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
    let owner = Owner { id: 1, email: String::new() };
    lab.library.remove(&owner, "Statistics.zip").unwrap();
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let report = engine.start(&plan, RunOptions::default()).wait();
    assert_eq!(output(&plan, &report, 2), Value::Float(1.0));
}

#[test]
fn a_circle_of_blocks_is_refused_with_its_path() {
    let lab = Lab::new();
    let preset =
        |name: &str, of: &str| json!({"name": name, "preset": {"module": "M", "type": of}});
    let error = lab.refused(json!([preset("A", "B"), preset("B", "C"), preset("C", "A")]));
    assert_eq!(
        error.to_string(),
        "M/module.json at /blocks/2/preset: blocks stand on each other: \"A\" → \"B\" → \"C\" → \"A\""
    );
    let error = lab.refused(json!([increment("A", "M", "A")]));
    assert_eq!(error.pointer, "/blocks/0/workflow/document/blocks/0");
    assert_eq!(error.problem, "blocks stand on each other: \"A\" → \"A\"");
}

#[test]
fn blocks_that_stand_on_each_other_too_deep_are_refused() {
    let lab = Lab::new();
    let preset = |i: usize| json!({"name": format!("B{i}"), "preset": {"module": "M", "type": format!("B{}", i + 1)}});
    let blocks: Vec<_> = (0..500).map(preset).collect();
    let error = lab.refused(json!(blocks));
    assert_eq!(error.problem, "blocks stand on each other more than 16 deep");
}

#[test]
fn mistakes_in_a_manifest_are_told_with_their_place() {
    let lab = Lab::new();
    let refused = |manifest: &str| {
        let entry = zips::file("M/module.json", manifest.as_bytes());
        let owner = Owner { id: 1, email: String::new() };
        let error = lab.library.install(&owner, false, "Lab.zip", &zips::archive(&[entry]));
        error.unwrap_err().to_string()
    };
    for (manifest, message) in [
        ("", "M/module.json: no JSON: EOF while parsing a value at line 1 column 0"),
        ("[]", "M/module.json: field \"format\" is missing"),
        (r#"{"format": 2}"#, "M/module.json at /format: format 2 is not known (this is version 1)"),
        (r#"{"format": 1}"#, "M/module.json: field \"blocks\" is missing"),
        (r#"{"format": 1, "blocks": {}}"#, "M/module.json at /blocks: must be a list"),
        (
            r#"{"format": 1, "blocks": [], "a/b": 1}"#,
            "M/module.json at /a~1b: unknown field (known ones: format, blocks)",
        ),
        (
            r#"{"format": 1, "blocks": [{"name": "A"}]}"#,
            "M/module.json at /blocks/0: must have one of \"preset\" and \"workflow\"",
        ),
    ] {
        assert_eq!(refused(manifest), message);
    }
    let preset = |preset: Json| json!([{"name": "A", "preset": preset}]);
    let workflow = |changes: &[(&str, Json)]| {
        let mut workflow = json!({
            "document": {
                "blocks": [constant(1, "1"), {"id": 2, "type": "Addition", "module": ARITHMETIC}],
                "edges": [edge(1, "output", 2, "num1")],
            },
            "inputs": [{"name": "x", "for": {"block": 2, "port": "num2"}}],
            "outputs": [{"name": "y", "from": {"block": 2, "port": "output"}}],
        });
        for (field, value) in changes {
            workflow[*field] = value.clone();
        }
        json!([{"name": "A", "workflow": workflow}])
    };
    let x = |changes: Json| {
        let mut input = json!({"name": "x", "for": {"block": 2, "port": "num2"}});
        for (field, value) in changes.as_object().unwrap() {
            input[field] = value.clone();
        }
        workflow(&[("inputs", json!([input]))])
    };
    for (blocks, pointer, problem) in [
        (
            json!([
                preset(json!({"module": ARITHMETIC, "type": "Constant"}))[0],
                preset(json!({"module": ARITHMETIC, "type": "Constant"}))[0]
            ]),
            "/blocks/1",
            "there are two blocks \"A\"",
        ),
        (json!([{"name": " ", "preset": {}}]), "/blocks/0/preset", "field \"module\" is missing"),
        (
            preset(json!({"module": ARITHMETIC, "type": "Konstant"})),
            "/blocks/0/preset/type",
            "module \"Arithmetic.zip:Arithmetic\" has no block \"Konstant\"",
        ),
        (
            preset(json!({"module": "No.zip:No", "type": "A"})),
            "/blocks/0/preset/module",
            "there is no module \"No.zip:No\"",
        ),
        (
            preset(json!({"module": ARITHMETIC, "type": "Constant", "values": {"value": 1}})),
            "/blocks/0/preset/values",
            "block \"Constant\" has no parameter \"value\"",
        ),
        (
            preset(
                json!({"module": ARITHMETIC, "type": "Constant", "values": {"constant value": "abc"}}),
            ),
            "/blocks/0/preset/values",
            "parameter \"constant value\": \"abc\" is no NUMBER",
        ),
        (
            workflow(&[("extra", json!(1))]),
            "/blocks/0/workflow/extra",
            "unknown field (known ones: document, inputs, outputs, parameters, shows)",
        ),
        (
            x(json!({"for": {"block": 9, "port": "num2"}})),
            "/blocks/0/workflow/inputs/0/for",
            "the workflow has no block 9",
        ),
        (
            x(json!({"for": [{"block": 2, "port": "num3"}]})),
            "/blocks/0/workflow/inputs/0/for/0",
            "block 2 (Addition) has no such field \"num3\"",
        ),
        (x(json!({"for": []})), "/blocks/0/workflow/inputs/0/for", "must not be empty"),
        (
            x(json!({"type": "EPOCHS"})),
            "/blocks/0/workflow/inputs/0/for",
            "EPOCHS does not fit the input's NUMBER",
        ),
        (
            x(json!({"card": "0-2"})),
            "/blocks/0/workflow/inputs/0/for",
            "the input takes 1-1 edges, not 0-2",
        ),
        (
            x(json!({"card": "two"})),
            "/blocks/0/workflow/inputs/0/card",
            "must be as \"1-1\": the least and the most edges (10000)",
        ),
        (
            x(json!({"name": ""})),
            "/blocks/0/workflow/inputs/0/name",
            "must be a name: 1 to 200 bytes on one line",
        ),
        (
            workflow(&[("outputs", json!([{"name": "y", "from": {"block": 2, "port": "sum"}}]))]),
            "/blocks/0/workflow/outputs/0/from",
            "block 2 (Addition) has no such field \"sum\"",
        ),
        (
            workflow(&[(
                "parameters",
                json!([{"name": "p", "for": {"block": 2, "parameter": "p"}}]),
            )]),
            "/blocks/0/workflow/parameters/0/for",
            "block 2 (Addition) has no such field \"p\"",
        ),
        (
            workflow(&[("shows", json!(7))]),
            "/blocks/0/workflow/shows",
            "the workflow has no block 7",
        ),
        (
            workflow(&[(
                "inputs",
                json!([
                    {"name": "x", "for": {"block": 2, "port": "num2"}},
                    {"name": "x", "for": {"block": 2, "port": "num2"}},
                ]),
            )]),
            "/blocks/0/workflow/inputs/1",
            "there are two inputs \"x\"",
        ),
        (
            workflow(&[(
                "inputs",
                json!([
                    {"name": "x", "for": {"block": 2, "port": "num2"}},
                    {"name": "z", "for": {"block": 2, "port": "num2"}},
                ]),
            )]),
            "/blocks/0/workflow/inputs/1/for",
            "this input is fed twice",
        ),
        (
            x(json!({"for": [{"block": 2, "port": "num2"}, {"block": 2, "port": "num2"}]})),
            "/blocks/0/workflow/inputs/0/for/1",
            "this input is fed twice",
        ),
        (
            x(json!({"for": vec![json!({"block": 2, "port": "num2"}); 1001]})),
            "/blocks/0/workflow/inputs/0/for",
            "has 1001 items (at most 1000)",
        ),
    ] {
        let error = lab.refused(blocks);
        assert_eq!((&*error.pointer, &*error.problem), (pointer, problem));
    }
}

#[test]
fn a_workflow_inside_that_is_wrong_brings_all_its_diagnostics() {
    let lab = Lab::new();
    let block = json!([{"name": "A", "workflow": {
        "document": {
            "blocks": [
                {"id": 1, "type": "Nope", "module": ARITHMETIC},
                {"id": 2, "type": "Addition", "module": ARITHMETIC},
                constant(3, "abc"),
            ],
            "edges": [edge(2, "output", 2, "num1")],
        },
    }}]);
    let error = lab.refused(block);
    assert_eq!(error.pointer, "/blocks/0/workflow/document");
    let codes: Vec<_> = error.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    for code in [Code::UnknownBlockType, Code::InvalidParameter, Code::TooFewEdges, Code::Cycle] {
        assert!(codes.contains(&code), "{code} is not in {codes:?}");
    }
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
            "blocks": [{"id": 1, "type": "Sleep", "module": "Test", "values": {"seconds": "0.4"}}],
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
    assert!(took < 1.6, "six naps of 0.4 s took {took} s");
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
    assert_eq!(output(&plan, &report, 1), Value::from("5"));
}

#[test]
fn the_documented_command_makes_an_archive_that_can_be_installed() {
    let folder = tempfile::tempdir().unwrap();
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/modules");
    let archive = folder.path().join("Statistics.zip");
    let mut command = std::process::Command::new("python3");
    command.current_dir(modules).args(["-m", "zipfile", "-c"]).arg(&archive).arg("Statistics/");
    let Ok(status) = command.status() else {
        eprintln!("skipped: there is no python3 here");
        return;
    };
    assert!(status.success());
    let lab = Lab::new();
    let owner = Owner { id: 1, email: String::new() };
    let bytes = std::fs::read(archive).unwrap();
    let installed = lab.library.install(&owner, false, "Statistics.zip", &bytes).unwrap();
    assert_eq!((installed.blocks, installed.modules.len()), (3, 1));
}

/// A JSON value like those in manifests, right or wrong.
fn any_json() -> impl Strategy<Value = Json> {
    let words = [
        "format",
        "blocks",
        "name",
        "preset",
        "workflow",
        "module",
        "type",
        "values",
        "document",
        "edges",
        "inputs",
        "outputs",
        "parameters",
        "shows",
        "for",
        "from",
        "block",
        "port",
        "parameter",
        "card",
        "default",
        "id",
        "M",
        "Constant",
        "Addition",
        "output",
        "num1",
        "1-1",
        "NUMBER",
        ARITHMETIC,
        "constant value",
    ];
    let word = prop::sample::select(words.to_vec());
    let leaf = prop_oneof![
        Just(Json::Null),
        Just(json!(true)),
        (0..4_i64).prop_map(Json::from),
        word.clone().prop_map(Json::from),
        Just(json!("")),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(word.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// All places in a value, as JSON pointers.
fn places(json: &Json, at: String, all: &mut Vec<String>) {
    match json {
        Json::Object(map) => {
            map.iter().for_each(|(key, value)| places(value, format!("{at}/{key}"), all));
        }
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| places(item, format!("{at}/{i}"), all));
        }
        _ => {}
    }
    all.push(at);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_manifest_is_read_without_a_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..4)
    ) {
        let mut manifest = statistics();
        for (index, value) in changes {
            let mut all = Vec::new();
            places(&manifest, String::new(), &mut all);
            let place = all[index.index(all.len())].clone();
            *manifest.pointer_mut(&place).unwrap() = value;
        }
        let lab = Lab::new();
        match lab.install(&[("M", manifest)]) {
            Ok(()) => prop_assert!(lab.library.view(1).module("Lab.zip:M").is_some()),
            Err(InstallError::Manifest(_)) => {
                prop_assert!(lab.library.view(1).module("Lab.zip:M").is_none());
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
