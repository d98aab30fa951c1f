//! The mean of epochs, with what is known of it.

use std::fmt;
use std::sync::Arc;

use ndarray::{Array2, Axis};

use super::Channel;
use super::epochs::times;

/// The mean of some epochs (MNE's `Evoked`). Cloning is cheap.
#[derive(Clone)]
pub struct Evoked {
    /// The channels, in order.
    pub channels: Arc<[Channel]>,
    /// Samples a second, in Hz.
    pub sfreq: f64,
    /// The first sample, counted from the event.
    pub first: i64,
    /// How many epochs went into the mean.
    pub nave: usize,
    /// What was averaged, in words.
    pub comment: String,
    /// The mean in volts, channels x samples.
    pub data: Arc<Array2<f64>>,
}

impl Evoked {
    /// The time of the first sample, in seconds from the event.
    pub fn tmin(&self) -> f64 {
        self.first as f64 / self.sfreq
    }

    /// The times of the samples in seconds from the event: `k / sfreq`.
    pub fn times(&self) -> Vec<f64> {
        times(self.first, self.data.ncols(), self.sfreq)
    }

    /// (channels, samples)
    pub fn shape(&self) -> (usize, usize) {
        self.data.dim()
    }

    /// The names of the channels, in order.
    pub fn channel_names(&self) -> impl Iterator<Item = &str> {
        self.channels.iter().map(|c| c.name.as_str())
    }

    /// The samples of one channel in volts; None when there is no such channel.
    pub fn channel(&self, name: &str) -> Option<Vec<f64>> {
        let row = self.channels.iter().position(|c| c.name == name)?;
        (row < self.data.nrows()).then(|| self.data.index_axis(Axis(0), row).to_vec())
    }

    /// Bytes that the samples take.
    pub fn byte_size(&self) -> usize {
        self.data.len() * size_of::<f64>()
    }
}

impl fmt::Debug for Evoked {
    /// Without the samples.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evoked")
            .field("shape", &self.shape())
            .field("nave", &self.nave)
            .field("comment", &self.comment)
            .finish_non_exhaustive()
    }
}
