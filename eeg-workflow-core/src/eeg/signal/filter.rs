//! Filtering of recordings.

use ndarray::Axis;
use rayon::prelude::*;

use super::FirFilter;
use super::convolve::{Convolver, Workspace};
use super::gaps::{spoil, zero_gaps};
use crate::eeg::data::annotation::between;
use crate::eeg::data::{ChannelKind, Recording};

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
        let pieces = pieces(&recording);
        let (mut info, mut volts) = recording.into_parts();
        let longest = pieces.iter().map(|(start, end)| end - start).max().unwrap_or(0);
        let convolver = Convolver::new(self.taps(), longest);
        let channels = volts.axis_iter_mut(Axis(0)).zip(&info.channels);
        let eeg = channels.filter(|(_, channel)| channel.kind == ChannelKind::Eeg);
        let mut rows: Vec<&mut [f64]> = eeg.filter_map(|(row, _)| row.into_slice()).collect();
        // Few channels do not keep all threads busy.
        let by_block = rows.len() < 4 * rayon::current_num_threads();
        rows.par_iter_mut().for_each_init(Workspace::default, |workspace, row| {
            for (start, end) in &pieces {
                if let Some(piece) = row.get_mut(*start..*end) {
                    let gaps = zero_gaps(piece);
                    convolver.apply(piece, workspace, by_block);
                    spoil(piece, &gaps, self.taps().len() / 2);
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
        let pieces = pieces(recording);
        let longest = pieces.iter().map(|(start, end)| end - start).max().unwrap_or(0);
        (self.taps().len() > longest).then_some(longest)
    }
}

/// The stretches, as samples from and to, between those that no filter may touch.
fn pieces(recording: &Recording) -> Vec<(usize, usize)> {
    let (n_samples, sfreq) = (recording.n_samples(), recording.sfreq());
    between(recording.annotations(), &["edge", "bad_acq_skip"], true, n_samples, sfreq)
}
