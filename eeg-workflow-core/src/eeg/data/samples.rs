//! Samples as a file stores them, turned into volts no sooner than somebody asks.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use crate::huge_pages;

/// How one stored sample is written. All are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// Two-byte signed integer.
    Int16,
    /// Three-byte signed integer.
    Int24,
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
            Self::Int24 => 3,
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
    order: Order,
    n_samples: usize,
    /// Those in use; there may be more in the file.
    channels: Vec<StoredChannel>,
}

/// How samples lie in the bytes.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// All channels of the first sample, then of the second …
    Multiplexed {
        /// Channels in the file.
        stored: usize,
    },
    /// Some samples of the first channel, of the second …, then the next of the first …
    Blocks {
        /// Samples of a channel in a block.
        samples: usize,
        /// Bytes from one block to the next.
        size: usize,
    },
}

/// A channel in use.
#[derive(Debug, Clone, Copy)]
struct StoredChannel {
    /// The byte at which its first sample starts.
    start: usize,
    scale: Scale,
}

/// How stored numbers become volts (or another SI unit).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scale {
    /// `stored * gain`
    Gain(f64),
    /// `(stored * gain + offset) * factor`, in this order.
    Linear { gain: f64, offset: f64, factor: f64 },
    /// The lowest 17 bits of the whole part of `stored * gain + offset`: a trigger's number.
    Trigger { gain: f64, offset: f64 },
}

impl Scale {
    fn apply(self, stored: f64) -> f64 {
        match self {
            Self::Gain(gain) => stored * gain,
            Self::Linear { gain, offset, factor } => (stored * gain + offset) * factor,
            Self::Trigger { gain, offset } => {
                let bits = (stored * gain + offset) as i64 & 0x1_ffff;
                bits as f64
            }
        }
    }
}

