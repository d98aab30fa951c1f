//! EDF and BDF files that tests make themselves.
#![allow(dead_code, unreachable_pub)]

/// A signal of a made-up file: label, unit, physical and digital range, prefiltering.
#[derive(Clone)]
pub struct Signal {
    pub label: &'static str,
    pub unit: &'static [u8],
    pub range: [&'static str; 4],
    pub prefilter: &'static str,
    /// Samples, or three or two bytes of text each, for each record.
    pub records: Vec<Samples>,
}

#[derive(Clone)]
pub enum Samples {
    Numbers(Vec<i32>),
    Text(Vec<u8>, usize),
}

pub const EEG: [&str; 4] = ["-100", "300.5", "-2000", "2047"];

pub fn eeg(label: &'static str, records: Vec<Vec<i32>>) -> Signal {
    let records = records.into_iter().map(Samples::Numbers).collect();
    Signal { label, unit: b"uV", range: EEG, prefilter: "", records }
}

pub fn tals(width: usize, records: &[&[u8]]) -> Signal {
    let samples = records.iter().map(|r| r.len()).max().unwrap().div_ceil(width) + 1;
    let records = records.iter().map(|text| Samples::Text(text.to_vec(), samples)).collect();
    let label = if width == 3 { "BDF Annotations" } else { "EDF Annotations" };
    Signal { label, unit: b"", range: ["-1", "1", "-32768", "32767"], prefilter: "", records }
}

/// A file of these signals. `width` 2 is EDF, 3 is BDF.
pub fn file(width: usize, kind: &str, duration: &str, signals: &[Signal]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |text: &[u8], width: usize| {
        assert!(text.len() <= width);
        bytes.extend_from_slice(text);
        bytes.extend(std::iter::repeat_n(b' ', width - text.len()));
    };
    put(if width == 3 { b"\xffBIOSEMI" } else { b"0" }, 8);
    put(b"X X X X", 80);
    put(b"Startdate 29-FEB-2024 X X X", 80);
    put(b"29.02.24", 8);
    put(b"23.59.58", 8);
    put((256 * (signals.len() + 1)).to_string().as_bytes(), 8);
    put(kind.as_bytes(), 44);
    put(b"-1", 8);
    put(duration.as_bytes(), 8);
    put(signals.len().to_string().as_bytes(), 4);
    signals.iter().for_each(|s| put(s.label.as_bytes(), 16));
    signals.iter().for_each(|_| put(b"", 80));
    signals.iter().for_each(|s| put(s.unit, 8));
    for k in 0..4 {
        signals.iter().for_each(|s| put(s.range[k].as_bytes(), 8));
    }
    signals.iter().for_each(|s| put(s.prefilter.as_bytes(), 80));
    for s in signals {
        let samples = match &s.records[0] {
            Samples::Numbers(numbers) => numbers.len(),
            Samples::Text(_, samples) => *samples,
        };
        put(samples.to_string().as_bytes(), 8);
    }
    signals.iter().for_each(|_| put(b"", 32));
    for record in 0..signals[0].records.len() {
        for s in signals {
            match &s.records[record] {
                Samples::Numbers(numbers) => {
                    let stored = numbers.iter().flat_map(|n| n.to_le_bytes()[..width].to_vec());
                    bytes.extend(stored);
                }
                Samples::Text(text, samples) => {
                    bytes.extend_from_slice(text);
                    bytes.extend(std::iter::repeat_n(0, samples * width - text.len()));
                }
            }
        }
    }
    bytes
}

/// What a made-up EEG signal's stored number is in volts.
pub fn volts(stored: i32) -> f64 {
    let gain = (300.5 - -100.0) / (2047.0 - -2000.0);
    let offset = -100.0 - -2000.0 * gain;
    (f64::from(stored) * gain + offset) * 1e-6
}

/// A file of every kind of thing: two rates, annotations in two signals, a trigger line.
pub fn rich(width: usize) -> Vec<u8> {
    let slow = |k: i32| (0..5).map(|t| 40 * t + k).collect::<Vec<_>>();
    let fast = |k: i32| (0..20).map(|t| 7 * t - k).collect::<Vec<_>>();
    let mut status = eeg("Status", vec![vec![3; 20], vec![9; 20], vec![0; 20]]);
    status.range = ["0", "1", "0", "1"];
    let signals = [
        eeg("Fz", (0..3).map(fast).collect()),
        eeg("Resp", (0..3).map(slow).collect()),
        tals(
            width,
            &[b"+0\x14\x14\0+0.5\x150.25\x14one\x14two\x14\0", b"+1\x14\x14", b"+2\x14\x14"],
        ),
        status,
        tals(width, &[b"+1.5\x14\xe4\xbb\xb0\x14\0", b"", b"+2.25\x14Fz\x14"]),
    ];
    file(width, if width == 3 { "BDF+C" } else { "EDF+C" }, "1", &signals)
}
