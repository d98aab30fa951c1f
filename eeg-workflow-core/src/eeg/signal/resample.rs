//! Resampling by way of the spectrum.

use std::sync::Arc;

use ndarray::{Array2, Axis};
use rayon::prelude::*;
use realfft::num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::gaps::bridge_gaps;
use crate::eeg::data::{ChannelKind, Recording};

/// A sampling rate that a recording cannot be given. All rates are in Hz.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResampleError {
    /// The rate is not a positive number.
    #[error("{sfreq} Hz is not a positive sampling rate")]
    NotPositive {
        /// The rate.
        sfreq: f64,
    },
    /// The result would be too large.
    #[error("at {sfreq} Hz the recording of {samples} samples would have {wanted:.0} samples")]
    TooLong {
        /// The rate.
        sfreq: f64,
        /// Samples a channel, as it is.
        samples: usize,
        /// Samples a channel, as it would be.
        wanted: f64,
    },
}

impl Recording {
    /// The recording at another sampling rate, as `raw.resample(sfreq)` of MNE with its defaults
    /// (`npad="auto"`, `window="auto"`, `pad="auto"`, `method="fft"`): each channel is continued
    /// at both ends by its odd reflection to a power of two of samples, its spectrum cut off or
    /// filled up with zeros. Of stim channels each new sample is the first value that is not 0
    /// among the old ones. Annotations keep their times, also those that lie less than a sample
    /// behind the new end.
    ///
    /// Other than in MNE, samples that are NaN or infinite do not spoil their whole channel: they
    /// are bridged by straight lines, and of the new samples those next to them are NaN.
    ///
    /// # Errors
    /// The rate is not positive, or so high that no memory holds the result.
    pub fn resampled(self, sfreq: f64) -> Result<Self, ResampleError> {
        const LONGEST: f64 = 2_147_483_648.0;
        if !(sfreq.is_finite() && sfreq > 0.0) {
            return Err(ResampleError::NotPositive { sfreq });
        }
        if (sfreq - self.sfreq()).abs() <= 1e-6 * self.sfreq() {
            return Ok(self);
        }
        let (n_channels, samples) = self.shape();
        let ratio = sfreq / self.sfreq();
        let wanted = (ratio * samples as f64).round_ties_even().max(1.0);
        if wanted * n_channels.max(1) as f64 > LONGEST {
            return Err(ResampleError::TooLong { sfreq, samples, wanted });
        }
        let plan = Plan::new(samples, ratio);
        let mut out = Array2::zeros((n_channels, wanted as usize));
        let rows: Vec<_> = out.axis_iter_mut(Axis(0)).zip(self.channels()).enumerate().collect();
        rows.into_par_iter().for_each_init(
            || (vec![0.0; samples], plan.buffers()),
            |(signal, buffers), (place, (row, channel))| {
                self.read(place, 0, signal);
                if let Some(row) = row.into_slice() {
                    if channel.kind == ChannelKind::Stim {
                        pick_triggers(signal, row);
                    } else {
                        let gaps = bridge_gaps(signal);
                        plan.apply(signal, row, buffers);
                        spoil_new(row, &gaps, ratio);
                    }
                }
            },
        );
        let mut info = self.info().clone();
        info.lowpass = info.lowpass.min(sfreq / 2.0);
        info.sfreq = sfreq;
        Ok(Self::from_parts(info, out))
    }
}

/// Makes NaN of the new samples within one sample, old or new, of the gaps among the old ones.
fn spoil_new(row: &mut [f64], gaps: &[usize], ratio: f64) {
    let reach = ratio.max(1.0);
    for gap in gaps {
        let place = *gap as f64 * ratio;
        let end = row.len().min((place + reach).floor() as usize + 1);
        let start = ((place - reach).ceil().max(0.0) as usize).min(end);
        row.get_mut(start..end).unwrap_or_default().fill(f64::NAN);
    }
}

/// What resampling signals of one length to another needs.
struct Plan {
    /// Samples put before the signal.
    before: usize,
    /// The signal's length with what is put around it, a power of two or nearly.
    padded: usize,
    /// New samples that stand for what was put before.
    skipped: usize,
    new_padded: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
}

struct Buffers {
    long: Vec<f64>,
    short: Vec<f64>,
    spectrum: Vec<Complex64>,
    resampled: Vec<Complex64>,
    scratch: Vec<Complex64>,
}

