//! The block that estimates power spectra.

use ndarray::Array2;

use super::EEG_DATA;
use super::non_finite;
use super::plot::{format, shown, with_format};
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, Value,
};
use crate::eeg::{
    PowerSpectrum as Spectrum, Recording, SpectrumError, WelchOptions, plot_spectrum,
};

const LENGTH: &str = "Segment Length";
const OVERLAP: &str = "Overlap";
const LOWEST: &str = "Lowest Frequency";
const HIGHEST: &str = "Highest Frequency";
const SHOW: &str = "Show";

/// Estimates the power spectral density of the EEG channels by Welch's method; shows it as a
/// picture or as a table.
pub(super) struct PowerSpectrum(BlockSpec);

impl PowerSpectrum {
    pub(super) fn new() -> Self {
        let spec = BlockSpec::new("PowerSpectrum")
            .with_family("Visualization")
            .with_description("Power spectral density by Welch's method")
            .input(EEG_DATA, PortType::EEG_DATA, 1..=1)
            .parameter(
                LENGTH,
                PortType::NUMBER,
                "1024",
                "Samples of a segment; frequencies are the sampling rate divided by it apart",
            )
            .parameter(OVERLAP, PortType::NUMBER, "0", "Samples that segments share")
            .parameter(LOWEST, PortType::NUMBER, "0", "Hz")
            .parameter(HIGHEST, PortType::NUMBER, "None", "Hz; None means the highest there is")
            .parameter(SHOW, PortType::STRING, "picture", "Either, 'picture' or 'table'")
            .output("Spectrum", PortType::OBJECT);
        Self(with_format(spec))
    }
}

impl Block for PowerSpectrum {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let recording = inputs.object::<Recording>(EEG_DATA)?;
        let default = WelchOptions::default();
        let options = WelchOptions {
            n_fft: whole(cx, LENGTH)?.unwrap_or(default.n_fft),
            n_overlap: whole(cx, OVERLAP)?.unwrap_or(default.n_overlap),
            fmin: cx.float(LOWEST)?.unwrap_or(default.fmin),
            fmax: cx.float(HIGHEST)?.unwrap_or(default.fmax),
        };
        non_finite::tell(cx, &recording, "the spectrum is made of the other samples");
        let spectrum = Spectrum::welch(&recording, &options).map_err(|error| match error {
            SpectrumError::Segment { .. } => BlockError::parameter(LENGTH, error),
            SpectrumError::Overlap { .. } => BlockError::parameter(OVERLAP, error),
            SpectrumError::Range { fmin, fmax } => {
                let is_lowest = (fmin.is_nan() || fmin > 0.0) && fmax > 0.0;
                BlockError::parameter(if is_lowest { LOWEST } else { HIGHEST }, error)
            }
            _ => BlockError::input(EEG_DATA, error),
        })?;
        let display = match cx.text(SHOW).trim() {
            "table" => table(&spectrum),
            "" | "None" | "picture" => {
                let format = format(cx)?;
                let picture = plot_spectrum(&spectrum, format).map_err(BlockError::from_error)?;
                shown("spectrum", format, picture)
            }
            other => {
                let problem = format!("\"{other}\" is neither picture nor table");
                return Err(BlockError::parameter(SHOW, problem));
            }
        };
        Ok(Outputs::one(array(&spectrum)).show(display))
    }
}

/// A whole number of samples.
fn whole(cx: &Context<'_>, parameter: &str) -> Result<Option<usize>, BlockError> {
    match cx.float(parameter)? {
        None => Ok(None),
        Some(number) if number >= 0.0 && number.fract() == 0.0 && number < 4e9 => {
            Ok(Some(number as usize))
        }
        Some(number) => {
            let problem = format!("{number} is not a number of samples");
            Err(BlockError::parameter(parameter, problem))
        }
    }
}

/// Frequencies in the first column, the power of each channel in µV²/Hz in the others.
fn table(spectrum: &Spectrum) -> Display {
    let mut columns = vec!["frequency (Hz)".to_owned()];
    columns.extend(spectrum.channels.iter().map(|c| format!("{} (µV²/Hz)", c.name)));
    let row = |(k, frequency): (usize, &f64)| {
        let powers = spectrum.power.column(k);
        let powers = powers.iter().map(|power| format!("{:.6e}", power * 1e12));
        std::iter::once(format!("{frequency:.4}")).chain(powers).collect()
    };
    let rows = spectrum.freqs.iter().enumerate().map(row).collect();
    Display::Table { columns: columns.into(), rows }
}

/// The frequencies, then the power of each channel in V²/Hz: (1 + channels) x frequencies.
fn array(spectrum: &Spectrum) -> Value {
    let (channels, freqs) = spectrum.power.dim();
    let whole = Array2::from_shape_fn((channels + 1, freqs), |(row, k)| {
        let frequency = spectrum.freqs.get(k).copied().unwrap_or(f64::NAN);
        let power = |row: usize| spectrum.power.get((row, k)).copied().unwrap_or(f64::NAN);
        row.checked_sub(1).map_or(frequency, power)
    });
    Value::from(whole.into_dyn())
}
