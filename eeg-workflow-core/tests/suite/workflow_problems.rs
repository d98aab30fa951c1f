//! How much is told of a document in which very much is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use eeg_workflow_core::workflow::{BlockId, Code, Diagnostic, Severity, Workflow};

use crate::support::common::registry;

#[track_caller]
fn problems(document: &str) -> Vec<Diagnostic> {
    Workflow::from_json(document).unwrap().plan(&registry()).unwrap_err().diagnostics
}

#[test]
fn a_hundred_problems_are_told_and_the_rest_is_counted() {
    let edges = vec!["{}"; 20_000].join(",");
    let told = problems(&format!(r#"{{"blocks": [], "edges": [{edges}]}}"#));
    assert_eq!(told.len(), 101);
    let more = told.last().unwrap();
    assert_eq!((more.code, more.severity), (Code::More, Severity::Error));
    assert_eq!(more.message, "and 79900 more errors");

    let blocks: Vec<_> = (0..500)
        .map(|id| serde_json::json!({"id": id, "type": "Nothing", "module": "Test"}))
        .collect();
    let told = problems(&serde_json::json!({"blocks": blocks, "edges": []}).to_string());
    assert_eq!(told.len(), 101);
    assert_eq!(told.last().unwrap().message, "and 400 more errors");
}

#[test]
fn warnings_do_not_hide_errors() {
    let values: serde_json::Map<_, _> =
        (0..300).map(|i| (format!("p{i}"), serde_json::json!(1))).collect();
    let blocks = serde_json::json!([
        {"id": 1, "type": "One", "module": "Test", "values": values},
        {"id": 2, "type": "Nothing", "module": "Test"},
    ]);
    let told = problems(&serde_json::json!({"blocks": blocks, "edges": []}).to_string());
    assert_eq!(told.first().unwrap().code, Code::UnknownBlockType);
    assert_eq!(told.last().unwrap().message, "and 200 more warnings");
    assert_eq!(told.last().unwrap().severity, Severity::Warning);
}

#[test]
fn long_names_and_values_are_cut_with_their_length() {
    let long = "ü".repeat(1_000_000);
    for document in [
        serde_json::json!({"blocks": [{"id": long, "type": long, "module": long}]}),
        serde_json::json!({"blocks": [{"id": 1, "type": "One", "module": "Test",
                                       "values": {(long.clone()): long}},
                                      {"id": 1, "type": "Nothing", "module": "Test"}]}),
        serde_json::json!({"blocks": [{"id": 1, "type": "One", "module": "Test"}],
                           "edges": [{"block1": 1, "connector1": [long, "output"],
                                      "block2": long, "connector2": ["in", "input"]}]}),
        serde_json::json!({"blocks": [], "edges": [{"block1": 1, "connector1": long}]}),
        serde_json::json!({"blocks": [{"id": 1.5, "type": [long], "module": {"a": long}}]}),
    ] {
        for problem in problems(&document.to_string()) {
            let size = serde_json::to_string(&problem).unwrap().len();
            assert!(size < 4_000, "{size} bytes of {:?}", problem.code);
            if let Some(BlockId::Text(id)) = &problem.block {
                assert!(id.ends_with("(2000000 bytes)"), "{}", id.len());
            }
        }
    }
}

#[test]
fn millions_of_values_that_are_wrong_or_of_one_block_are_refused_before_they_are_read() {
    let many = |item: &str, around: &str| around.replace('?', &vec![item; 2_100_000].join(","));
    for document in [many("{}", r#"{"blocks": [?]}"#), many("1", r#"{"blocks": [], "edges": [?]}"#)]
    {
        let error = Workflow::from_json(&document).unwrap_err();
        assert!(error.to_string().contains("more than 2000000 values"), "{error}");
    }
    let values = r#"{"blocks": [{"id": 1, "type": "Sleep", "module": "Test",
                                 "values": {"seconds": [?]}}]}"#;
    let workflow = Workflow::from_json(&many("1", values)).unwrap();
    let error = workflow.plan(&registry()).unwrap_err();
    assert!(error.to_string().contains("block 1 (Sleep): more than 2000000 values"), "{error}");
    // Signs in a string are not values.
    let text = ",[{\\\"".repeat(1_000_000);
    let document = format!(r#"{{"blocks": [], "note": "{text}"}}"#);
    assert_eq!(Workflow::from_json(&document).unwrap().block_count(), 0);
}
