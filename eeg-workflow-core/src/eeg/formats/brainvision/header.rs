//! The header: how samples are stored and what each channel is.

use std::collections::{BTreeMap, HashMap};

use super::super::notes::Notes;
use super::cutoffs::cutoffs;
use super::ini::{Entry, Ini};
use crate::eeg::data::{ChannelKind, Encoding, is_trigger_name};

/// More channels than any amplifier has, few enough to hold.
const MAX_CHANNELS: usize = 16_384;

/// Channels of these names are eye channels; MNE's default.
const EOG_NAMES: [&str; 3] = ["HEOGL", "HEOGR", "VEOGb"];

/// What a header says.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The name of the file with the samples; `$b` stands for the header's own name.
    pub data_file: String,
    /// The name of the file with the markers.
    pub marker_file: Option<String>,
    /// How a sample is written.
    pub format: DataFormat,
    /// The bytes of a binary sample start with the most significant one.
    pub big_endian: bool,
    /// In which order the samples lie.
    pub orientation: Orientation,
    /// Microseconds from one sample to the next.
    pub sampling_interval: f64,
    /// The channels in the order of the file.
    pub channels: Vec<HeaderChannel>,
    /// The file holds one channel more, which nobody describes (`.ahdr`).
    pub extra_channel: bool,
    /// Cut-off in Hz of the amplifier's or the recorder's high-pass, where the comment has it.
    pub highpass: Option<f64>,
    /// Cut-off in Hz of the amplifier's or the recorder's low-pass, where the comment has it.
    pub lowpass: Option<f64>,
    /// What was assumed of channels, in sentences.
    pub notes: Vec<String>,
}

/// How a sample is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataFormat {
    /// As bytes.
    Binary(Encoding),
    /// As decimal numbers in text.
    Ascii {
        /// The decimal sign is a comma.
        decimal_comma: bool,
        /// Lines before the first number.
        skip_lines: usize,
        /// Columns before the first number of a line.
        skip_columns: usize,
    },
}

/// In which order the samples lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orientation {
    /// All channels of the first sample, then of the second …
    Multiplexed,
    /// All samples of the first channel, then of the second …
    Vectorized,
}

/// A channel as a header describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct HeaderChannel {
    /// The name, unique in the header.
    pub name: String,
    /// What it measures, as far as name, unit and coordinates tell.
    pub kind: ChannelKind,
    /// Units a step.
    pub resolution: f64,
    /// The unit, `µV` where there is none.
    pub unit: String,
}

impl HeaderChannel {
    /// SI units a step: the factor of the unit times the resolution, rounded once. The numbers of
    /// triggers have no unit.
    pub fn gain(&self) -> f64 {
        match self.kind {
            ChannelKind::Stim => self.resolution,
            _ => unit_factor(&self.unit) * self.resolution,
        }
    }
}

/// What is wrong with a header.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// A key that must be there is not.
    #[error("no {key} in [{section}]")]
    Missing {
        /// The section.
        section: &'static str,
        /// The key.
        key: &'static str,
    },
    /// A value that cannot be.
    #[error("line {line}: {key}={value:?} is not {expected}")]
    Value {
        /// The line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A channel has no entry.
    #[error("no Ch{number} in [Channel Infos], though there are {count} channels")]
    MissingChannel {
        /// The channel, from 1.
        number: usize,
        /// `NumberOfChannels`.
        count: usize,
    },
    /// A file that the header names is not there, nor one that could be meant.
    #[error("{key} names {name:?}, which is not beside the header; neither is {instead}")]
    NoSuchFile {
        /// The key.
        key: &'static str,
        /// The file's name.
        name: String,
        /// What the file could be called as well.
        instead: String,
    },
    /// A file name that is not a plain name in the header's folder.
    #[error("file name {name:?} is not a plain name: files are read from the header's folder only")]
    FileName {
        /// The name.
        name: String,
    },
}

/// An entry whose value is not what it should be.
fn bad(entry: Entry<'_>, expected: &'static str) -> HeaderError {
    HeaderError::Value {
        line: entry.line,
        key: entry.key.to_owned(),
        value: entry.value.chars().take(200).collect(),
        expected,
    }
}

impl Header {
    /// Samples a second, in Hz.
    pub fn sfreq(&self) -> f64 {
        1e6 / self.sampling_interval
    }

    /// Channels in the data file.
    pub fn stored_channels(&self) -> usize {
        self.channels.len() + usize::from(self.extra_channel)
    }

