//! The design of zero-phase FIR filters (window method, Hamming).

use std::fmt;
use std::sync::Arc;

/// Taps times (transition width / sampling rate) that a Hamming window needs.
const HAMMING_LENGTH: f64 = 3.3;
/// Longer filters are refused: at 1000 Hz this one has more than an hour.
const MAX_TAPS: f64 = 4_194_303.0;

/// A symmetric FIR filter of odd length, to be applied without a delay.
///
/// The coefficients are those of `mne.filter.create_filter(None, sfreq, l_freq, h_freq,
/// fir_design="firwin")` in MNE-Python 1.13 with its automatic transition widths and length: each
/// edge is a windowed sinc (`scipy.signal.firwin`) of its own length.
///
/// ```
/// use eeg_workflow_core::eeg::FirFilter;
///
/// let filter = FirFilter::band(1000.0, Some(0.1), Some(30.0))?;
/// assert_eq!(filter.taps().len(), 33_001);
/// assert!(FirFilter::band(1000.0, None, Some(500.0)).is_err());
/// # Ok::<(), eeg_workflow_core::eeg::FirError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct FirFilter {
    taps: Arc<[f64]>,
    /// The pass band, where there is exactly one.
    highpass: Option<f64>,
    lowpass: Option<f64>,
}

/// Cut-off frequencies that no filter can have. All frequencies are in Hz.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FirError {
    /// The lower edge of a pass band (of a stop band: also that of the band) is not above 0.
    #[error("{frequency} Hz is not above 0 Hz")]
    NotPositive {
        /// The edge.
        frequency: f64,
    },
    /// An edge is not below half of the sampling rate.
    #[error(
        "{frequency} Hz is not below {nyquist} Hz, half of the sampling rate, which is all that \
         a recording can hold"
    )]
    AboveNyquist {
        /// The edge.
        frequency: f64,
        /// Half of the sampling rate.
        nyquist: f64,
    },
    /// A notch that begins at or below 0 Hz or ends at or above half of the sampling rate.
    #[error(
        "a notch at {frequency} Hz reaches from {low} to {high} Hz, and must lie between 0 and \
         {nyquist} Hz"
    )]
    NotchOutside {
        /// Its middle.
        frequency: f64,
        /// Where it begins.
        low: f64,
        /// Where it ends.
        high: f64,
        /// Half of the sampling rate.
        nyquist: f64,
    },
    /// The edges of stop bands are closer together than the transitions between them and the
    /// pass bands.
    #[error(
        "the stop band from {low} to {high} Hz is too narrow: its edges need {low_width} and \
         {high_width} Hz to fall and to rise"
    )]
    StopBandTooNarrow {
        /// Where the lower pass band ends.
        low: f64,
        /// Where the upper pass band starts.
        high: f64,
        /// Width of the lower transition.
        low_width: f64,
        /// Width of the upper transition.
        high_width: f64,
    },
    /// Two edges lie so close that the transition between them needs a longer filter.
    #[error(
        "the step between {low} and {high} Hz needs a filter of {needed} samples, the edges \
         given one of {length}"
    )]
    TransitionTooSteep {
        /// Lower end of the transition.
        low: f64,
        /// Upper end of the transition.
        high: f64,
        /// Its length in samples.
        needed: usize,
        /// The whole filter's length in samples.
        length: usize,
    },
    /// The filter would be too long to compute.
    #[error(
        "a transition of {width} Hz at {sfreq} Hz needs a filter of {taps:.0} samples, more \
         than {MAX_TAPS}"
    )]
    TooLong {
        /// Width of the narrowest transition.
        width: f64,
        /// Sampling rate.
        sfreq: f64,
        /// Length in samples.
        taps: f64,
    },
    /// The sampling rate is not a positive number.
    #[error("sampling rate {sfreq} Hz is not a positive number")]
    SamplingRate {
        /// The rate.
        sfreq: f64,
    },
}

/// A corner of the wanted frequency response: Hz, and whether it passes.
type Corner = (f64, bool);

/// A band to take out: pass up to `low`, nothing from `low + low_width` to `high - high_width`,
/// pass from `high`.
#[derive(Clone, Copy)]
struct StopBand {
    low: f64,
    high: f64,
    low_width: f64,
    high_width: f64,
}

