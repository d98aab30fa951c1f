//! Samples as a file stores them, turned into volts no sooner than somebody asks.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

/// How one stored sample is written. All are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// Two-byte signed integer.
    Int16,
    /// Four-byte signed integer.
    Int32,
    /// Four-byte IEEE 754 float.
    Float32,
}

impl Encoding {
    /// Bytes a sample.
    pub fn size(self) -> usize {
        match self {
            Self::Int16 => 2,
            Self::Int32 | Self::Float32 => 4,
        }
    }
}

/// Samples that cannot be laid out as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoredSamplesError {
    /// No channel, or not even one sample of each.
    #[error("{bytes} bytes hold no sample of {channels} channels")]
    Empty {
        /// Bytes in the file.
        bytes: usize,
        /// Channels in the file.
        channels: usize,
    },
}

/// The bytes of a data file and where each channel's samples are in them. Cloning is cheap and
/// shares the bytes.
#[derive(Clone)]
pub struct StoredSamples {
    // Not Arc<[u8]>, which would copy what was read.
    bytes: Arc<Vec<u8>>,
    encoding: Encoding,
    multiplexed: bool,
    /// Channels in the file; those in use may be fewer.
    stored: usize,
    n_samples: usize,
    channels: Vec<StoredChannel>,
}

/// A channel in use.
#[derive(Debug, Clone, Copy)]
struct StoredChannel {
    /// Its place in the file.
    index: usize,
    /// volts = stored * gain
    gain: f64,
}

/// The least and greatest value in a stretch of time, NaN when no sample is a number.
pub(crate) type Extremes = (f64, f64);

impl StoredSamples {
    /// Samples of `stored` channels, either multiplexed (all channels of the first sample, then
    /// of the second …) or vectorized (all samples of the first channel, then of the second …).
    /// `gains` are those of the first channels, `volts = stored value * gain`; channels behind
    /// them are not used. Bytes that do not make a whole sample of every channel are ignored.
    ///
    /// # Errors
    /// [`StoredSamplesError::Empty`] when there is not even one sample of each channel.
    pub fn new(
        bytes: Vec<u8>,
        encoding: Encoding,
        multiplexed: bool,
        stored: usize,
        gains: &[f64],
    ) -> Result<Self, StoredSamplesError> {
        let frame = encoding.size().saturating_mul(stored);
        let n_samples = bytes.len().checked_div(frame).unwrap_or(0);
        if n_samples == 0 || gains.is_empty() {
            return Err(StoredSamplesError::Empty { bytes: bytes.len(), channels: stored });
        }
        let channels = gains.iter().take(stored).enumerate();
        Ok(Self {
            bytes: Arc::new(bytes),
            encoding,
            multiplexed,
            stored,
            n_samples,
            channels: channels.map(|(index, gain)| StoredChannel { index, gain: *gain }).collect(),
        })
    }

    /// Samples a channel.
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// Channels in use.
    pub fn n_channels(&self) -> usize {
        self.channels.len()
    }

    /// Bytes held, shared with clones.
    pub fn byte_size(&self) -> usize {
        self.bytes.len()
    }

    /// Only these channels, in this order; indices that do not exist are left out.
    pub(crate) fn pick(&self, indices: &[usize]) -> Self {
        let channels = indices.iter().filter_map(|i| self.channels.get(*i).copied());
        Self { channels: channels.collect(), ..self.clone() }
    }

    /// One channel in volts.
    pub(crate) fn channel(&self, index: usize) -> Option<Vec<f64>> {
        let _ = self.channels.get(index)?;
        let mut out = vec![0.0; self.n_samples];
        self.read(index, 0, &mut out);
        Some(out)
    }

    /// Writes one channel in volts from sample `first` on to `out`, as much as there is.
    pub(crate) fn read(&self, index: usize, first: usize, out: &mut [f64]) {
        let there = self.n_samples.saturating_sub(first).min(out.len());
        let (Some(channel), Some(out)) = (self.channels.get(index), out.get_mut(..there)) else {
            return;
        };
        match self.encoding {
            Encoding::Int16 => self.convert::<i16>(*channel, first, out),
            Encoding::Int32 => self.convert::<i32>(*channel, first, out),
            Encoding::Float32 => self.convert::<f32>(*channel, first, out),
        }
    }