    /// Reads the text of a header. The first line is not looked at: what it names is a version
    /// that has never told anything apart.
    ///
    /// # Errors
    /// [`HeaderError`] with the line, where there is one.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let ini = Ini::parse(text);
        let common = |key: &'static str| {
            let section = "Common Infos";
            ini.get(section, key).ok_or(HeaderError::Missing { section, key })
        };
        let data_file = common("DataFile")?;
        if data_file.value.is_empty() {
            return Err(bad(data_file, "a file name"));
        }
        let marker_file = ini.get("Common Infos", "MarkerFile");
        if let Some(domain) = ini.get("Common Infos", "DataType")
            && !domain.value.is_empty()
            && !domain.value.eq_ignore_ascii_case("TIMEDOMAIN")
        {
            return Err(bad(domain, "TIMEDOMAIN, the only domain that is read"));
        }
        let orientation = common("DataOrientation")?;
        let big_endian = match ini.get("Binary Infos", "UseBigEndianOrder") {
            None => false,
            Some(order) => match order.value.to_ascii_uppercase().as_str() {
                "YES" | "TRUE" | "1" => true,
                "" | "NO" | "FALSE" | "0" => false,
                _ => return Err(bad(order, "YES or NO")),
            },
        };
        let format = common("DataFormat")?;
        let interval = common("SamplingInterval")?;
        let sampling_interval = match positive(interval.value) {
            Some(micros) if (1e6 / micros).is_finite() => micros,
            _ => return Err(bad(interval, "a time in microseconds")),
        };
        let count = common("NumberOfChannels")?;
        let mut notes = Notes::default();
        let channels = match count.value.parse::<usize>() {
            Ok(n) if (1..=MAX_CHANNELS).contains(&n) => parse_channels(&ini, n, &mut notes)?,
            _ => return Err(bad(count, "a number of channels from 1 to 16384")),
        };
        let (highpass, lowpass) = cutoffs(ini.comment, channels.len());
        Ok(Self {
            data_file: data_file.value.to_owned(),
            marker_file: marker_file.map(|e| e.value.to_owned()).filter(|name| !name.is_empty()),
            format: parse_format(&ini, format.value)?,
            big_endian,
            orientation: match orientation.value {
                "MULTIPLEXED" => Orientation::Multiplexed,
                "VECTORIZED" => Orientation::Vectorized,
                _ => return Err(bad(orientation, "MULTIPLEXED or VECTORIZED")),
            },
            sampling_interval,
            channels,
            extra_channel: false,
            highpass,
            lowpass,
            notes: notes.into_sentences().collect(),
        })
    }
}

fn positive(text: &str) -> Option<f64> {
    let number = text.parse::<f64>().ok()?;
    (number.is_finite() && number > 0.0).then_some(number)
}

fn parse_format(ini: &Ini<'_>, data_format: &str) -> Result<DataFormat, HeaderError> {
    if data_format == "BINARY" {
        let (section, key) = ("Binary Infos", "BinaryFormat");
        let entry = ini.get(section, key).ok_or(HeaderError::Missing { section, key })?;
        return match entry.value {
            "INT_16" => Ok(DataFormat::Binary(Encoding::Int16)),
            "INT_32" => Ok(DataFormat::Binary(Encoding::Int32)),
            "IEEE_FLOAT_32" => Ok(DataFormat::Binary(Encoding::Float32)),
            _ => Err(bad(entry, "INT_16, INT_32 or IEEE_FLOAT_32")),
        };
    }
    let number = |key| match ini.get("ASCII Infos", key) {
        None => Ok(0),
        Some(entry) if entry.value.is_empty() => Ok(0),
        Some(entry) => entry.value.parse().map_err(|_| bad(entry, "a count")),
    };
    Ok(DataFormat::Ascii {
        decimal_comma: ini.get("ASCII Infos", "DecimalSymbol").is_some_and(|e| e.value != "."),
        skip_lines: number("SkipLines")?,
        skip_columns: number("SkipColumns")?,
    })
}

/// The number in `Ch<number>`.
fn channel_number(key: &str) -> Option<usize> {
    let (prefix, digits) = key.split_at_checked(2)?;
    let is_channel =
        prefix.eq_ignore_ascii_case("ch") && digits.bytes().all(|b| b.is_ascii_digit());
    is_channel.then(|| digits.parse().ok())?
}

