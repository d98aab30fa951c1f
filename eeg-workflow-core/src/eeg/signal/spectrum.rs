//! Power spectra by Welch's method.

use std::sync::Arc;

use ndarray::{Array2, Axis};
use rayon::prelude::*;
use realfft::num_complex::Complex64;
use realfft::{RealFftPlanner, RealToComplex};

use super::gaps::without_gaps;
use crate::eeg::data::annotation::between;
use crate::eeg::data::{Channel, ChannelKind, Recording};

/// How a spectrum is estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WelchOptions {
    /// Samples of a segment; frequencies are `sfreq / n_fft` apart.
    pub n_fft: usize,
    /// Samples that neighbouring segments share.
    pub n_overlap: usize,
    /// The lowest frequency, in Hz.
    pub fmin: f64,
    /// The highest frequency, in Hz.
    pub fmax: f64,
}

impl Default for WelchOptions {
    /// Segments of 1024 samples that share none, all frequencies.
    fn default() -> Self {
        Self { n_fft: 1024, n_overlap: 0, fmin: 0.0, fmax: f64::INFINITY }
    }
}

/// The power spectral density of the EEG channels of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerSpectrum {
    /// The channels, in order.
    pub channels: Vec<Channel>,
    /// Frequencies in Hz, ascending.
    pub freqs: Vec<f64>,
    /// Channels x frequencies, in V²/Hz.
    pub power: Array2<f64>,
}

/// A spectrum that cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpectrumError {
    /// A segment is longer than the recording, or has no samples.
    #[error("segments of {n_fft} samples do not fit into {samples} samples")]
    Segment {
        /// Samples of a segment.
        n_fft: usize,
        /// Samples of the recording.
        samples: usize,
    },
    /// Segments share all of their samples.
    #[error("an overlap of {n_overlap} samples is not less than a segment of {n_fft}")]
    Overlap {
        /// Shared samples.
        n_overlap: usize,
        /// Samples of a segment.
        n_fft: usize,
    },
    /// No frequency is in the range.
    #[error("there are no frequencies from {fmin} to {fmax} Hz")]
    Range {
        /// The lowest frequency.
        fmin: f64,
        /// The highest frequency.
        fmax: f64,
    },
    /// Nothing is left beside what is marked as bad.
    #[error("all of the recording is marked as bad")]
    AllBad,
    /// No channel is an EEG channel.
    #[error("no channel is an EEG channel")]
    NoEeg,
}

impl PowerSpectrum {
    /// Welch's estimate: `raw.compute_psd(method="welch", n_fft=…, n_overlap=…)` of MNE, that is
    /// `mne.time_frequency.psd_array_welch` (`scipy.signal.spectrogram` with a periodic Hamming
    /// window, the mean of each segment removed, averaged over segments). Stretches annotated
    /// `BAD…` are left out; what is between them is averaged by its length. Samples that are NaN or
    /// infinite are left out likewise, of their own channel; one without any others has NaN for
    /// its power.
    ///
    /// # Errors
    /// As [`SpectrumError`] says.
    pub fn welch(recording: &Recording, options: &WelchOptions) -> Result<Self, SpectrumError> {
        let WelchOptions { n_fft, n_overlap, fmin, fmax } = *options;
        let samples = recording.n_samples();
        if n_fft == 0 || n_fft > samples {
            return Err(SpectrumError::Segment { n_fft, samples });
        }
        if n_overlap >= n_fft {
            return Err(SpectrumError::Overlap { n_overlap, n_fft });
        }
        let sfreq = recording.sfreq();
        let step = sfreq / n_fft as f64;
        let inside = |k: &usize| (fmin..=fmax).contains(&(*k as f64 * step));
        let bins: Vec<usize> = (0..=n_fft / 2).filter(inside).collect();
        let (Some(first), Some(last)) = (bins.first(), bins.last()) else {
            return Err(SpectrumError::Range { fmin, fmax });
        };
        let places: Vec<usize> = (0..recording.channels().len())
            .filter(|c| recording.channels().get(*c).is_some_and(|c| c.kind == ChannelKind::Eeg))
            .collect();
        if places.is_empty() {
            return Err(SpectrumError::NoEeg);
        }
        let spans = between(recording.annotations(), &["bad"], false, samples, sfreq);
        // Shorter than the overlap is too short for anything.
        let spans: Vec<(usize, usize)> =
            spans.into_iter().filter(|(from, to)| to - from > n_overlap).collect();
        if spans.is_empty() {
            return Err(SpectrumError::AllBad);
        }
        let segments = Segments::new(n_fft, n_overlap, sfreq);
        let mut power = Array2::zeros((places.len(), bins.len()));
        let rows: Vec<_> = power.axis_iter_mut(Axis(0)).zip(&places).collect();
        rows.into_par_iter().for_each_init(
            || (vec![0.0; samples], segments.buffers()),
            |(signal, buffers), (mut row, place)| {
                recording.read(*place, 0, signal);
                let mut spans = without_gaps(signal, &spans);
                spans.retain(|(from, to)| to - from > n_overlap);
                let whole = segments.mean(signal, &spans, buffers);
                let there = whole.get(*first..=*last).unwrap_or(&[]);
                row.iter_mut().zip(there).for_each(|(out, value)| *out = *value);
            },
        );
        let channels = places.iter().filter_map(|c| recording.channels().get(*c).cloned());
        let freqs = bins.iter().map(|k| *k as f64 * step).collect();
        Ok(Self { channels: channels.collect(), freqs, power })
    }
}