/// How data records lie in the bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Records {
    /// Samples of a channel in a record.
    pub(crate) per_record: usize,
    /// Bytes of a record.
    pub(crate) record_size: usize,
    /// Whole records in the bytes.
    pub(crate) n_records: usize,
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
        let (order, step) = if multiplexed {
            (Order::Multiplexed { stored }, encoding.size())
        } else {
            let size = encoding.size() * n_samples;
            (Order::Blocks { samples: n_samples, size: size * stored }, size)
        };
        let channels = gains.iter().take(stored).enumerate();
        let channel = |(index, gain): (usize, &f64)| StoredChannel {
            start: index * step,
            scale: Scale::Gain(*gain),
        };
        let channels = channels.map(channel).collect();
        Ok(Self { bytes: Arc::new(bytes), encoding, order, n_samples, channels })
    }

    /// Samples in data records, of channels that all have as many in each. A channel is told by
    /// the byte of its first sample.
    pub(crate) fn in_records(
        bytes: Vec<u8>,
        encoding: Encoding,
        records: Records,
        channels: impl Iterator<Item = (usize, Scale)>,
    ) -> Self {
        Self {
            bytes: Arc::new(bytes),
            encoding,
            order: Order::Blocks { samples: records.per_record, size: records.record_size },
            n_samples: records.per_record * records.n_records,
            channels: channels.map(|(start, scale)| StoredChannel { start, scale }).collect(),
        }
    }

    /// A channel of the same bytes that has another number of samples in each data record.
    pub(crate) fn other(&self, records: Records, start: usize, scale: Scale) -> Self {
        Self {
            bytes: Arc::clone(&self.bytes),
            encoding: self.encoding,
            order: Order::Blocks { samples: records.per_record, size: records.record_size },
            n_samples: records.per_record * records.n_records,
            channels: vec![StoredChannel { start, scale }],
        }
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

    /// Whether no sample can be NaN.
    pub(crate) fn holds_integers(&self) -> bool {
        !matches!(self.encoding, Encoding::Float32)
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
            Encoding::Int24 => self.convert::<I24>(*channel, first, out),
            Encoding::Int32 => self.convert::<i32>(*channel, first, out),
            Encoding::Float32 => self.convert::<f32>(*channel, first, out),
        }
    }

    /// All channels in volts, channels x samples.
    pub(crate) fn to_volts(&self) -> Array2<f64> {
        let shape = (self.channels.len(), self.n_samples);
        let mut out = Array2::zeros(shape);
        if let Some(flat) = out.as_slice_mut() {
            huge_pages::advise(flat);
            match self.encoding {
                Encoding::Int16 => self.convert_all::<i16>(flat),
                Encoding::Int24 => self.convert_all::<I24>(flat),
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
            Encoding::Int24 => self.envelope_of::<I24>(columns),
            Encoding::Int32 => self.envelope_of::<i32>(columns),
            Encoding::Float32 => self.envelope_of::<f32>(columns),
        }
    }

    /// Converts one channel from sample `first` on, as much as `out` holds.
    fn convert<T: Sample>(&self, channel: StoredChannel, first: usize, out: &mut [f64]) {
        // A loop for each scale, so that none asks which it is at every sample.
        match channel.scale {
            Scale::Gain(gain) => self.convert_by::<T>(channel, first, out, |v| v * gain),
            Scale::Linear { gain, offset, factor } => {
                self.convert_by::<T>(channel, first, out, |v| (v * gain + offset) * factor);
            }
            scale => self.convert_by::<T>(channel, first, out, |v| scale.apply(v)),
        }
    }

    fn convert_by<T: Sample>(
        &self,
        channel: StoredChannel,
        first: usize,
        out: &mut [f64],
        scaled: impl Fn(f64) -> f64,
    ) {
        match self.order {
            Order::Multiplexed { stored } => {
                let frame = stored * T::SIZE;
                let frames = self.bytes.get(first * frame..).unwrap_or(&[]);
                for (out, frame) in out.iter_mut().zip(frames.chunks_exact(frame)) {
                    if let Some(value) = frame.get(channel.start..).and_then(T::first) {
                        *out = scaled(value.to_f64());
                    }
                }
            }
            Order::Blocks { .. } => {
                let mut rest = out.iter_mut();
                for bytes in self.pieces(channel, first..first + rest.len(), T::SIZE) {
                    // The numbers first: zip takes from its left before it looks at its right.
                    for (value, out) in T::decode(bytes).zip(rest.by_ref()) {
                        *out = scaled(value.to_f64());
                    }
                }
            }
        }
    }

    /// The bytes of a channel's samples, block by block.
    fn pieces(
        &self,
        channel: StoredChannel,
        samples: Range<usize>,
        width: usize,
    ) -> impl Iterator<Item = &[u8]> {
        let (in_block, size) = match self.order {
            Order::Blocks { samples, size } => (samples.max(1), size),
            Order::Multiplexed { stored } => (1, stored * width),
        };
        let mut next = samples.start;
        std::iter::from_fn(move || {
            if next >= samples.end {
                return None;
            }
            let (block, within) = (next / in_block, next % in_block);
            let count = (in_block - within).min(samples.end - next);
            next += count;
            let start = channel.start + block * size + within * width;
            self.bytes.get(start..start + count * width)
        })
    }

    fn convert_all<T: Sample>(&self, flat: &mut [f64]) {
        // Channels of one cache line are converted together, a stretch at a time that stays in
        // the cache, so that multiplexed bytes are fetched from memory once and not once a channel.
        const STRETCH: usize = 256;
        let multiplexed = matches!(self.order, Order::Multiplexed { .. });
        let group = if multiplexed { 64 / T::SIZE } else { 1 };
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
        if let Order::Multiplexed { stored } = self.order {
            return self.envelope_by_time::<T>(stored, columns);
        }
        let channel = |c: &StoredChannel| {
            let extremes = |samples: Range<usize>| {
                let values = self.pieces(*c, samples, T::SIZE).flat_map(T::decode);
                if let Scale::Trigger { .. } = c.scale {
                    // Bits that are cut off leave no order to go by.
                    let values = values.map(|v| c.scale.apply(v.to_f64()));
                    return values.fold((f64::INFINITY, f64::NEG_INFINITY), widen);
                }
                let (low, high) = values.fold((T::GREATEST, T::LEAST), widen);
                to_extremes(low, high, c.scale)
            };
            stretches(self.n_samples, columns).map(extremes).collect()
        };
        self.channels.par_iter().map(channel).collect()
    }

    /// Multiplexed samples are read in the order in which they lie, all channels side by side.
    fn envelope_by_time<T: Sample>(&self, stored: usize, columns: usize) -> Vec<Vec<Extremes>> {
        let frame = stored * T::SIZE;
        let stretches: Vec<Range<usize>> = stretches(self.n_samples, columns).collect();
        let by_time: Vec<Vec<Extremes>> = stretches
            .into_par_iter()
            .map(|s| {
                let mut low = vec![T::GREATEST; stored];
                let mut high = vec![T::LEAST; stored];
                let frames = self.bytes.get(s.start * frame..s.end * frame).unwrap_or(&[]);
                for frame in frames.chunks_exact(frame) {
                    for ((low, high), value) in low.iter_mut().zip(&mut high).zip(T::decode(frame))
                    {
                        (*low, *high) = widen((*low, *high), value);
                    }
                }
                let extremes = |c: &StoredChannel| {
                    let index = c.start / T::SIZE;
                    let (low, high) = (low.get(index), high.get(index));
                    to_extremes(*low.unwrap_or(&T::GREATEST), *high.unwrap_or(&T::LEAST), c.scale)
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
            .field("order", &self.order)
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

fn to_extremes<T: Sample>(low: T, high: T, scale: Scale) -> Extremes {
    if low > high {
        return (f64::NAN, f64::NAN);
    }
    let (a, b) = (scale.apply(low.to_f64()), scale.apply(high.to_f64()));
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

/// Three bytes.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct I24(i32);

impl Sample for I24 {
    const SIZE: usize = 3;
    const LEAST: Self = Self(i32::MIN >> 8);
    const GREATEST: Self = Self(i32::MAX >> 8);
    fn decode(bytes: &[u8]) -> impl Iterator<Item = Self> {
        let (numbers, _) = bytes.as_chunks();
        // As the upper bytes of four, shifted down with the sign.
        numbers.iter().map(|[a, b, c]| Self(i32::from_le_bytes([0, *a, *b, *c]) >> 8))
    }
    fn first(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes.first_chunk::<3>()?).next()
    }
    fn to_f64(self) -> f64 {
        f64::from(self.0)
    }
}
