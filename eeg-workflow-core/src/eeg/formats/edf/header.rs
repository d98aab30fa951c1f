//! The header: 256 bytes of text on the recording, then 256 on each signal.

use super::super::notes::Notes;
use super::EdfError;
use super::labels::number_duplicates;
use crate::eeg::data::{Channel, ChannelKind, Encoding, Timestamp, is_trigger_name};

/// Bytes of the fixed part, and of what each signal adds to it.
const PART: usize = 256;

/// What a header says.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// How a sample is written: 16 bits in EDF, 24 in BDF.
    pub encoding: Encoding,
    /// Records need not follow each other without a gap (`EDF+D`, `BDF+D`).
    pub discontinuous: bool,
    /// When the recording began, to the second.
    pub meas_date: Option<Timestamp>,
    /// Seconds that a data record lasts.
    pub record_duration: f64,
    /// The signals in the order of the file, annotations among them.
    pub signals: Vec<Signal>,
    /// Cut-off in Hz of the high-pass that the header notes, the highest of all signals.
    pub highpass: Option<f64>,
    /// Cut-off in Hz of the low-pass that the header notes, the lowest of all signals.
    pub lowpass: Option<f64>,
}

/// A signal as a header describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The label; of those that are channels unique in the header.
    pub name: String,
    /// What is in its samples.
    pub content: Content,
    /// Samples a data record.
    pub samples: usize,
    /// Where its samples start in a data record, in bytes.
    pub offset: usize,
}

/// What the samples of a signal are.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Text, not numbers: the annotations of EDF+ and BDF+.
    Annotations,
    /// A quantity that was measured.
    Quantity {
        /// Its unit, `µV` in one spelling.
        unit: String,
        /// The unit as the header has it.
        stated_unit: String,
        /// Whether that is volts with or without a prefix, or nothing at all.
        is_voltage: bool,
        /// The SI unit in that unit.
        factor: f64,
        /// `value = (stored * gain + offset) * factor`
        gain: f64,
        /// See `gain`.
        offset: f64,
    },
    /// A trigger line (`Status`, `Trigger` and the like), of which the lowest 17 bits count.
    Trigger {
        /// `value = stored * gain + offset`
        gain: f64,
        /// See `gain`.
        offset: f64,
    },
}

impl Signal {
    /// Whether it has samples that are numbers.
    fn is_channel(&self) -> bool {
        self.content != Content::Annotations && self.samples > 0
    }

    /// The channel that the signal is, None for annotations.
    pub(super) fn to_channel(&self) -> Option<Channel> {
        let (kind, unit) = match &self.content {
            Content::Annotations => return None,
            Content::Quantity { unit, is_voltage: true, .. } => (ChannelKind::Eeg, unit.clone()),
            Content::Quantity { unit, .. } => (ChannelKind::Misc, unit.clone()),
            Content::Trigger { .. } => (ChannelKind::Stim, String::new()),
        };
        Some(Channel { name: self.name.clone(), kind, unit })
    }
}

impl Header {
    /// Reads the header that a file starts with.
    ///
    /// # Errors
    /// [`EdfError`] with the byte, where there is one.
    pub fn parse(bytes: &[u8]) -> Result<Self, EdfError> {
        let encoding = encoding(bytes)?;
        let reserved = text(bytes, 192, 44)?;
        let n_signals = Field::new(bytes, 252, 4, "number of signals")?.positive()?;
        let size = Self::size_for(n_signals);
        if bytes.len() < size {
            return Err(EdfError::Short { size: bytes.len(), signals: n_signals, needed: size });
        }
        let stated = Field::new(bytes, 184, 8, "length of the header")?;
        if stated.positive()? != size {
            return Err(stated.is_not("256 bytes and 256 for each signal"));
        }
        let duration = Field::new(bytes, 244, 8, "duration of a data record")?;
        let record_duration = match duration.number()? {
            // Files of nothing but annotations; MNE takes a second too.
            0.0 => 1.0,
            seconds if seconds > 0.0 => seconds,
            _ => return Err(duration.is_not("a time in seconds")),
        };
        let table = Table { bytes, n_signals };
        let mut signals = Vec::with_capacity(n_signals);
        let mut record = 0_usize;
        for place in 0..n_signals {
            let signal = table.signal(place, record)?;
            let bytes = signal.samples.checked_mul(encoding.size());
            record = bytes
                .and_then(|bytes| record.checked_add(bytes))
                .ok_or(EdfError::RecordSize { signals: n_signals })?;
            signals.push(Signal { offset: record - bytes.unwrap_or(0), ..signal });
        }
        name_channels(&mut signals, encoding);
        let (highpass, lowpass) = table.cutoffs(&signals);
        Ok(Self {
            encoding,
            discontinuous: reserved.starts_with("EDF+D") || reserved.starts_with("BDF+D"),
            meas_date: meas_date(bytes),
            record_duration,
            signals,
            highpass,
            lowpass,
        })
    }

