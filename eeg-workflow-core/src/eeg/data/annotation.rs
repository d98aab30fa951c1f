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

/// Rounded to the microsecond.
pub(crate) fn to_microsecond(seconds: f64) -> f64 {
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

/// The stretches, as samples from and to, between annotations whose description starts with one
/// of `prefixes` (lowercase; in any case). With `seams` an annotation without a duration
/// separates what is before it from what is behind.
pub(crate) fn between(
    annotations: &[Annotation],
    prefixes: &[&str],
    seams: bool,
    n_samples: usize,
    sfreq: f64,
) -> Vec<(usize, usize)> {
    let marked = |a: &&Annotation| {
        prefixes.iter().any(|prefix| {
            let start = a.description.as_bytes().get(..prefix.len());
            start.is_some_and(|s| s.eq_ignore_ascii_case(prefix.as_bytes()))
        })
    };
    let sample = |seconds: f64| ((seconds * sfreq).round_ties_even() as usize).min(n_samples);
    let mut stretches = Vec::new();
    let mut position = 0;
    // Ordered by onset.
    for annotation in annotations.iter().filter(marked) {
        let (start, end) =
            (sample(annotation.onset), sample(annotation.onset + annotation.duration));
        if start == end && !seams {
            continue;
        }
        if start > position {
            stretches.push((position, start));
        }
        position = position.max(end);
    }
    if n_samples > position {
        stretches.push((position, n_samples));
    }
    stretches
}
