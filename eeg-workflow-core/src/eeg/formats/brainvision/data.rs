//! The data file.

use std::path::Path;

use ndarray::Array2;

use super::super::ReadError;
use super::header::{DataFormat, Header, Orientation};
use crate::eeg::data::{StoredSamples, StoredSamplesError};

/// What is wrong with a data file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// There are no samples in it.
    #[error(transparent)]
    Empty(#[from] StoredSamplesError),
    /// A word that should be a number.
    #[error("line {line}: {text:?} is not a number")]
    Number {
        /// The line, from 1.
        line: usize,
        /// The word.
        text: String,
    },
    /// A line or a channel with more or fewer numbers than the others.
    #[error("line {line}: {found} numbers instead of {expected}")]
    Count {
        /// The line, from 1.
        line: usize,
        /// Numbers in it.
        found: usize,
        /// Numbers that there should be.
        expected: usize,
    },
    /// A text file with fewer lines than channels.
    #[error("{found} lines instead of one for each of {expected} channels")]
    Lines {
        /// Lines with numbers.
        found: usize,
        /// Channels.
        expected: usize,
    },
}

/// The samples of a data file.
pub(super) enum Values {
    Stored(StoredSamples),
    /// Channels x samples.
    Volts(Array2<f64>),
}

/// The samples in the bytes of a data file; `path` is for messages.
pub(super) fn parse(mut bytes: Vec<u8>, path: &Path, header: &Header) -> Result<Values, ReadError> {
    let values = match header.format {
        DataFormat::Binary(encoding) => {
            if header.big_endian {
                // Samples are kept in the order that nearly all files have.
                bytes.chunks_exact_mut(encoding.size()).for_each(<[u8]>::reverse);
            }
            let gains: Vec<f64> = header.channels.iter().map(|c| c.gain()).collect();
            let multiplexed = header.orientation == Orientation::Multiplexed;
            StoredSamples::new(bytes, encoding, multiplexed, header.stored_channels(), &gains)
                .map(Values::Stored)
                .map_err(DataError::from)
        }
        DataFormat::Ascii { decimal_comma, skip_lines, skip_columns } => {
            let text = String::from_utf8_lossy(&bytes);
            let ascii = Ascii { decimal_comma, skip_columns, channels: header.stored_channels() };
            let lines = text.lines().enumerate().skip(skip_lines);
            let lines = lines.map(|(i, line)| (i + 1, line));
            // The end of a file may be empty; a gap in its middle is not.
            let lines: Vec<_> = lines.filter(|(_, line)| !line.trim().is_empty()).collect();
            match header.orientation {
                Orientation::Multiplexed => ascii.multiplexed(&lines),
                Orientation::Vectorized => ascii.vectorized(&lines),
            }
            .map(|mut values| {
                for (mut row, channel) in values.rows_mut().into_iter().zip(&header.channels) {
                    let gain = channel.gain();
                    row.mapv_inplace(|v| v * gain);
                }
                Values::Volts(first_rows(values, header.channels.len()))
            })
        }
    };
    values.map_err(|problem| ReadError::Data { path: path.to_owned(), problem })
}

/// Without the channel that nobody describes, if there is one.
fn first_rows(values: Array2<f64>, rows: usize) -> Array2<f64> {
    if rows >= values.nrows() {
        return values;
    }
    values.select(ndarray::Axis(0), &(0..rows).collect::<Vec<_>>())
}

/// How numbers are written.
struct Ascii {
    decimal_comma: bool,
    skip_columns: usize,
    channels: usize,
}

type Lines<'t> = [(usize, &'t str)];

impl Ascii {
    /// A line a sample.
    fn multiplexed(&self, lines: &Lines<'_>) -> Result<Array2<f64>, DataError> {
        if lines.is_empty() {
            return Err(self.empty());
        }
        // Grown by what is there, not made by what the header promises.
        let mut flat = Vec::new();
        for (line, text) in lines {
            flat.extend(self.numbers(*line, text, Some(self.channels))?);
        }
        let by_time = Array2::from_shape_vec((lines.len(), self.channels), flat);
        let by_time = by_time.map_err(|_| self.empty())?;
        Ok(by_time.t().as_standard_layout().into_owned())
    }

    /// A line a channel.
    fn vectorized(&self, lines: &Lines<'_>) -> Result<Array2<f64>, DataError> {
        let Some(lines) = lines.get(..self.channels) else {
            return Err(DataError::Lines { found: lines.len(), expected: self.channels });
        };
        let mut flat = Vec::new();
        let mut n_samples = None;
        for (line, text) in lines {
            let numbers = self.numbers(*line, text, n_samples)?;
            n_samples = Some(numbers.len());
            flat.extend(numbers);
        }
        let shape = (self.channels, n_samples.unwrap_or(0));
        if shape.1 == 0 {
            return Err(self.empty());
        }
        Array2::from_shape_vec(shape, flat).map_err(|_| self.empty())
    }

    fn empty(&self) -> DataError {
        DataError::Empty(StoredSamplesError::Empty { bytes: 0, channels: self.channels })
    }

    /// The numbers of a line behind the columns to skip. Without `expected` any number of them.
    fn numbers(
        &self,
        line: usize,
        text: &str,
        expected: Option<usize>,
    ) -> Result<Vec<f64>, DataError> {
        let text = if self.decimal_comma { text.replace(',', ".") } else { text.to_owned() };
        let text = text.trim();
        let words: Vec<&str> = if text.contains(char::is_whitespace) {
            text.split_whitespace().collect()
        } else {
            text.split(',').map(str::trim).collect()
        };
        // Some writers count columns to skip that are not there.
        let skip = if expected == Some(words.len()) { 0 } else { self.skip_columns };
        let words = words.get(skip..).unwrap_or(&[]);
        if let Some(expected) = expected
            && words.len() != expected
        {
            return Err(DataError::Count { line, found: words.len(), expected });
        }
        let number = |word: &&str| {
            word.parse()
                .map_err(|_| DataError::Number { line, text: word.chars().take(100).collect() })
        };
        words.iter().map(number).collect()
    }
}