    /// Bytes of the header.
    pub fn size(&self) -> usize {
        Self::size_for(self.signals.len())
    }

    /// Samples a second, in Hz, of the channels with the most.
    pub fn sfreq(&self) -> f64 {
        self.most_samples() as f64 / self.record_duration
    }

    /// The signals that are channels.
    pub(super) fn channels(&self) -> impl Iterator<Item = &Signal> {
        self.signals.iter().filter(|s| s.is_channel())
    }

    /// What was assumed of signals and which were left out, in sentences.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Notes::default();
        for signal in &self.signals {
            let name = &signal.name;
            match &signal.content {
                Content::Annotations => {}
                _ if signal.samples == 0 => notes.add(name, "no samples, so left out".to_owned()),
                Content::Trigger { .. } => {}
                Content::Quantity { stated_unit, is_voltage: false, .. } => {
                    let told =
                        format!("in {stated_unit:?}, which is not a voltage, so of kind misc");
                    notes.add(name, told);
                }
                Content::Quantity { unit, stated_unit, factor, .. } => {
                    if stated_unit.is_empty() {
                        notes.add(name, "no unit, taken to be in volts".to_owned());
                    } else if !matches!(unit.as_str(), "V" | "mV" | "µV") || is_odd(stated_unit) {
                        let told = format!("unit {stated_unit:?}, read as {unit} ({factor:e} V)");
                        notes.add(name, told);
                    }
                    notes.add_other_signal(name);
                }
            }
        }
        notes.into_sentences().collect()
    }

    /// The signals that are none.
    pub(super) fn annotation_signals(&self) -> impl Iterator<Item = &Signal> {
        self.signals.iter().filter(|s| s.content == Content::Annotations)
    }

    /// The most samples that a record holds of a channel.
    pub(super) fn most_samples(&self) -> usize {
        self.channels().map(|s| s.samples).max().unwrap_or(0)
    }

    fn size_for(n_signals: usize) -> usize {
        PART * (n_signals + 1)
    }

    /// Bytes of a data record.
    pub fn record_size(&self) -> usize {
        self.signals.iter().map(|s| s.samples * self.encoding.size()).sum()
    }
}

/// Whether a file that starts like this is EDF or BDF.
pub(super) fn is_header(start: &[u8]) -> bool {
    let signals = Field::new(start, 252, 4, "").and_then(|f| f.positive());
    let stated = Field::new(start, 184, 8, "").and_then(|f| f.positive());
    let fits = matches!((signals, stated), (Ok(n), Ok(size)) if size == Header::size_for(n));
    fits && encoding(start).is_ok()
}

/// 24 bits where the file says so in any of the ways that there are.
fn encoding(bytes: &[u8]) -> Result<Encoding, EdfError> {
    let version = text(bytes, 0, 8)?;
    let reserved = text(bytes, 192, 44)?;
    if version == "\u{ff}BIOSEMI" || reserved.starts_with("BDF") || reserved.starts_with("24BIT") {
        Ok(Encoding::Int24)
    } else if version.trim() == "0" {
        Ok(Encoding::Int16)
    } else {
        Err(EdfError::Version { version })
    }
}

/// Channels get unique names, and trigger lines are told from the rest.
fn name_channels(signals: &mut [Signal], encoding: Encoding) {
    let channels = signals.iter_mut().filter(|s| s.is_channel());
    let mut channels: Vec<&mut Signal> = channels.collect();
    let mut names: Vec<String> = channels.iter().map(|s| s.name.clone()).collect();
    number_duplicates(&mut names);
    for (channel, name) in channels.iter_mut().zip(names) {
        let is_trigger = is_trigger_name(&channel.name);
        channel.name = name;
        if let Content::Quantity { gain, offset, .. } = channel.content
            && is_trigger
        {
            channel.content = match encoding {
                Encoding::Int24 => Content::Trigger { gain: 1.0, offset: 0.0 },
                _ => Content::Trigger { gain, offset },
            };
        }
    }
}

/// The part of a header on signals: each field for all signals before the next one.
struct Table<'b> {
    bytes: &'b [u8],
    n_signals: usize,
}

