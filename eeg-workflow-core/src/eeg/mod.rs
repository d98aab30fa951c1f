//! EEG recordings and what is done with them: reading, filters, events, epochs, averages, spectra,
//! pictures.
//!
//! This part of the library knows nothing of blocks or workflows and can be used alone. Its parts,
//! each of which uses only those above it:
//!
//! | module | what is in it |
//! |---|---|
//! | [`data`] | recordings, events, epochs, averages |
//! | [`signal`] | filters, references, resampling, cutting epochs, averages, spectra, wavelets |
//! | [`formats`] | readers of recording files |
//! | [`learn`] | features, classifiers, their validation |
//! | [`plot`] | plots of all of these |
//!
//! Everything but the formats' own types can be named from here: `eeg::Recording`.
//!
//! Signals are in volts (other quantities in their SI unit), times in seconds, rates in Hz;
//! arrays are channels x samples. The numbers agree with MNE-Python 1.13, whose rules are named
//! where they are followed.
//!
//! ```no_run
//! use eeg_workflow_core::eeg;
//!
//! let recording = eeg::read("DoD_2015_02.vhdr".as_ref())?;
//! println!("{:?} at {} Hz", recording.shape(), recording.sfreq());
//! let events = recording.events()?;
//! let cz = recording.pick_channels(&["Cz"])?;
//! let filter = eeg::FirFilter::band(cz.sfreq(), Some(0.1), Some(30.0))?;
//! let epochs = eeg::Epochs::extract(&filter.apply(cz), &eeg::EpochOptions::default())?;
//! let average = epochs.average()?;
//! let png = eeg::plot_epochs(&epochs, eeg_workflow_core::picture::Format::Png)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Agreement
//! The worst deviations from MNE-Python 1.13.2 on six recordings and on made-up ones, relative
//! to the largest value of the channel (of the coefficients) that is compared. Allowed is 1e-9
//! of it and 1e-13 of the input, whose offsets of millivolts leave their rounding behind.
//!
//! | what | function | worst |
//! |---|---|---|
//! | [`FirFilter::band`] | `mne.filter.create_filter` | 3.6e-15 |
//! | [`FirFilter::apply`] | `raw.filter` | 2.6e-13 |
//! | [`FirFilter::notch`] | `raw.notch_filter` | 4.0e-15 |
//! | [`Epochs::extract`] | `mne.Epochs` | 3.7e-13 |
//! | [`Epochs::average`], [`Epochs::averages`] | `epochs.average` | 4.7e-13 |
//! | [`EpochImage::of`] | `epochs.plot_image` | 1.8e-14 |
//! | [`Recording::rereferenced`] | `raw.set_eeg_reference` | 0 |
//! | [`Recording::resampled`] | `raw.resample` | 1.8e-15 |
//! | [`PowerSpectrum::welch`] | `raw.compute_psd("welch")` | 2.1e-15 |
//!
//! Samples, events, ids, shapes, times and drop logs ([`Epochs::without_artefacts`] too) are
//! equal.
//!
//! # Decisions
//! Where MNE is silent about what would spoil a result, this library is not:
//!
//! - Features come from EEG channels ([`Epochs::pick_kind`]) unless channels are named. Of all
//!   channels a trigger line would be the one that decides every classification.
//! - A low cut-off of 0 Hz is none, as in MNE.
//! - Pauses of BrainVision recordings (`New Segment`) are seams, as the gaps of EDF+D are, and not
//!   events, unless [`NewSegments::Events`](formats::NewSegments) asks for what MNE makes of them.
//! - Trigger lines and annotations are events together ([`EventSource`](formats::EventSource)).
//! - Samples that are NaN or infinite spoil what a direct computation would make of them, not whole
//!   channels: [`FirFilter::apply`], [`Recording::resampled`], [`Recording::rereferenced`] and
//!   [`PowerSpectrum::welch`] say what that is, and [`Epochs::without_artefacts`] drops their epochs.
//! - Units obey their prefixes, channels in anything but volts are misc.
//!   [`read_with_notes`](formats::read_with_notes) tells what was assumed.

pub mod data;
pub mod formats;
#[cfg(feature = "learn")]
pub mod learn;
#[cfg(feature = "plots")]
pub mod plot;
pub mod signal;

pub use data::{
    Annotation, Channel, ChannelKind, DropLogEntry, Encoding, Epochs, EpochsInfo, EpochsShapeError,
    Event, EventError, EventNumbering, Events, Evoked, Info, Recording, RecordingError,
    StoredSamples, StoredSamplesError, Timestamp, events_from_annotations,
};
pub use formats::{ReadError, read, read_inside};
#[cfg(feature = "learn")]
pub use learn::{
    FeatureError, FeatureVectors, FoldScore, LabelError, Labels, Lda, LdaError, Model, ModelError,
    ModelFileError, Predictions, Shrinkage, Split, SplitError, Standardization, TimeWindow,
    TimeWindowError, Weights, area_under_curve, confusion_matrix, mean_area_under_curve, network,
    stratified_k_fold, train_test_split,
};
#[cfg(all(feature = "learn", feature = "plots"))]
pub use plot::TrainingPlot;
#[cfg(feature = "plots")]
pub use plot::{
    EegPlot, EpochImage, ErpError, plot_averages, plot_epochs, plot_erp, plot_evoked, plot_spectrum,
};
pub use signal::{
    ArtefactLimits, AverageError, EpochError, EpochOptions, FirError, FirFilter, PowerSpectrum,
    Repeated, ResampleError, SpectrumError, UnknownWavelet, Wavelet, WelchOptions,
};