    /// All channels in volts, channels x samples.
    pub(crate) fn to_volts(&self) -> Array2<f64> {
        let shape = (self.channels.len(), self.n_samples);
        let mut out = Array2::zeros(shape);
        if let Some(flat) = out.as_slice_mut() {
            match self.encoding {
                Encoding::Int16 => self.convert_all::<i16>(flat),
                Encoding::Int32 => self.convert_all::<i32>(flat),
                Encoding::Float32 => self.convert_all::<f32>(flat),
            }
        }
        out
    }

    /// For each channel, the extremes of each of `columns` stretches of equal length.
    pub(crate) fn envelope(&self, columns: usize) -> Vec<Vec<Extremes>> {
        match self.encoding {
            Encoding::Int16 => self.envelope_of::<i16>(columns),
            Encoding::Int32 => self.envelope_of::<i32>(columns),
            Encoding::Float32 => self.envelope_of::<f32>(columns),
        }
    }

    /// Converts one channel from sample `first` on, as much as `out` holds.
    fn convert<T: Sample>(&self, channel: StoredChannel, first: usize, out: &mut [f64]) {
        let StoredChannel { index, gain } = channel;
        if self.multiplexed {
            let (frame, offset) = (self.stored * T::SIZE, index * T::SIZE);
            let frames = self.bytes.get(first * frame..).unwrap_or(&[]);
            for (out, frame) in out.iter_mut().zip(frames.chunks_exact(frame)) {
                if let Some(value) = frame.get(offset..).and_then(T::first) {
                    *out = value.to_f64() * gain;
                }
            }
        } else {
            let stored = self.bytes.get((index * self.n_samples + first) * T::SIZE..);
            for (out, value) in out.iter_mut().zip(T::decode(stored.unwrap_or(&[]))) {
                *out = value.to_f64() * gain;
            }
        }
    }

    fn convert_all<T: Sample>(&self, flat: &mut [f64]) {
        // Channels of one cache line are converted together, a stretch at a time that stays in
        // the cache, so that multiplexed bytes are fetched from memory once and not once a channel.
        const STRETCH: usize = 256;
        let group = if self.multiplexed { 64 / T::SIZE } else { 1 };
        let rows = flat.par_chunks_mut(self.n_samples * group);
        rows.zip(self.channels.par_chunks(group)).for_each(|(rows, channels)| {
            for first in (0..self.n_samples).step_by(STRETCH) {
                let last = self.n_samples.min(first + STRETCH);
                for (row, channel) in rows.chunks_mut(self.n_samples).zip(channels) {
                    if let Some(out) = row.get_mut(first..last) {
                        self.convert::<T>(*channel, first, out);
                    }
                }
            }
        });
    }

    fn envelope_of<T: Sample>(&self, columns: usize) -> Vec<Vec<Extremes>> {
        if self.multiplexed {
            self.envelope_by_time::<T>(columns)
        } else {
            let channel = |c: &StoredChannel| {
                let start = c.index * self.n_samples * T::SIZE;
                let bytes = self.bytes.get(start..).unwrap_or(&[]);
                stretches(self.n_samples, columns)
                    .map(|s| {
                        let bytes = bytes.get(s.start * T::SIZE..s.end * T::SIZE).unwrap_or(&[]);
                        let (low, high) = T::decode(bytes).fold((T::GREATEST, T::LEAST), widen);
                        to_extremes(low, high, c.gain)
                    })
                    .collect()
            };
            self.channels.par_iter().map(channel).collect()
        }
    }