impl<'b> Table<'b> {
    /// A field of one signal, by the bytes that the fields before it take and its own.
    fn field(
        &self,
        before: usize,
        width: usize,
        place: usize,
        name: &'static str,
    ) -> Result<Field<'b>, EdfError> {
        let start = PART + before * self.n_signals + width * place;
        Field::new(self.bytes, start, width, name)
    }

    fn signal(&self, place: usize, offset: usize) -> Result<Signal, EdfError> {
        let name = self.field(0, 16, place, "label")?.text();
        let samples = self.field(216, 8, place, "number of samples in a data record")?;
        let samples = samples.count().map_err(|error| error.of_signal(&name))?;
        if matches!(name.as_str(), "EDF Annotations" | "BDF Annotations") {
            return Ok(Signal { name, content: Content::Annotations, samples, offset });
        }
        let stated_unit = self.field(96, 8, place, "unit")?.text();
        let (unit, factor) = unit(&stated_unit);
        let (factor, is_voltage) = (factor.unwrap_or(1.0), factor.is_some());
        let number = |before: usize, field: &'static str| {
            let number = self.field(before, 8, place, field)?.number();
            number.map_err(|error| error.of_signal(&name))
        };
        let physical_min = number(104, "physical minimum")?;
        let physical_max = number(112, "physical maximum")?;
        let digital_min = number(120, "digital minimum")?;
        let digital_max = number(128, "digital maximum")?;
        // A range of nothing says nothing; MNE takes 1 too.
        let range = |min: f64, max: f64| if max == min { 1.0 } else { max - min };
        let gain = range(physical_min, physical_max) / range(digital_min, digital_max);
        let zero = physical_min - digital_min * gain;
        let content =
            Content::Quantity { unit, stated_unit, is_voltage, factor, gain, offset: zero };
        Ok(Signal { name, content, samples, offset })
    }

    /// Cut-offs of the filters that the signals went through, by MNE's rules: where signals
    /// differ, the highest high-pass and the lowest low-pass.
    fn cutoffs(&self, signals: &[Signal]) -> (Option<f64>, Option<f64>) {
        let measured = signals.iter().enumerate();
        let measured = measured.filter(|(_, s)| matches!(s.content, Content::Quantity { .. }));
        let notes: Vec<String> = measured
            .filter_map(|(place, _)| self.field(136, 80, place, "prefiltering").ok())
            .map(|field| field.text())
            .collect();
        let known = |key| notes.iter().filter_map(move |note| cutoff(note, key));
        let highpass = known("HP:").reduce(f64::max).filter(|hz| *hz > 0.0);
        let lowpass = known("LP:").reduce(f64::min).filter(|hz| *hz > 0.0);
        (highpass, lowpass)
    }
}

/// The number behind the last `HP:` or `LP:` of a note such as `HP:0.1Hz LP:75Hz N:50Hz`.
fn cutoff(note: &str, key: &str) -> Option<f64> {
    let is_value = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == ',';
    let values = note.split(key).skip(1).map(|rest| {
        let rest = rest.trim_start();
        rest.split(|c| !is_value(c)).next().unwrap_or("")
    });
    let value = values.filter(|v| !v.is_empty()).last()?.replace("Hz", "").replace(',', ".");
    if value == "DC" {
        return Some(0.0);
    }
    let plain = value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    value.parse().ok().filter(|_| plain)
}

/// Prefixes of units, as EDF+ has them (<https://www.edfplus.info/specs/edftexts.html>), `K` as
/// kilo among them. Micro is a letter of its own in Latin-1, in UTF-8 (either letter), in Shift-JIS.
const PREFIXES: [(&str, f64); 28] = [
    ("", 1.0),
    ("Y", 1e24),
    ("Z", 1e21),
    ("E", 1e18),
    ("P", 1e15),
    ("T", 1e12),
    ("G", 1e9),
    ("M", 1e6),
    ("k", 1e3),
    ("K", 1e3),
    ("H", 1e2),
    ("h", 1e2),
    ("D", 1e1),
    ("d", 1e-1),
    ("c", 1e-2),
    ("m", 1e-3),
    ("µ", 1e-6),
    ("u", 1e-6),
    ("U", 1e-6),
    ("micro", 1e-6),
    ("milli", 1e-3),
    ("Âµ", 1e-6),
    ("Î¼", 1e-6),
    ("\u{83}\u{ca}", 1e-6),
    ("n", 1e-9),
    ("p", 1e-12),
    ("f", 1e-15),
    ("a", 1e-18),
];