fn parse_channels(
    ini: &Ini<'_>,
    count: usize,
    notes: &mut Notes,
) -> Result<Vec<HeaderChannel>, HeaderError> {
    let mut by_number = BTreeMap::new();
    for entry in ini.section("Channel Infos") {
        match channel_number(entry.key) {
            Some(number) if (1..=count).contains(&number) => by_number.insert(number, entry),
            Some(_) => {
                return Err(bad(entry, "one of the channels that NumberOfChannels counts"));
            }
            None => continue,
        };
    }
    let mut channels = Vec::with_capacity(by_number.len());
    for number in 1..=count {
        let entry = by_number.get(&number);
        let entry = entry.ok_or(HeaderError::MissingChannel { number, count })?;
        channels.push(parse_channel(*entry)?);
    }
    for entry in ini.section("Coordinates") {
        let channel = channel_number(entry.key).and_then(|n| channels.get_mut(n.checked_sub(1)?));
        // A channel at the origin is on no head.
        if let Some(channel) = channel
            && is_origin(entry.value)
            && !matches!(channel.kind, ChannelKind::Eog | ChannelKind::Stim | ChannelKind::Misc)
        {
            channel.kind = ChannelKind::Misc;
            notes.add(&channel.name, "no place on the head, so of kind misc".to_owned());
        }
    }
    number_duplicates(&mut channels);
    for HeaderChannel { name, kind, unit, .. } in &channels {
        match kind {
            ChannelKind::Eeg => notes.add_other_signal(name),
            ChannelKind::Misc if !is_voltage(unit) => {
                notes.add(name, format!("in {unit:?}, which is not a voltage, so of kind misc"));
            }
            _ => {}
        }
    }
    Ok(channels)
}

fn is_voltage(unit: &str) -> bool {
    matches!(without_greek(unit).as_str(), "V" | "mV" | "µV" | "uV" | "nV")
}

/// `name,reference,resolution,unit`, of which the last may be missing or empty.
fn parse_channel(entry: Entry<'_>) -> Result<HeaderChannel, HeaderError> {
    let mut fields = entry.value.split(',');
    let name = fields.next().unwrap_or("").replace("\\1", ",");
    let resolution = match fields.nth(1).unwrap_or("").trim() {
        "" => 1.0,
        text => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => number,
            _ => return Err(bad(entry, "a channel with a number as its resolution")),
        },
    };
    // Â is what UTF-8's µ leaves in front of it when it is read as Latin-1.
    let unit = fields.next().unwrap_or("").replace('\u{c2}', "");
    let unit = match unit.trim() {
        "" => "µV",
        unit => unit,
    };
    let kind = if EOG_NAMES.contains(&name.as_str()) {
        ChannelKind::Eog
    } else if is_trigger_name(&name) {
        ChannelKind::Stim
    } else if !is_voltage(unit) {
        ChannelKind::Misc
    } else {
        ChannelKind::Eeg
    };
    Ok(HeaderChannel { name, kind, resolution, unit: unit.to_owned() })
}

/// The Greek letter mu as the micro sign.
fn without_greek(unit: &str) -> String {
    unit.replace('\u{3bc}', "µ")
}

/// SI units in one of a channel's unit.
fn unit_factor(unit: &str) -> f64 {
    match without_greek(unit).as_str() {
        "mV" => 1e-3,
        "µV" | "uV" | "µS" | "uS" => 1e-6,
        "nV" => 1e-9,
        _ => 1.0,
    }
}

/// Whether `radius,theta,phi` is the origin.
fn is_origin(coordinates: &str) -> bool {
    let numbers: Result<Vec<f64>, _> =
        coordinates.split(',').take(3).map(|c| c.trim().parse()).collect();
    matches!(numbers.as_deref(), Ok([radius, _, _]) if *radius == 0.0)
}

/// Names that occur more than once get a running number, `Cz-0`, `Cz-1` …, as MNE gives them.
fn number_duplicates(channels: &mut [HeaderChannel]) {
    let mut counts: HashMap<String, (usize, usize)> = HashMap::new();
    for channel in channels.iter() {
        counts.entry(channel.name.clone()).or_default().0 += 1;
    }
    for channel in channels {
        if let Some((count, next)) = counts.get_mut(&channel.name)
            && *count > 1
        {
            channel.name = format!("{}-{next}", channel.name);
            *next += 1;
        }
    }
}