impl Plan {
    /// As MNE's `_resample_fft` with `npad="auto"`.
    fn new(samples: usize, ratio: f64) -> Self {
        let least = samples + (samples / 8).min(100) * 2;
        let padded = least.next_power_of_two();
        let before = (padded - samples) / 2;
        let rounded = |n: usize| (ratio * n as f64).round_ties_even() as usize;
        let new_padded = rounded(padded).max(1);
        let mut planner = RealFftPlanner::new();
        Self {
            before,
            padded,
            skipped: rounded(before),
            new_padded,
            forward: planner.plan_fft_forward(padded),
            inverse: planner.plan_fft_inverse(new_padded),
        }
    }

    /// Without anything put around the signal.
    fn bare(samples: usize, new_samples: usize) -> Self {
        let mut planner = RealFftPlanner::new();
        Self {
            before: 0,
            padded: samples,
            skipped: 0,
            new_padded: new_samples,
            forward: planner.plan_fft_forward(samples),
            inverse: planner.plan_fft_inverse(new_samples),
        }
    }

    fn buffers(&self) -> Buffers {
        let scratch = self.forward.get_scratch_len().max(self.inverse.get_scratch_len());
        Buffers {
            long: self.forward.make_input_vec(),
            short: self.inverse.make_output_vec(),
            spectrum: self.forward.make_output_vec(),
            resampled: self.inverse.make_input_vec(),
            scratch: vec![Complex64::default(); scratch],
        }
    }

    fn apply(&self, signal: &[f64], out: &mut [f64], buffers: &mut Buffers) {
        let Buffers { long, short, spectrum, resampled, scratch } = buffers;
        pad(signal, self.before, long);
        // The lengths fit, which is all that could fail.
        let _ = self.forward.process_with_scratch(long, spectrum, scratch);
        resampled.fill(Complex64::default());
        let scale = 1.0 / self.padded as f64;
        for (to, from) in resampled.iter_mut().zip(&*spectrum) {
            *to = from * scale;
        }
        // What lies at half the lower of both rates stands for itself and for its mirror image.
        let shorter = self.new_padded < self.padded;
        let lower = self.new_padded.min(self.padded);
        if lower.is_multiple_of(2)
            && let Some(value) = resampled.get_mut(lower / 2)
        {
            *value *= if shorter { 2.0 } else { 0.5 };
        }
        if let Some(first) = resampled.first_mut() {
            first.im = 0.0;
        }
        if self.new_padded.is_multiple_of(2)
            && let Some(last) = resampled.last_mut()
        {
            last.im = 0.0;
        }
        let _ = self.inverse.process_with_scratch(resampled, short, scratch);
        let there = short.get(self.skipped..).unwrap_or(&[]);
        out.iter_mut().zip(there).for_each(|(out, value)| *out = *value);
    }
}

/// The signal in more samples over the same time, by way of its spectrum and with nothing put
/// around it: MNE's `resample(signal, …, npad=0)`.
pub(crate) fn stretched(signal: &[f64], out: &mut [f64]) {
    if signal.is_empty() || out.is_empty() {
        return;
    }
    let plan = Plan::bare(signal.len(), out.len());
    plan.apply(signal, out, &mut plan.buffers());
}

/// The signal from `before` on, its odd reflection at both ends, zeros beyond.
fn pad(signal: &[f64], before: usize, out: &mut [f64]) {
    let (Some(first), Some(last)) = (signal.first(), signal.last()) else {
        return;
    };
    let n = signal.len();
    for (place, out) in out.iter_mut().enumerate() {
        *out = if place < before {
            signal.get(before - place).map_or(0.0, |x| 2.0 * first - x)
        } else if let Some(x) = signal.get(place - before) {
            *x
        } else {
            let back = place - before - n + 2;
            n.checked_sub(back).and_then(|at| signal.get(at)).map_or(0.0, |x| 2.0 * last - x)
        };
    }
}

/// MNE's `_resample_stim_channels`: of the old samples that fall on a new one, the first that is
/// not 0.
fn pick_triggers(signal: &[f64], out: &mut [f64]) {
    // That of the lengths, which were rounded, as in MNE; not that of the rates.
    let ratio = out.len() as f64 / signal.len() as f64;
    let last = signal.len().saturating_sub(1);
    let start = |k: usize| ((k as f64 / ratio) as usize).min(last);
    let n = out.len();
    for (k, out) in out.iter_mut().enumerate() {
        let from = start(k);
        let to = if k + 1 < n { start(k + 1) } else { signal.len() };
        let window = signal.get(from..to).unwrap_or(&[]);
        let found = window.iter().find(|v| **v != 0.0);
        *out = found.or(signal.get(from)).copied().unwrap_or(0.0);
    }
}
