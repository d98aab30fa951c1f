//! Averages over epochs.

use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use crate::eeg::data::{ChannelKind, Epochs, Evoked};

/// Epochs that have no average.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AverageError {
    /// There is no epoch.
    #[error("there are no epochs: all of them were dropped")]
    NoEpochs,
    /// No channel is an EEG channel.
    #[error("no channel is an EEG channel")]
    NoEeg,
}

impl Epochs {
    /// The mean over all epochs, of the EEG channels (MNE's `epochs.average()`).
    ///
    /// # Errors
    /// There is no epoch, or no EEG channel.
    pub fn average(&self) -> Result<Evoked, AverageError> {
        let epochs = self.pick_kind(ChannelKind::Eeg);
        let (n_epochs, n_channels, n_samples) = epochs.shape();
        if n_epochs == 0 {
            return Err(AverageError::NoEpochs);
        }
        if n_channels == 0 {
            return Err(AverageError::NoEeg);
        }
        let mut mean = Array2::zeros((n_channels, n_samples));
        if let Some(flat) = mean.as_slice_mut() {
            let rows = flat.par_chunks_mut(n_samples).enumerate();
            rows.for_each_init(
                || vec![0.0; n_samples],
                |window, (channel, row)| {
                    for epoch in 0..n_epochs {
                        epochs.read(epoch, channel, window);
                        row.iter_mut().zip(&*window).for_each(|(sum, value)| *sum += value);
                    }
                    row.iter_mut().for_each(|sum| *sum /= n_epochs as f64);
                },
            );
        }
        Ok(Evoked {
            channels: epochs.channels().into(),
            sfreq: epochs.sfreq(),
            first: epochs.info().first,
            nave: n_epochs,
            comment: epochs.shares(),
            data: Arc::new(mean),
        })
    }

    /// The mean of the epochs of each event id, ids ascending; the comment is the event's name.
    ///
    /// # Errors
    /// As [`Self::average`].
    pub fn averages(&self) -> Result<Vec<Evoked>, AverageError> {
        if self.is_empty() {
            return Err(AverageError::NoEpochs);
        }
        let of_id = |id: i32| {
            let evoked = self.of_id(id).average()?;
            Ok(Evoked { comment: self.name_of(id), ..evoked })
        };
        self.distinct_ids().into_iter().map(of_id).collect()
    }

    /// Which share of the epochs each selected id has, in MNE's words: `0.25 × 1 + 0.75 × 2`, or
    /// just the id when there is one.
    fn shares(&self) -> String {
        let mut ids = self.distinct_ids();
        ids.extend(self.info().ids.iter().map(|(_, id)| *id));
        ids.sort_unstable();
        ids.dedup();
        if let [only] = ids.as_slice() {
            return only.to_string();
        }
        let share = |id: &i32| {
            let count = self.events().iter().filter(|event| event.id == *id).count();
            format!("{:.2} × {id}", count as f64 / self.len() as f64)
        };
        ids.iter().map(share).collect::<Vec<_>>().join(" + ")
    }
}
