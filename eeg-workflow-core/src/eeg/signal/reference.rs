//! Re-referencing of EEG channels.

use ndarray::{Array1, Axis};
use rayon::prelude::*;

use crate::eeg::data::recording::places_of;
use crate::eeg::data::{ChannelKind, Recording, RecordingError};

impl Recording {
    /// The recording with the mean of some channels subtracted from each EEG channel: of all EEG
    /// channels when none is named, as `mne.set_eeg_reference(raw, "average")`, else of the named
    /// ones, whatever their kind, as `mne.set_eeg_reference(raw, names)`. In place when nobody
    /// else holds the samples. Other than in MNE, a channel that is NaN or infinite at a sample
    /// has no part in the mean there.
    ///
    /// # Errors
    /// As [`Self::pick_channels`].
    pub fn rereferenced<S: AsRef<str>>(self, names: &[S]) -> Result<Self, RecordingError> {
        let eeg =
            |place: &usize| self.channels().get(*place).is_some_and(|c| c.kind == ChannelKind::Eeg);
        let mut places = places_of(self.channels(), names)?;
        if names.is_empty() {
            places.retain(eeg);
        }
        let (info, mut volts) = self.into_parts();
        if places.is_empty() {
            return Ok(Self::from_parts(info, volts));
        }
        let mut mean = Array1::<f64>::zeros(volts.ncols());
        for place in &places {
            mean += &volts.row(*place);
        }
        mean /= places.len() as f64;
        for (sample, mean) in mean.iter_mut().enumerate().filter(|(_, mean)| !mean.is_finite()) {
            let values = places.iter().filter_map(|place| volts.get((*place, sample)));
            let (sum, count) = values
                .filter(|value| value.is_finite())
                .fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
            *mean = sum / count;
        }
        let rows = volts.axis_iter_mut(Axis(0)).zip(&info.channels);
        let rows: Vec<_> = rows.filter(|(_, c)| c.kind == ChannelKind::Eeg).collect();
        rows.into_par_iter().for_each(|(mut row, _)| row -= &mean);
        Ok(Self::from_parts(info, volts))
    }
}