/// Segments of one FFT length.
struct Segments {
    n_fft: usize,
    n_overlap: usize,
    sfreq: f64,
    fft: Arc<dyn RealToComplex<f64>>,
}

struct Buffers {
    segment: Vec<f64>,
    spectrum: Vec<Complex64>,
    scratch: Vec<Complex64>,
}

impl Segments {
    fn new(n_fft: usize, n_overlap: usize, sfreq: f64) -> Self {
        Self { n_fft, n_overlap, sfreq, fft: RealFftPlanner::new().plan_fft_forward(n_fft) }
    }

    fn buffers(&self) -> Buffers {
        Buffers {
            segment: self.fft.make_input_vec(),
            spectrum: self.fft.make_output_vec(),
            scratch: self.fft.make_scratch_vec(),
        }
    }

    /// The mean over the spans, each with the weight of the samples that its segments cover.
    fn mean(&self, signal: &[f64], spans: &[(usize, usize)], buffers: &mut Buffers) -> Vec<f64> {
        let mut sum = vec![0.0; self.n_fft / 2 + 1];
        let mut weights = 0.0;
        for (from, to) in spans {
            let span = signal.get(*from..*to).unwrap_or(&[]);
            // A span shorter than a segment is one segment, filled up with zeros.
            let length = self.n_fft.min(span.len());
            let step = length - self.n_overlap.min(length.saturating_sub(1));
            let count = (span.len() - length) / step + 1;
            let weight = if span.len() < self.n_fft { length } else { length + (count - 1) * step };
            let window = hamming(length);
            let energy: f64 = window.iter().map(|w| w * w).sum();
            let scale = weight as f64 / (count as f64 * self.sfreq * energy);
            for segment in 0..count {
                let segment = span.get(segment * step..segment * step + length).unwrap_or(&[]);
                self.add(segment, &window, scale, &mut sum, buffers);
            }
            weights += weight as f64;
        }
        sum.iter_mut().for_each(|value| *value /= weights);
        sum
    }

    /// Adds a segment's one-sided power times `scale`.
    fn add(
        &self,
        values: &[f64],
        window: &[f64],
        scale: f64,
        sum: &mut [f64],
        buffers: &mut Buffers,
    ) {
        let Buffers { segment, spectrum, scratch } = buffers;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        segment.fill(0.0);
        for (to, (value, weight)) in segment.iter_mut().zip(values.iter().zip(window)) {
            *to = (value - mean) * weight;
        }
        // The lengths fit, which is all that could fail.
        let _ = self.fft.process_with_scratch(segment, spectrum, scratch);
        let nyquist = if self.n_fft.is_multiple_of(2) { self.n_fft / 2 } else { usize::MAX };
        for (k, (sum, value)) in sum.iter_mut().zip(&*spectrum).enumerate() {
            let sides = if k == 0 || k == nyquist { 1.0 } else { 2.0 };
            *sum += value.norm_sqr() * sides * scale;
        }
    }
}

/// `scipy.signal.get_window("hamming", n)`, that is periodic.
fn hamming(n: usize) -> Vec<f64> {
    if n == 1 {
        return vec![1.0];
    }
    let angle = |i: usize| 2.0 * std::f64::consts::PI * i as f64 / n as f64;
    (0..n).map(|i| 0.54 - 0.46 * angle(i).cos()).collect()
}