impl FirFilter {
    /// The filter that keeps what is above `low` and below `high` Hz; without `low` a low-pass,
    /// without `high` a high-pass, without both one that changes nothing. With `low > high` a
    /// band-stop that takes out what is between them.
    ///
    /// A `low` of 0 is none, as in MNE and in workflows that were saved with it; ALGORITHMS.md of the
    /// reference, which refuses it, is not followed there.
    ///
    /// Transitions are a quarter of the edge, at least 2 Hz, and no wider than there is room
    /// (MNE's "auto").
    ///
    /// # Errors
    /// An edge is not above 0 or not below half of `sfreq`, a stop band is too narrow, or the
    /// filter too long.
    pub fn band(sfreq: f64, low: Option<f64>, high: Option<f64>) -> Result<Self, FirError> {
        let nyquist = nyquist(sfreq)?;
        let low = low.filter(|low| *low != 0.0);
        let rise = |low: f64| (0.25 * low).max(2.0).min(low);
        let fall = |high: f64| (0.25 * high).max(2.0).min(nyquist - high);
        if let (Some(low), Some(high)) = (low, high)
            && low >= high
        {
            let (a, b) = (positive(high)?, below(low, nyquist)?);
            let band = StopBand { low: a, high: b, low_width: rise(a), high_width: fall(b) };
            return Self::without(sfreq, &[band]);
        }
        // A high-pass above all that there is would leave what it should not.
        let low = low.map(|low| below(low, nyquist)).transpose()?;
        let high = high.map(|high| below(high, nyquist)).transpose()?;
        let (low_width, high_width) = (low.map(rise), high.map(fall));
        let mut corners: Vec<Corner> = Vec::with_capacity(6);
        if let (Some(low), Some(width)) = (low, low_width) {
            corners.extend([(low - width, false), (low, true)]);
        }
        if let (Some(high), Some(width)) = (high, high_width) {
            corners.extend([(high, true), (high + width, false)]);
        }
        let narrowest = low_width.into_iter().chain(high_width).reduce(f64::min);
        let taps = match narrowest {
            None => Arc::from([1.0]),
            Some(width) => design(sfreq, corners, length(sfreq, width)?)?,
        };
        Ok(Self { taps, highpass: low, lowpass: high })
    }

    /// The filter that takes out narrow bands around `frequencies` Hz, such as those of the mains
    /// and its multiples: `mne.filter.notch_filter(x, sfreq, freqs)` with its defaults (FIR, each
    /// band 1/200 of its frequency wide, 0.5 Hz to fall and to rise).
    ///
    /// # Errors
    /// As [`Self::band`]; bands must not touch each other.
    pub fn notch(sfreq: f64, frequencies: &[f64]) -> Result<Self, FirError> {
        const TRANSITION: f64 = 0.5;
        let nyquist = nyquist(sfreq)?;
        let mut bands = Vec::with_capacity(frequencies.len());
        for frequency in frequencies {
            let frequency = below(*frequency, nyquist)?;
            let half = frequency / 200.0 / 2.0;
            let (low, high) = (frequency - half - TRANSITION, frequency + half + TRANSITION);
            if low <= 0.0 || high >= nyquist {
                return Err(FirError::NotchOutside { frequency, low, high, nyquist });
            }
            bands.push(StopBand { low, high, low_width: TRANSITION, high_width: TRANSITION });
        }
        if bands.is_empty() {
            return Ok(Self { taps: Arc::from([1.0]), highpass: None, lowpass: None });
        }
        Self::without(sfreq, &bands)
    }

    fn without(sfreq: f64, bands: &[StopBand]) -> Result<Self, FirError> {
        let widths = bands.iter().flat_map(|b| [b.low_width, b.high_width]);
        let narrowest = widths.fold(f64::INFINITY, f64::min);
        let length = length(sfreq, narrowest)?;
        let mut corners: Vec<Corner> = Vec::with_capacity(4 * bands.len() + 2);
        corners.extend(bands.iter().map(|b| (b.low, true)));
        corners.extend(bands.iter().map(|b| (b.low + b.low_width, false)));
        corners.extend(bands.iter().map(|b| (b.high - b.high_width, false)));
        corners.extend(bands.iter().map(|b| (b.high, true)));
        corners.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Pass, stop, stop, pass, pass, stop …: anything else means that bands overlap.
        let wanted = |i: usize| matches!(i % 4, 0 | 3);
        let overlap = corners.iter().enumerate().any(|(i, corner)| corner.1 != wanted(i));
        if let (true, Some(band)) = (overlap, bands.iter().min_by(|a, b| room(a, b))) {
            let StopBand { low, high, low_width, high_width } = *band;
            return Err(FirError::StopBandTooNarrow { low, high, low_width, high_width });
        }
        Ok(Self { taps: design(sfreq, corners, length)?, highpass: None, lowpass: None })
    }

    /// The coefficients, symmetric and odd in number.
    pub fn taps(&self) -> &[f64] {
        &self.taps
    }

    /// The lower edge of the one pass band, in Hz; None when there is none.
    pub fn highpass(&self) -> Option<f64> {
        self.highpass
    }

