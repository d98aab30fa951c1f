//! What is done to signals: filters, references, resampling, epochs, averages, spectra.

mod average;
mod convolve;
mod epoching;
mod filter;
mod fir;
mod gaps;
mod reference;
mod rejection;
pub(super) mod resample;
mod spectrum;
mod wavelet;

pub use average::AverageError;
pub use epoching::{EpochError, EpochOptions, Repeated};
pub use fir::{FirError, FirFilter};
pub use rejection::ArtefactLimits;
pub use resample::ResampleError;
pub use spectrum::{PowerSpectrum, SpectrumError, WelchOptions};
pub use wavelet::{UnknownWavelet, Wavelet};
