//! What somebody or something noted about stretches of a recording.

/// A described stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// Start, in seconds from the first sample.
    pub onset: f64,
    /// Length in seconds; 0 is a moment.
    pub duration: f64,
    /// What it says. From BrainVision files: `type/description`, such as `Stimulus/S  1`.
    pub description: String,
}

impl Annotation {
    /// The annotation of `size` samples from `sample` on (may be negative) at `sfreq` Hz.
    /// The onset is kept to the microsecond, as MNE does, whose annotations pass through
    /// `datetime`.
    pub(crate) fn at_sample(sample: i64, size: u64, sfreq: f64, description: String) -> Self {
        Self {
            onset: to_microsecond(sample as f64 / sfreq),
            duration: size as f64 / sfreq,
            description,
        }
    }
}

fn to_microsecond(seconds: f64) -> f64 {
    (seconds * 1e6).round_ties_even() / 1e6
}

/// Sorts by (onset, duration), drops what lies outside `n_samples` at `sfreq` Hz and clips what
/// reaches over an end. One that starts exactly at the end stays (with no length), as in MNE's
/// `Raw.set_annotations`.
pub(crate) fn fit_into_recording(annotations: &mut Vec<Annotation>, n_samples: usize, sfreq: f64) {
    let end = to_microsecond(n_samples as f64 / sfreq);
    annotations.sort_by(|a, b| {
        let by_onset = a.onset.total_cmp(&b.onset);
        by_onset.then(a.duration.total_cmp(&b.duration))
    });
    annotations.retain_mut(|a| {
        if a.onset > end || a.onset + a.duration < 0.0 {
            return false;
        }
        if a.onset < 0.0 {
            a.duration = (a.duration + a.onset).max(0.0);
            a.onset = 0.0;
        }
        if a.onset + a.duration > end {
            a.duration = end - a.onset;
        }
        true
    });
}
