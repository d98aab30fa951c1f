//! Manifests of declarative modules: what is wrong in them, and where.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::{lab, zips};

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::module::{InstallError, Owner};
use eeg_workflow_core::workflow::Code;
use lab::{ARITHMETIC, Lab, constant, edge, increment, statistics};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

#[test]
fn the_documented_example_is_the_example() {
    let text = include_str!("../../docs/MODULES.md");
    let example = text.split("```json\n").nth(1).unwrap().split("\n```").next().unwrap();
    assert_eq!(serde_json::from_str::<Json>(example).unwrap(), statistics());
}

#[test]
fn archives_may_not_depend_on_each_other_without_end() {
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
fn a_circle_of_blocks_is_refused_with_its_path() {
    let lab = Lab::new();
    let preset =
        |name: &str, of: &str| json!({"name": name, "preset": {"module": "M", "type": of}});
    let error = lab.refused(json!([preset("A", "B"), preset("B", "C"), preset("C", "A")]));
    assert_eq!(
        error.to_string(),
        "M/module.json at /blocks/2/preset: blocks depend on each other: \"A\" → \"B\" → \"C\" → \"A\""
    );
    let error = lab.refused(json!([increment("A", "M", "A")]));
    assert_eq!(error.pointer, "/blocks/0/workflow/document/blocks/0");
    assert_eq!(error.problem, "blocks depend on each other: \"A\" → \"A\"");
}

#[test]
fn blocks_that_depend_on_each_other_too_deep_are_refused() {
    let lab = Lab::new();
    let preset = |i: usize| json!({"name": format!("B{i}"), "preset": {"module": "M", "type": format!("B{}", i + 1)}});
    let blocks: Vec<_> = (0..500).map(preset).collect();
    let error = lab.refused(json!(blocks));
    assert_eq!(error.problem, "blocks depend on each other more than 16 deep");
}

#[test]
fn mistakes_in_a_manifest_are_told_with_their_place() {
    let lab = Lab::new();
    let refused = |manifest: &str| {
        let entry = zips::file("M/module.json", manifest.as_bytes());
        let owner = Owner { id: OwnerId(1), email: String::new() };
        let error = lab.library.install(&owner, false, "Lab.zip", &zips::archive(&[entry]));
        error.unwrap_err().to_string()
    };
    for (manifest, message) in [
        ("", "M/module.json: not valid JSON: EOF while parsing a value at line 1 column 0"),
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
            "parameter \"constant value\": \"abc\" is not a valid NUMBER",
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
            "block 2 (Addition) has no field \"num3\"",
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
            "must be like \"1-1\": the minimum and the maximum of edges (10000 at most)",
        ),
        (
            x(json!({"name": ""})),
            "/blocks/0/workflow/inputs/0/name",
            "must be a name: 1 to 200 bytes on one line",
        ),
        (
            workflow(&[("outputs", json!([{"name": "y", "from": {"block": 2, "port": "sum"}}]))]),
            "/blocks/0/workflow/outputs/0/from",
            "block 2 (Addition) has no field \"sum\"",
        ),
        (
            workflow(&[(
                "parameters",
                json!([{"name": "p", "for": {"block": 2, "parameter": "p"}}]),
            )]),
            "/blocks/0/workflow/parameters/0/for",
            "block 2 (Addition) has no field \"p\"",
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
            Ok(()) => prop_assert!(lab.library.view(OwnerId(1)).module("Lab.zip:M").is_some()),
            Err(InstallError::Manifest(_)) => {
                prop_assert!(lab.library.view(OwnerId(1)).module("Lab.zip:M").is_none());
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