    /// The upper edge of the one pass band, in Hz; None when there is none.
    pub fn lowpass(&self) -> Option<f64> {
        self.lowpass
    }
}

impl fmt::Debug for FirFilter {
    /// Without the coefficients.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirFilter")
            .field("taps", &self.taps.len())
            .field("highpass", &self.highpass)
            .field("lowpass", &self.lowpass)
            .finish()
    }
}

/// By the width of the band's floor.
fn room(a: &StopBand, b: &StopBand) -> std::cmp::Ordering {
    let floor = |b: &StopBand| b.high - b.high_width - b.low - b.low_width;
    floor(a).total_cmp(&floor(b))
}

fn nyquist(sfreq: f64) -> Result<f64, FirError> {
    if sfreq.is_finite() && sfreq > 0.0 {
        Ok(sfreq / 2.0)
    } else {
        Err(FirError::SamplingRate { sfreq })
    }
}

fn positive(frequency: f64) -> Result<f64, FirError> {
    if frequency > 0.0 { Ok(frequency) } else { Err(FirError::NotPositive { frequency }) }
}

fn below(frequency: f64, nyquist: f64) -> Result<f64, FirError> {
    let frequency = positive(frequency)?;
    if frequency < nyquist {
        Ok(frequency)
    } else {
        Err(FirError::AboveNyquist { frequency, nyquist })
    }
}

/// The odd number of taps that a transition of `width` Hz needs.
fn length(sfreq: f64, width: f64) -> Result<usize, FirError> {
    let taps = (HAMMING_LENGTH / width * sfreq).ceil().max(1.0);
    let fits = taps < MAX_TAPS;
    if !fits {
        return Err(FirError::TooLong { width, sfreq, taps });
    }
    Ok(taps as usize | 1)
}

/// `_firwin_design` of MNE: from the highest corner down, each edge adds or subtracts a low-pass
/// no longer than its own transition asks for.
fn design(sfreq: f64, mut corners: Vec<Corner>, length: usize) -> Result<Arc<[f64]>, FirError> {
    let nyquist = sfreq / 2.0;
    if let Some(first) = corners.first().filter(|c| c.0 != 0.0) {
        corners.insert(0, (0.0, first.1));
    }
    if let Some(last) = corners.last().filter(|c| c.0 != nyquist) {
        corners.push((nyquist, last.1));
    }
    let mut taps = vec![0.0; length];
    if corners.last().is_some_and(|c| c.1)
        && let Some(centre) = taps.get_mut(length / 2)
    {
        *centre = 1.0;
    }
    for pair in corners.windows(2).rev() {
        let [(low, passes_low), (high, passes_high)] = *pair else { continue };
        if passes_low == passes_high {
            continue;
        }
        let (low_share, high_share) = (low / nyquist, high / nyquist);
        let needed = (HAMMING_LENGTH / ((high_share - low_share) / 2.0)).round_ties_even();
        // As a float first: corners on top of each other would need an endless filter.
        let needed = if needed < MAX_TAPS { needed as usize | 1 } else { usize::MAX };
        if needed > length {
            return Err(FirError::TransitionTooSteep { low, high, needed, length });
        }
        let edge = lowpass(needed, (high_share + low_share) / 2.0);
        let sign = if passes_low { 1.0 } else { -1.0 };
        let middle = taps.iter_mut().skip((length - needed) / 2);
        middle.zip(edge).for_each(|(tap, edge)| *tap += sign * edge);
    }
    Ok(taps.into())
}

/// `scipy.signal.firwin(n, cutoff, window="hamming", fs=2)`: a windowed sinc whose sum is 1,
/// `cutoff` as a share of half the sampling rate, `n` odd.
fn lowpass(n: usize, cutoff: f64) -> Vec<f64> {
    use std::f64::consts::PI;
    if n < 2 {
        return vec![1.0; n];
    }
    let middle = (n - 1) as f64 / 2.0;
    let tap = |i: usize| {
        let x = cutoff * (i as f64 - middle);
        let sinc = if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        let window = 0.54 - 0.46 * (2.0 * PI * i as f64 / (n - 1) as f64).cos();
        cutoff * sinc * window
    };
    let mut taps: Vec<f64> = (0..=n / 2).map(tap).collect();
    taps.extend_from_within(..n / 2);
    if let Some(tail) = taps.get_mut(n / 2 + 1..) {
        tail.reverse();
    }
    // In pieces, so that rounding does not add up.
    let sum: f64 = taps.chunks(256).map(|piece| piece.iter().sum::<f64>()).sum();
    taps.iter_mut().for_each(|tap| *tap /= sum);
    taps
}
