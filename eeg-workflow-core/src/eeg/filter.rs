//! Filtering of recordings.

use ndarray::Axis;
use rayon::prelude::*;

use super::convolve::Convolver;
use super::{Annotation, ChannelKind, FirFilter, Recording};

impl FirFilter {
    /// The recording filtered without a delay: `raw.filter(…)` of MNE with a FIR filter, zero
    /// phase, edges continued by their odd reflection.
    ///
    /// Only EEG channels change. Stretches annotated `EDGE…` or `BAD_ACQ_SKIP…` are left as they
    /// are, and what is between them is filtered apart. The samples are changed in place when
    /// nobody else holds them. The recording's cut-offs are narrowed. Runs on all threads of the
    /// current rayon pool.
    pub fn apply(&self, recording: Recording) -> Recording {
        if self.taps().len() == 1 {
            return recording;
        }
        let pieces = pieces(recording.annotations(), recording.n_samples(), recording.sfreq());
        let (mut info, mut volts) = recording.into_parts();
        let longest = pieces.iter().map(|(start, end)| end - start).max().unwrap_or(0);
        let convolver = Convolver::new(self.taps(), longest);
        let channels = volts.axis_iter_mut(Axis(0)).zip(&info.channels);
        let eeg = channels.filter(|(_, channel)| channel.kind == ChannelKind::Eeg);
        let mut rows: Vec<&mut [f64]> = eeg.filter_map(|(row, _)| row.into_slice()).collect();
        // Few channels do not keep all threads busy.
        let by_block = rows.len() < 4 * rayon::current_num_threads();
        rows.par_iter_mut().for_each_init(Vec::new, |extended, row| {
            for (start, end) in &pieces {
                if let Some(piece) = row.get_mut(*start..*end) {
                    convolver.apply(piece, extended, by_block);
                }
            }
        });
        if let Some(low) = self.highpass().filter(|low| *low > info.highpass) {
            info.highpass = low;
        }
        if let Some(high) = self.lowpass().filter(|high| *high < info.lowpass) {
            info.lowpass = high;
        }
        Recording::from_parts(info, volts)
    }

    /// The length in samples of the longest stretch of the recording that is filtered in one
    /// piece, when the filter is longer than that: the edges then reach everywhere and distortion
    /// is likely. What MNE warns of.
    pub fn too_long_for(&self, recording: &Recording) -> Option<usize> {
        let pieces = pieces(recording.annotations(), recording.n_samples(), recording.sfreq());
        let longest = pieces.iter().map(|(start, end)| end - start).max().unwrap_or(0);
        (self.taps().len() > longest).then_some(longest)
    }
}

/// The stretches, as samples from and to, between those that no filter may touch.
fn pieces(annotations: &[Annotation], n_samples: usize, sfreq: f64) -> Vec<(usize, usize)> {
    let marked = |a: &&Annotation| {
        ["edge", "bad_acq_skip"].iter().any(|prefix| {
            let start = a.description.as_bytes().get(..prefix.len());
            start.is_some_and(|s| s.eq_ignore_ascii_case(prefix.as_bytes()))
        })
    };
    let sample = |seconds: f64| ((seconds * sfreq).round_ties_even() as usize).min(n_samples);
    let mut pieces = Vec::new();
    let mut position = 0;
    // Ordered by onset. One without a duration is a seam.
    for annotation in annotations.iter().filter(marked) {
        let start = sample(annotation.onset);
        if start > position {
            pieces.push((position, start));
        }
        position = position.max(sample(annotation.onset + annotation.duration));
    }
    if n_samples > position {
        pieces.push((position, n_samples));
    }
    pieces
}
