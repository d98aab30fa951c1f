//! Rejection of epochs with artefacts.

use rayon::prelude::*;

use crate::eeg::data::{ChannelKind, Epochs};

/// What the EEG channels of a good epoch keep to. All amplitudes are in volts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ArtefactLimits {
    /// The greatest difference of two samples of a channel; more is an artefact.
    pub peak_to_peak: Option<f64>,
    /// The least difference of the greatest and the least sample; less is a dead channel.
    pub flat: Option<f64>,
}

impl Epochs {
    /// Without the epochs in which an EEG channel goes beyond the limits, as MNE's
    /// `epochs.drop_bad(reject=dict(eeg=…), flat=dict(eeg=…))`. The drop log names the channels,
    /// first those beyond the peak-to-peak limit, then the flat ones. Other than in MNE, an epoch
    /// with a sample that is NaN or infinite in an EEG channel is dropped in any case, for the reason
    /// `NaN`.
    #[must_use]
    pub fn without_artefacts(&self, limits: ArtefactLimits) -> Self {
        let channels = self.eeg_places();
        let name = |c: &usize| self.channels().get(*c).map(|c| c.name.clone());
        let reasons = |window: &mut Vec<f64>, epoch: usize| -> Vec<String> {
            let (mut wild, mut dead) = (Vec::new(), Vec::new());
            for c in &channels {
                self.read(epoch, *c, window);
                if window.iter().any(|v| !v.is_finite()) {
                    return vec!["NaN".to_owned()];
                }
                let ends = (f64::INFINITY, f64::NEG_INFINITY);
                let (low, high) = window.iter().fold(ends, |(l, h), v| (l.min(*v), h.max(*v)));
                let reach = high - low;
                if limits.peak_to_peak.is_some_and(|most| reach > most) {
                    wild.push(c);
                }
                if limits.flat.is_some_and(|least| reach < least) {
                    dead.push(c);
                }
            }
            wild.into_iter().chain(dead).filter_map(name).collect()
        };
        let all = (0..self.len()).into_par_iter();
        let reasons: Vec<Vec<String>> =
            all.map_init(|| vec![0.0; self.n_samples()], reasons).collect();
        self.dropping(&reasons)
    }

    /// How many epochs have a sample that is NaN or infinite in an EEG channel.
    pub fn non_finite_count(&self) -> usize {
        let channels = self.eeg_places();
        let is_spoilt = |window: &mut Vec<f64>, epoch: usize| {
            channels.iter().any(|channel| {
                self.read(epoch, *channel, window);
                window.iter().any(|v| !v.is_finite())
            })
        };
        let all = (0..self.len()).into_par_iter();
        all.map_init(|| vec![0.0; self.n_samples()], is_spoilt).filter(|spoilt| *spoilt).count()
    }

    fn eeg_places(&self) -> Vec<usize> {
        let is_eeg = |place: &usize| {
            self.channels().get(*place).is_some_and(|channel| channel.kind == ChannelKind::Eeg)
        };
        (0..self.channel_count()).filter(is_eeg).collect()
    }
}
