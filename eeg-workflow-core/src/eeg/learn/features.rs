//! Feature vectors: what a classifier sees of an epoch.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::{LabelError, Labels};
use crate::eeg::data::Epochs;
use crate::eeg::signal::Wavelet;
use crate::huge_pages;

/// Vectors x features, with the event id that each vector comes from and, once they were
/// labelled, its class. A value: labelling gives new vectors that share the features.
///
/// ```
/// use eeg_workflow_core::eeg::{FeatureVectors, Labels};
/// use ndarray::array;
///
/// let vectors = FeatureVectors::new(array![[0.6, 0.8], [1.0, 0.0], [0.0, 1.0]], vec![1, 2, 5])?;
/// let labelled = vectors.labelled(&Labels::parse(&["5", "1"])?)?;
/// assert_eq!(labelled.event_ids(), [1, 5]);
/// assert_eq!(labelled.classes(), Some(&[1, 0][..]));
/// assert_eq!(vectors.classes(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct FeatureVectors {
    values: Arc<Array2<f64>>,
    event_ids: Arc<[i32]>,
    /// What the events are called.
    event_names: Arc<[(String, i32)]>,
    classes: Option<Classes>,
}

impl PartialEq for FeatureVectors {
    /// Whatever the events are called.
    fn eq(&self, other: &Self) -> bool {
        let Self { values, event_ids, event_names: _, classes } = self;
        *values == other.values && *event_ids == other.event_ids && *classes == other.classes
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Classes {
    of_vectors: Arc<[usize]>,
    labels: Arc<[String]>,
}

/// Why there are no feature vectors.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// An id for each vector is needed.
    #[error("{vectors} vectors, but {event_ids} event ids")]
    Shape {
        /// How many vectors there are.
        vectors: usize,
        /// How many ids there are.
        event_ids: usize,
    },
    /// A class for each vector, and a name for each class, are needed.
    #[error("{vectors} vectors, but {classes} classes of {labels} names")]
    Classes {
        /// How many vectors there are.
        vectors: usize,
        /// How many classes of vectors are given.
        classes: usize,
        /// How many classes have names.
        labels: usize,
    },
    /// There is no epoch to take features from.
    #[error("there are no epochs to take features from")]
    NoEpochs,
    /// The epochs have no channels or no samples.
    #[error(
        "the epochs have {channels} channels of {samples} samples: there are no features in them"
    )]
    NoSamples {
        /// How many channels an epoch has.
        channels: usize,
        /// How many samples a channel has.
        samples: usize,
    },
    /// A vector of zeros has no direction.
    #[error(
        "the epoch at sample {sample} (event id {id}) has features of zero only, which cannot be scaled to norm 1"
    )]
    ZeroNorm {
        /// The sample of the epoch's event.
        sample: i64,
        /// The id of the epoch's event.
        id: i32,
    },
    /// A feature is infinite or not a number.
    #[error("the epoch at sample {sample} (event id {id}) has a feature that is {value}")]
    NotFinite {
        /// The sample of the epoch's event.
        sample: i64,
        /// The id of the epoch's event.
        id: i32,
        /// The feature.
        value: f64,
    },
    /// More levels of the wavelet transform than make sense, or none.
    #[error(
        "a wavelet transform of {level} levels: 1 to {} are possible",
        FeatureVectors::MAX_LEVEL
    )]
    Level {
        /// The level that was asked for.
        level: u32,
    },
    /// No time window was given.
    #[error("no time window is given")]
    NoWindow,
    /// A window that is not inside the epochs.
    #[error("the window {window} s is not inside the epochs, which go from {first} s to {last} s")]
    Outside {
        /// The window.
        window: TimeWindow,
        /// The time of the first sample, in seconds.
        first: f64,
        /// The time of the last sample, in seconds.
        last: f64,
    },
}

/// A range of times in seconds from the event, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeWindow {
    start: f64,
    end: f64,
}

/// A text that is not a time window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{text}\" is not a time window: two times in seconds with a colon between, such as 0.2:0.4, are"
)]
pub struct TimeWindowError {
    /// The text.
    pub text: String,
}

