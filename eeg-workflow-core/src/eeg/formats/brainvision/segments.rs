//! Where a recording was paused.

use super::markers::{Markers, NEW_SEGMENT};
use crate::eeg::data::Annotation;

/// Takes the markers `New Segment` out, and gives the marks of MNE's `concatenate_raws` for those
/// within the recording. One a sample behind another is that one once more: some recorders mark
/// the start twice.
pub(super) fn into_seams(
    markers: &mut Markers,
    sfreq: f64,
    notes: &mut Vec<String>,
) -> Vec<Annotation> {
    markers.markers.retain(|marker| marker.kind != NEW_SEGMENT);
    let mut segments = std::mem::take(&mut markers.segments);
    segments.sort_unstable();
    let mut seams = Vec::new();
    let mut start = 0;
    for sample in segments {
        if sample - start > 1 {
            let seconds = sample as f64 / sfreq;
            notes.push(format!("the recording was paused at {seconds:.3} s (marker New Segment)"));
            let seam = |text: &str| Annotation::at_sample(sample, 0, sfreq, text.to_owned());
            seams.extend(["BAD boundary", "EDGE boundary"].map(seam));
        }
        start = start.max(sample);
    }
    seams
}