    /// Multiplexed samples are read in the order in which they lie, all channels side by side.
    fn envelope_by_time<T: Sample>(&self, columns: usize) -> Vec<Vec<Extremes>> {
        let frame = self.stored * T::SIZE;
        let stretches: Vec<Range<usize>> = stretches(self.n_samples, columns).collect();
        let by_time: Vec<Vec<Extremes>> = stretches
            .into_par_iter()
            .map(|s| {
                let mut low = vec![T::GREATEST; self.stored];
                let mut high = vec![T::LEAST; self.stored];
                let frames = self.bytes.get(s.start * frame..s.end * frame).unwrap_or(&[]);
                for frame in frames.chunks_exact(frame) {
                    for ((low, high), value) in low.iter_mut().zip(&mut high).zip(T::decode(frame))
                    {
                        (*low, *high) = widen((*low, *high), value);
                    }
                }
                let extremes = |c: &StoredChannel| {
                    let (low, high) = (low.get(c.index), high.get(c.index));
                    to_extremes(*low.unwrap_or(&T::GREATEST), *high.unwrap_or(&T::LEAST), c.gain)
                };
                self.channels.iter().map(extremes).collect()
            })
            .collect();
        (0..self.channels.len())
            .map(|c| by_time.iter().filter_map(|at| at.get(c).copied()).collect())
            .collect()
    }
}

impl fmt::Debug for StoredSamples {
    /// Without the samples.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSamples")
            .field("encoding", &self.encoding)
            .field("multiplexed", &self.multiplexed)
            .field("n_channels", &self.n_channels())
            .field("n_samples", &self.n_samples)
            .finish_non_exhaustive()
    }
}

/// `n` samples in `columns` stretches as equal as can be, none of them empty where n > 0.
pub(crate) fn stretches(n: usize, columns: usize) -> impl Iterator<Item = Range<usize>> {
    let columns = columns.min(n);
    let edge = move |k: usize| (k as u128 * n as u128 / columns.max(1) as u128) as usize;
    (0..columns).map(move |k| edge(k)..edge(k + 1))
}

/// As [`StoredSamples::envelope`], for one channel that is in volts already.
pub(crate) fn envelope_of_volts(volts: &[f64], columns: usize) -> Vec<Extremes> {
    stretches(volts.len(), columns)
        .map(|s| {
            let values = volts.get(s).unwrap_or(&[]).iter().copied();
            let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), widen);
            if low > high { (f64::NAN, f64::NAN) } else { (low, high) }
        })
        .collect()
}

/// NaN widens nothing: every comparison with it is false.
fn widen<T: Copy + PartialOrd>((low, high): (T, T), value: T) -> (T, T) {
    (if value < low { value } else { low }, if value > high { value } else { high })
}

fn to_extremes<T: Sample>(low: T, high: T, gain: f64) -> Extremes {
    if low > high {
        return (f64::NAN, f64::NAN);
    }
    let (a, b) = (low.to_f64() * gain, high.to_f64() * gain);
    (a.min(b), a.max(b))
}

/// A number as it is stored.
trait Sample: Copy + PartialOrd + Send + Sync {
    const SIZE: usize;
    const LEAST: Self;
    const GREATEST: Self;
    /// The numbers that lie one behind the other in `bytes`.
    fn decode(bytes: &[u8]) -> impl Iterator<Item = Self>;
    /// The first number in `bytes`.
    fn first(bytes: &[u8]) -> Option<Self>;
    fn to_f64(self) -> f64;
}

macro_rules! sample {
    ($type:ty, $least:expr, $greatest:expr) => {
        impl Sample for $type {
            const SIZE: usize = size_of::<Self>();
            const LEAST: Self = $least;
            const GREATEST: Self = $greatest;
            fn decode(bytes: &[u8]) -> impl Iterator<Item = Self> {
                let (numbers, _) = bytes.as_chunks();
                numbers.iter().map(|b| Self::from_le_bytes(*b))
            }
            fn first(bytes: &[u8]) -> Option<Self> {
                bytes.first_chunk().map(|b| Self::from_le_bytes(*b))
            }
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
        }
    };
}
sample!(i16, i16::MIN, i16::MAX);
sample!(i32, i32::MIN, i32::MAX);
sample!(f32, f32::NEG_INFINITY, f32::INFINITY);