impl TimeWindow {
    /// From `start` to `end`, in seconds; none unless both are finite and in this order.
    pub fn new(start: f64, end: f64) -> Option<Self> {
        (start.is_finite() && end.is_finite() && start <= end).then_some(Self { start, end })
    }
}

impl std::str::FromStr for TimeWindow {
    type Err = TimeWindowError;

    fn from_str(text: &str) -> Result<Self, TimeWindowError> {
        let parts = text.split_once(':');
        let window = parts.and_then(|(start, end)| {
            Self::new(start.trim().parse().ok()?, end.trim().parse().ok()?)
        });
        window.ok_or_else(|| TimeWindowError { text: text.to_owned() })
    }
}

impl std::fmt::Display for TimeWindow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.start, self.end)
    }
}

impl FeatureVectors {
    /// The highest level of [`Self::from_wavelet`].
    pub const MAX_LEVEL: u32 = 32;

    /// Vectors x features, with an event id for each vector.
    ///
    /// # Errors
    /// [`FeatureError::Shape`].
    pub fn new(values: Array2<f64>, event_ids: Vec<i32>) -> Result<Self, FeatureError> {
        if values.nrows() != event_ids.len() {
            let (vectors, event_ids) = (values.nrows(), event_ids.len());
            return Err(FeatureError::Shape { vectors, event_ids });
        }
        let standard = values.is_standard_layout();
        let values = if standard { values } else { values.as_standard_layout().into_owned() };
        let (values, event_names) = (Arc::new(values), Arc::default());
        Ok(Self { values, event_ids: event_ids.into(), event_names, classes: None })
    }

    /// A vector for each epoch: for each channel in order the approximation coefficients after
    /// `level` steps of the wavelet transform (`pywt.wavedec(channel, wavelet, level=level)[0]`),
    /// one channel after the other, divided by the Euclidean norm of the whole. The vectors are
    /// ordered by event id, those of one id by time.
    ///
    /// # Errors
    /// There are no epochs or samples, a vector cannot be scaled, or the level is out of range.
    pub fn from_wavelet(
        epochs: &Epochs,
        wavelet: Wavelet,
        level: u32,
    ) -> Result<Self, FeatureError> {
        if level == 0 || level > Self::MAX_LEVEL {
            return Err(FeatureError::Level { level });
        }
        let samples = epochs.n_samples();
        let count = (0..level).fold(samples, |n, _| wavelet.coefficient_count(n));
        let vectors = Self::of_channels(epochs, count, |channel, features| {
            wavelet.approximate(channel, level, features);
        })?;
        vectors.with_unit_norm(epochs)
    }

    /// A vector for each epoch: for each channel in order its mean amplitude, in volts, in each
    /// of the time windows. A window's mean is that of
    /// `mne.Epochs.crop(start, end).get_data().mean(axis=-1)`: its ends are rounded to samples
    /// (`round(start * sfreq)`, half to even) and both are included. Ordered as
    /// [`Self::from_wavelet`]; not scaled.
    ///
    /// # Errors
    /// There are no epochs, samples or windows, or a window is not inside the epochs.
    pub fn from_windows(epochs: &Epochs, windows: &[TimeWindow]) -> Result<Self, FeatureError> {
        if windows.is_empty() {
            return Err(FeatureError::NoWindow);
        }
        let (samples, sfreq) = (epochs.n_samples(), epochs.sfreq());
        let range = |window: &TimeWindow| {
            let place = |time: f64| {
                let sample = (time * sfreq).round_ties_even() - epochs.info().first as f64;
                (sample >= 0.0 && sample < samples as f64).then_some(sample as usize)
            };
            let last = epochs.info().first + i64::try_from(samples).unwrap_or(i64::MAX) - 1;
            let (first, last) = (epochs.tmin(), last as f64 / sfreq);
            let ends = place(window.start).zip(place(window.end));
            ends.ok_or(FeatureError::Outside { window: *window, first, last })
        };
        if samples == 0 {
            return Err(FeatureError::NoSamples { channels: epochs.channel_count(), samples });
        }
        let ranges = windows.iter().map(range).collect::<Result<Vec<_>, _>>()?;
        Self::of_channels(epochs, ranges.len(), |channel, features| {
            for (feature, (first, last)) in features.iter_mut().zip(&ranges) {
                let window = channel.get(*first..=*last).unwrap_or_default();
                *feature = window.iter().sum::<f64>() / window.len() as f64;
            }
        })
    }

