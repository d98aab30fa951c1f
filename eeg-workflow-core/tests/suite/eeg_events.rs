//! From annotations to events: numbers for names, in both ways of numbering.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::eeg_support;

use eeg_support::{json, reference};
use eeg_workflow_core::eeg::{Annotation, EventError, EventNumbering, events_from_annotations};

fn annotations(descriptions: &[&str]) -> Vec<Annotation> {
    let annotation = |(i, text): (usize, &&str)| Annotation {
        onset: i as f64,
        duration: 0.0,
        description: (*text).to_owned(),
    };
    descriptions.iter().enumerate().map(annotation).collect()
}

fn ids(descriptions: &[&str], numbering: EventNumbering) -> Vec<(String, i32)> {
    events_from_annotations(&annotations(descriptions), 100.0, numbering).unwrap().ids
}

#[test]
fn brainvision_markers_keep_the_number_they_carry() {
    let cases = [
        ("Stimulus/S  1", 1),
        ("Stimulus/S 12", 12),
        ("Stimulus/S255", 255),
        ("Stimulus/S  0", 0),
        ("Stimulus/S 1 ", 1),
        ("Response/R128", 1128),
        ("Optic/O  1", 2001),
        ("Event/254", 254),
        ("Event/  7", 7),
        ("New Segment/", 99_999),
        ("SyncStatus/Sync On", 99_998),
    ];
    for (description, id) in cases {
        let found = ids(&[description], EventNumbering::BrainVision);
        assert_eq!(found, [(description.to_owned(), id)]);
    }
}

#[test]
fn descriptions_without_a_number_count_from_10001_in_code_point_order() {
    let odd = [
        "Stimulus/s  1",
        "Event/7",
        "Stimulus/15",
        "Comment/x",
        "Stimulus/S1",
        "Response/S  1",
        "Stimulus/S \u{b2}",
        "Stimulus/S1000",
        "",
        "é",
    ];
    let found = ids(&odd, EventNumbering::BrainVision);
    let mut sorted = odd.map(str::to_owned);
    sorted.sort_by(|a, b| a.chars().cmp(b.chars()));
    let expected: Vec<(String, i32)> = sorted.into_iter().zip(10_001..).collect();
    assert_eq!(found, expected);
}

#[test]
fn other_formats_count_from_one() {
    let found = ids(&["T2", "Stimulus/S 12", "T1", "T2"], EventNumbering::Ordinal);
    let expected = [("Stimulus/S 12".to_owned(), 1), ("T1".to_owned(), 2), ("T2".to_owned(), 3)];
    assert_eq!(found, expected);
}

#[test]
fn marks_of_bad_data_are_no_events() {
    let all = annotations(&["Bad Interval/Bad", "EDGE boundary", "Comment/BAD x", "bAD", "ba"]);
    let events = events_from_annotations(&all, 100.0, EventNumbering::Ordinal).unwrap();
    let names: Vec<&str> = events.ids.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Comment/BAD x", "ba"]);
    assert_eq!(events.rows.iter().map(|e| e.sample).collect::<Vec<_>>(), [200, 400]);
    let none = events_from_annotations(&all[..2], 100.0, EventNumbering::Ordinal);
    assert_eq!(none, Err(EventError::OnlyExcluded { annotations: 2 }));
    let empty = events_from_annotations(&[], 100.0, EventNumbering::Ordinal).unwrap();
    assert!(empty.rows.is_empty() && empty.ids.is_empty());
}

#[test]
fn half_samples_round_to_the_even_one() {
    let at = |onset| Annotation { onset, duration: 0.0, description: "x".into() };
    let all = [at(0.25), at(0.75), at(1.25), at(-0.75)];
    let events = events_from_annotations(&all, 2.0, EventNumbering::Ordinal).unwrap();
    let samples: Vec<i64> = events.rows.iter().map(|e| e.sample).collect();
    assert_eq!(samples, [0, 2, 2, -2]);
}

#[test]
fn ids_equal_those_of_mnes_parser() {
    let Some(folder) = reference() else { return };
    let misc = json(&folder.join("expected/misc.json"));
    // That list was numbered in its own order; here unknown ones are only told from known ones.
    for case in misc["bv_event_parser_in_this_order"].as_array().unwrap() {
        let (description, id) = (case[0].as_str().unwrap(), case[1].as_i64().unwrap());
        let found = i64::from(ids(&[description], EventNumbering::BrainVision)[0].1);
        let known = !(10_001..20_000).contains(&id);
        assert_eq!(found, if known { id } else { 10_001 }, "{description}");
    }
}
