//! Plots of recordings, epochs, averages, spectra and trainings.

mod curve;
mod eeg_plot;
mod epoch_image;
mod erp;
mod spectrum_plot;
#[cfg(feature = "learn")]
mod training_plot;

pub use eeg_plot::EegPlot;
pub use epoch_image::{EpochImage, plot_epochs, plot_evoked};
pub use erp::{ErpError, plot_averages, plot_erp};
pub use spectrum_plot::plot_spectrum;
#[cfg(feature = "learn")]
pub use training_plot::TrainingPlot;