    /// `count` features of each channel of each epoch, by event id and then by time.
    fn of_channels(
        epochs: &Epochs,
        count: usize,
        features_of: impl Fn(&[f64], &mut [f64]) + Sync,
    ) -> Result<Self, FeatureError> {
        let (n_epochs, channels, samples) = epochs.shape();
        if n_epochs == 0 {
            return Err(FeatureError::NoEpochs);
        }
        if channels == 0 || samples == 0 || count == 0 {
            return Err(FeatureError::NoSamples { channels, samples });
        }
        let order = order(epochs);
        let mut values = vec![0.0; n_epochs * channels * count];
        huge_pages::advise(&mut values);
        values.par_chunks_mut(channels * count).zip(&order).for_each_init(
            || vec![0.0; samples],
            |row, (vector, epoch)| {
                for (channel, features) in vector.chunks_mut(count).enumerate() {
                    epochs.read(*epoch, channel, row);
                    features_of(row, features);
                }
            },
        );
        let ids = epochs.event_ids();
        let ids = order.iter().filter_map(|epoch| ids.get(*epoch).copied()).collect();
        let values = Array2::from_shape_vec((n_epochs, channels * count), values);
        // The shape is that of the buffer.
        let vectors = Self::new(values.unwrap_or_default(), ids)?;
        let event_names = epochs.info().ids.as_slice().into();
        Self { event_names, ..vectors }.finite(epochs)
    }

    fn finite(self, epochs: &Epochs) -> Result<Self, FeatureError> {
        let flat = self.values.as_slice().unwrap_or_default();
        let vectors = flat.par_chunks_exact(self.feature_count().max(1));
        let odd: Vec<Option<f64>> =
            vectors.map(|vector| vector.iter().copied().find(|v| !v.is_finite())).collect();
        match odd.into_iter().zip(named(epochs)).find_map(|(v, named)| Some((v?, named))) {
            Some((value, (sample, id))) => Err(FeatureError::NotFinite { sample, id, value }),
            None => Ok(self),
        }
    }

    /// The same vectors, each divided by its Euclidean norm. `epochs` are what they were made
    /// of, to name the one that cannot be scaled.
    ///
    /// # Errors
    /// [`FeatureError::ZeroNorm`].
    pub fn with_unit_norm(mut self, epochs: &Epochs) -> Result<Self, FeatureError> {
        let features = self.feature_count().max(1);
        let flat = Arc::make_mut(&mut self.values).as_slice_mut().unwrap_or_default();
        let norms: Vec<f64> = flat
            .par_chunks_exact_mut(features)
            .map(|vector| {
                let norm = norm(vector);
                vector.iter_mut().for_each(|v| *v /= norm);
                norm
            })
            .collect();
        match norms.into_iter().zip(named(epochs)).find(|(norm, _)| *norm == 0.0) {
            Some((_, (sample, id))) => Err(FeatureError::ZeroNorm { sample, id }),
            None => Ok(self),
        }
    }

    /// The vectors whose event id some label lists, in their order, with their classes: class i
    /// is entry i of the labels. Classes that the vectors had before do not matter.
    ///
    /// # Errors
    /// [`LabelError::NothingListed`] when no vector is left.
    pub fn labelled(&self, labels: &Labels) -> Result<Self, LabelError> {
        let classes: Vec<Option<usize>> =
            self.event_ids.iter().map(|id| labels.class_of(*id)).collect();
        let kept: Vec<usize> =
            classes.iter().enumerate().filter_map(|(i, class)| class.map(|_| i)).collect();
        if kept.is_empty() {
            let mut present = self.event_ids.to_vec();
            present.sort_unstable();
            present.dedup();
            return Err(LabelError::NothingListed { present });
        }
        let all = kept.len() == self.len();
        let values = if all {
            Arc::clone(&self.values)
        } else {
            Arc::new(self.values.select(Axis(0), &kept))
        };
        let event_ids = kept.iter().filter_map(|i| self.event_ids.get(*i).copied()).collect();
        let classes = Classes {
            of_vectors: classes.into_iter().flatten().collect(),
            labels: labels.names().into(),
        };
        let event_names = Arc::clone(&self.event_names);
        Ok(Self { values, event_ids, event_names, classes: Some(classes) })
    }

