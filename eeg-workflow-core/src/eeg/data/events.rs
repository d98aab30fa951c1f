//! Events: the samples at which something happened, with a number for what it was.

use std::collections::BTreeSet;

use super::Annotation;

/// Something that happened at a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Event {
    /// The sample, counted from the start of the recording.
    pub sample: i64,
    /// What happened: one of the ids of [`Events::ids`].
    pub id: i32,
}

/// The events of a recording and what their ids stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    /// In the order of the annotations, that is by time.
    pub rows: Vec<Event>,
    /// Each description that occurs with its id, in code-point order of the descriptions.
    /// Two descriptions may share an id (`Stimulus/S  1` and `Event/  1`).
    pub ids: Vec<(String, i32)>,
}

/// How descriptions get their numbers, which depends on the format that a recording came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum EventNumbering {
    /// 1, 2, 3 … in code-point order of the descriptions.
    #[default]
    Ordinal,
    /// The number that a BrainVision marker carries (`Stimulus/S 12` → 12, `Response/R  1` →
    /// 1001, `Optic/O  1` → 2001, `Event/254` → 254, `New Segment/` → 99999,
    /// `SyncStatus/Sync On` → 99998), that of a trigger line, which is the whole description, and
    /// 10001, 10002 … in code-point order for the rest.
    BrainVision,
    /// The description is the number: that of a trigger line. 1, 2, 3 … in code-point order for
    /// any others, numbers of triggers left out.
    Trigger,
}

/// Why there are no events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// All annotations mark bad data or the edges between joined recordings.
    #[error("no events: all {annotations} annotations are marks of bad data (\"bad…\", \"edge…\")")]
    OnlyExcluded {
        /// How many annotations there are.
        annotations: usize,
    },
}

/// The events that annotations stand for, as MNE's `events_from_annotations` finds them with its
/// default arguments: annotations whose description starts with "bad" or "edge" (in any case)
/// are left out; the sample is `onset * sfreq`, rounded half to even.
///
/// ```
/// use eeg_workflow_core::eeg::{Annotation, EventNumbering, events_from_annotations};
///
/// let marker = |onset, text: &str| Annotation { onset, duration: 0.0, description: text.into() };
/// let annotations = [marker(0.4, "Stimulus/S 12"), marker(0.5, "Comment/eyes closed")];
/// let events = events_from_annotations(&annotations, 250.0, EventNumbering::BrainVision)?;
/// assert_eq!(events.rows[0].sample, 100);
/// assert_eq!(events.ids[0], ("Comment/eyes closed".to_owned(), 10001));
/// assert_eq!(events.ids[1], ("Stimulus/S 12".to_owned(), 12));
/// # Ok::<(), eeg_workflow_core::eeg::EventError>(())
/// ```
///
/// # Errors
/// [`EventError::OnlyExcluded`] when there are annotations but none that counts.
pub fn events_from_annotations(
    annotations: &[Annotation],
    sfreq: f64,
    numbering: EventNumbering,
) -> Result<Events, EventError> {
    let counted = || annotations.iter().filter(|a| !is_mark(&a.description));
    if counted().next().is_none() && !annotations.is_empty() {
        return Err(EventError::OnlyExcluded { annotations: annotations.len() });
    }
    // str is ordered by bytes, which for UTF-8 is the order of code points.
    let distinct: BTreeSet<&str> = counted().map(|a| a.description.as_str()).collect();
    let mut next = match numbering {
        EventNumbering::Ordinal | EventNumbering::Trigger => 1,
        EventNumbering::BrainVision => 10_001,
    };
    let own = |description: &str| match numbering {
        EventNumbering::Ordinal => None,
        EventNumbering::Trigger => description.parse().ok(),
        EventNumbering::BrainVision => brainvision_id(description),
    };
    let taken: BTreeSet<i32> = distinct.iter().filter_map(|description| own(description)).collect();
    let mut ids = Vec::with_capacity(distinct.len());
    for description in distinct {
        let id = own(description).unwrap_or_else(|| {
            while taken.contains(&next) {
                next += 1;
            }
            next += 1;
            next - 1
        });
        ids.push((description.to_owned(), id));
    }
    let rows = counted()
        .filter_map(|a| {
            let found = ids.binary_search_by(|(d, _)| d.as_str().cmp(&a.description));
            let (_, id) = ids.get(found.ok()?)?;
            Some(Event { sample: (a.onset * sfreq).round_ties_even() as i64, id: *id })
        })
        .collect();
    Ok(Events { rows, ids })
}

/// Whether an annotation marks bad data or a seam and so is not an event.
pub(in crate::eeg) fn is_mark(description: &str) -> bool {
    ["bad", "edge"].iter().any(|prefix| {
        let start = description.as_bytes().get(..prefix.len());
        start.is_some_and(|s| s.eq_ignore_ascii_case(prefix.as_bytes()))
    })
}

/// The id that a BrainVision description carries, if any.
fn brainvision_id(description: &str) -> Option<i32> {
    match description {
        "New Segment/" => return Some(99_999),
        "SyncStatus/Sync On" => return Some(99_998),
        _ => {}
    }
    // Markers have a slash.
    if !description.is_empty() && description.bytes().all(|b| b.is_ascii_digit()) {
        return description.parse().ok();
    }
    let tail = description.char_indices().rev().nth(2).map_or(0, |(at, _)| at);
    let (kind, digits) = description.split_at_checked(tail)?;
    let digits = digits.trim();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let first = match kind {
        "Stimulus/S" | "Event/" => 0,
        "Response/R" => 1000,
        "Optic/O" => 2000,
        _ => return None,
    };
    digits.parse::<i32>().ok().map(|number| first + number)
}
