//! EEG recordings and what is done with them: reading, filters, events, epochs, averages, spectra,
//! pictures.
//!
//! This part of the library knows nothing of blocks or workflows and can be used alone.
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
//! Samples, events, ids, shapes, times and drop logs ([`Epochs::without_artifacts`] too) are
//! equal.

mod annotation;
mod artifacts;
mod average;
mod convolve;
mod epoch_image;
mod epoching;
mod epochs;
mod erp;
mod events;
mod evoked;
mod features;
mod filter;
mod fir;
pub mod formats;
mod labels;
mod lda;
mod model;
pub mod network;
mod plot;
mod recording;
mod reference;
mod resample;
mod samples;
mod spectrum;
mod spectrum_plot;
mod split;
mod timestamp;
mod training_plot;
mod triggers;
mod validation;
mod wavelet;

pub use annotation::Annotation;
pub use artifacts::ArtifactLimits;
pub use average::AverageError;
pub use epoch_image::{EpochImage, plot_epochs, plot_evoked};
pub use epoching::{EpochError, EpochOptions, Repeated};
pub use epochs::{DropLogEntry, Epochs, EpochsInfo, EpochsShapeError};
pub use erp::{ErpError, plot_averages, plot_erp};
pub use events::{Event, EventError, EventNumbering, Events, events_from_annotations};
pub use evoked::Evoked;
pub use features::{FeatureError, FeatureVectors, TimeWindow, TimeWindowError};
pub use fir::{FirError, FirFilter};
pub use formats::{ReadError, read, read_inside};
pub use labels::{LabelError, Labels};
pub use lda::{FoldScore, Lda, LdaError, Shrinkage};
pub use model::{Model, ModelError, ModelFileError, Predictions, Weights};
pub use plot::EegPlot;
pub use recording::{Channel, ChannelKind, Info, Recording, RecordingError};
pub use resample::ResampleError;
pub use samples::{Encoding, StoredSamples, StoredSamplesError};
pub use spectrum::{PowerSpectrum, SpectrumError, WelchOptions};
pub use spectrum_plot::plot_spectrum;
pub use split::{Split, SplitError, stratified_k_fold, train_test_split};
pub use timestamp::Timestamp;
pub use training_plot::TrainingPlot;
pub use validation::{area_under_curve, confusion_matrix, mean_area_under_curve};
pub use wavelet::{UnknownWavelet, Wavelet};