    /// The same vectors with these classes, one a vector, and the name of each class.
    ///
    /// # Errors
    /// [`FeatureError::Classes`] when there are more or fewer classes than vectors, or a class has
    /// no name.
    pub fn with_classes(
        self,
        classes: Vec<usize>,
        labels: Vec<String>,
    ) -> Result<Self, FeatureError> {
        if classes.len() != self.len() || classes.iter().any(|class| *class >= labels.len()) {
            let (vectors, classes, labels) = (self.len(), classes.len(), labels.len());
            return Err(FeatureError::Classes { vectors, classes, labels });
        }
        let classes = Classes { of_vectors: classes.into(), labels: labels.into() };
        Ok(Self { classes: Some(classes), ..self })
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.event_ids.len()
    }

    /// Whether there are no vectors.
    pub fn is_empty(&self) -> bool {
        self.event_ids.is_empty()
    }

    /// How many features each vector has.
    pub fn feature_count(&self) -> usize {
        self.values.ncols()
    }

    /// Vectors x features, in standard layout.
    pub fn values(&self) -> ArrayView2<'_, f64> {
        self.values.view()
    }

    /// The event id of each vector.
    pub fn event_ids(&self) -> &[i32] {
        &self.event_ids
    }

    /// The names of events with their ids, as far as they are known: those of
    /// [`EpochsInfo::ids`](crate::eeg::EpochsInfo::ids).
    pub fn event_names(&self) -> &[(String, i32)] {
        &self.event_names
    }

    /// The class of each vector; None when they are not labelled.
    pub fn classes(&self) -> Option<&[usize]> {
        self.classes.as_ref().map(|classes| &*classes.of_vectors)
    }

    /// The name of each class: its event ids with commas between. Empty when the vectors are not
    /// labelled.
    pub fn class_labels(&self) -> &[String] {
        self.classes.as_ref().map(|classes| &*classes.labels).unwrap_or_default()
    }

    /// Bytes of memory.
    pub fn byte_size(&self) -> usize {
        self.values.len() * size_of::<f64>() + self.len() * size_of::<(i32, usize)>()
    }
}

/// The Euclidean norm.
fn norm(vector: &[f64]) -> f64 {
    let direct = squares(vector, |v| v).sqrt();
    // Where squares are too small or too large for a float, all is scaled by the largest first.
    if (1e-140..1e140).contains(&direct) {
        return direct;
    }
    let largest = vector.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    if largest == 0.0 { 0.0 } else { largest * squares(vector, |v| v / largest).sqrt() }
}

/// The sum of squares, as several sums side by side.
fn squares(vector: &[f64], scaled: impl Fn(f64) -> f64) -> f64 {
    let (eights, rest) = vector.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, v)| *sum += scaled(*v).powi(2));
    }
    sums.iter_mut().zip(rest).for_each(|(sum, v)| *sum += scaled(*v).powi(2));
    sums.iter().sum()
}

/// The epochs by event id, those of one id by time.
fn order(epochs: &Epochs) -> Vec<usize> {
    let ids = epochs.event_ids();
    let mut order: Vec<usize> = (0..epochs.len()).collect();
    order.sort_by_key(|epoch| ids.get(*epoch).copied());
    order
}

/// Sample and id of the event behind each vector.
fn named(epochs: &Epochs) -> impl Iterator<Item = (i64, i32)> {
    let events = epochs.events();
    order(epochs).into_iter().filter_map(|e| events.get(e)).map(|event| (event.sample, event.id))
}