/// The unit in its usual spelling and, of voltages, the volts in it. Without a unit volts are meant,
/// as in MNE.
fn unit(text: &str) -> (String, Option<f64>) {
    if text.is_empty() {
        return (String::new(), Some(1.0));
    }
    let volts = text.strip_suffix("olts").or_else(|| text.strip_suffix("olt")).unwrap_or(text);
    let prefix = volts.strip_suffix(['V', 'v']).map(str::trim_end);
    let known = prefix.and_then(|prefix| PREFIXES.iter().find(|(known, _)| *known == prefix));
    match known {
        Some((_, 1e-6)) => ("µV".to_owned(), Some(1e-6)),
        Some(("milli", factor)) => ("mV".to_owned(), Some(*factor)),
        Some((prefix, factor)) => (format!("{prefix}V"), Some(*factor)),
        None => (text.to_owned(), None),
    }
}

/// Whether volts are written in another way than usual, so that something else could be meant.
fn is_odd(unit: &str) -> bool {
    !unit.ends_with('V') || unit.starts_with('U')
}

/// When the recording began. EDF+ has the date with all digits of its year in the description of
/// the recording (`Startdate 02-MAR-2002 …`), which counts if it is there.
fn meas_date(bytes: &[u8]) -> Option<Timestamp> {
    let recording = text(bytes, 88, 80).ok()?;
    let words: Vec<&str> = recording.trim_end().split(' ').collect();
    let long = match words.as_slice() {
        [_, date, _, _, _] => long_date(date),
        _ => None,
    };
    let (year, month, day) = long.or_else(|| short_date(&text(bytes, 168, 8).ok()?))?;
    let time = text(bytes, 176, 8).ok().and_then(|time| three_numbers(&time));
    let at = |(hour, minute, second): (u32, u32, u32)| {
        let digits = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}000000");
        Timestamp::from_digits(&digits)
    };
    time.and_then(at).or_else(|| at((0, 0, 0)))
}

/// `02-MAR-2002`
fn long_date(text: &str) -> Option<(u32, u32, u32)> {
    const MONTHS: [&str; 12] =
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    let mut parts = text.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = (1..).zip(MONTHS).find(|(_, name)| name.eq_ignore_ascii_case(month))?.0;
    let whole = parts.next().is_none() && year.len() == 4;
    whole.then(|| Some((year.parse().ok()?, month, day.parse().ok()?)))?
}

/// `02.03.02`, of the years 1985 to 2084.
fn short_date(text: &str) -> Option<(u32, u32, u32)> {
    let (day, month, year) = three_numbers(text)?;
    Some((if year < 85 { 2000 + year } else { 1900 + year }, month, day))
}

fn three_numbers(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(|part| part.trim().parse::<u32>().ok());
    let numbers = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(numbers)
}

impl EdfError {
    /// The error with the signal whose field it is.
    fn of_signal(mut self, label: &str) -> Self {
        if let Self::Field { name, .. } = &mut self {
            *name = format!("{name} of signal {label:?}");
        }
        self
    }
}

/// Bytes as Latin-1.
fn text(bytes: &[u8], start: usize, width: usize) -> Result<String, EdfError> {
    let field = bytes.get(start..start.saturating_add(width));
    let field = field.ok_or(EdfError::Fragment { size: bytes.len() })?;
    Ok(field.iter().map(|b| char::from(*b)).collect())
}

/// A field of the header.
struct Field<'b> {
    bytes: &'b [u8],
    start: usize,
    name: &'static str,
}

impl<'b> Field<'b> {
    fn new(
        bytes: &'b [u8],
        start: usize,
        width: usize,
        name: &'static str,
    ) -> Result<Self, EdfError> {
        let field = bytes.get(start..start.saturating_add(width));
        let field = field.ok_or(EdfError::Fragment { size: bytes.len() })?;
        Ok(Self { bytes: field, start, name })
    }

    /// Without white space around it, up to the first NUL.
    fn text(&self) -> String {
        let bytes = self.bytes.split(|b| *b == 0).next().unwrap_or(&[]);
        bytes.trim_ascii().iter().map(|b| char::from(*b)).collect()
    }

    fn is_not(&self, expected: &'static str) -> EdfError {
        let (byte, name, text) = (self.start, self.name.to_owned(), self.text());
        EdfError::Field { byte, name, text, expected }
    }

    /// A count, not 0.
    fn positive(&self) -> Result<usize, EdfError> {
        let count = self.text().parse().ok().filter(|n| *n > 0);
        count.ok_or_else(|| self.is_not("a count"))
    }

    /// A count, 0 too.
    fn count(&self) -> Result<usize, EdfError> {
        self.text().parse().map_err(|_| self.is_not("a count"))
    }

    fn number(&self) -> Result<f64, EdfError> {
        let number = self.text().replace(',', ".").parse::<f64>().ok().filter(|n| n.is_finite());
        number.ok_or_else(|| self.is_not("a number"))
    }
}
