//! The data records.

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use super::{Content, EdfError, Header, Signal};
use crate::eeg::data::StoredSamples;
use crate::eeg::data::samples::{Records, Scale};
use crate::eeg::signal::resample::stretched;

/// Slow channels may take more room than in the file, but not so much more that a small file
/// fills the memory.
const MOST_GROWTH: usize = 64;
const ALWAYS_FINE: usize = 256 << 20;

/// The samples of a file.
pub(super) enum Values {
    Stored(StoredSamples),
    /// Channels x samples, in volts.
    Volts(Array2<f64>),
}

/// The samples in a file's bytes: as they are stored if all channels have the same rate.
pub(super) fn read(bytes: Vec<u8>, header: &Header) -> Result<Values, EdfError> {
    let most = header.most_samples();
    let record_size = header.record_size();
    let n_records = bytes.len().saturating_sub(header.size()) / record_size.max(1);
    let even: Vec<&Signal> = header.channels().collect();
    let file_size = bytes.len();
    let of = |bytes, per_record, channels: &[&Signal]| {
        let channels = channels.iter().map(|s| (header.size() + s.offset, scale(&s.content)));
        let records = Records { per_record, record_size, n_records };
        StoredSamples::in_records(bytes, header.encoding, records, channels)
    };
    if even.iter().all(|s| s.samples == most) {
        return Ok(Values::Stored(of(bytes, most, &even)));
    }
    let total = most.saturating_mul(n_records);
    let room = total.saturating_mul(even.len()).saturating_mul(size_of::<f64>());
    let mut flat = Vec::new();
    let n_values = room / size_of::<f64>();
    let sensible = room <= ALWAYS_FINE.max(file_size.saturating_mul(MOST_GROWTH));
    if !sensible || flat.try_reserve_exact(n_values).is_err() {
        return Err(too_uneven(&even, room));
    }
    flat.resize(n_values, 0.0);
    let Ok(mut volts) = Array2::from_shape_vec((even.len(), total), flat) else {
        return Err(too_uneven(&even, room));
    };
    let stored = of(bytes, most, &[]);
    let rows: Vec<_> = volts.axis_iter_mut(Axis(0)).zip(&even).collect();
    rows.into_par_iter().for_each(|(row, signal)| {
        let Some(row) = row.into_slice() else {
            return;
        };
        let records = Records { per_record: signal.samples, record_size, n_records };
        let own = stored.other(records, header.size() + signal.offset, scale(&signal.content));
        if signal.samples == most {
            own.read(0, 0, row);
            return;
        }
        let slow = own.channel(0).unwrap_or_default();
        match signal.content {
            Content::Trigger { .. } => {
                for (row, slow) in row.chunks_mut(most).zip(slow.chunks(signal.samples)) {
                    hold(slow, row);
                }
            }
            _ => stretched(&slow, row),
        }
    });
    Ok(Values::Volts(volts))
}

fn scale(content: &Content) -> Scale {
    match *content {
        // Not read: annotations are not channels.
        Content::Annotations => Scale::Gain(1.0),
        Content::Quantity { factor, gain, offset, .. } => Scale::Linear { gain, offset, factor },
        Content::Trigger { gain, offset } => Scale::Trigger { gain, offset },
    }
}

fn too_uneven(channels: &[&Signal], bytes: usize) -> EdfError {
    let slowest = channels.iter().min_by_key(|s| s.samples);
    let fastest = channels.iter().max_by_key(|s| s.samples);
    let of = |signal: Option<&&Signal>| {
        signal.map_or((String::new(), 0), |s| (s.name.clone(), s.samples))
    };
    let ((slowest, least), (fastest, most)) = (of(slowest), of(fastest));
    EdfError::Rates { slowest, least, fastest, most, bytes }
}

/// Fills a record of more samples, each with the last value that was taken by its time. Times are
/// compared as MNE does it, as fractions of the record.
fn hold(slow: &[f64], fast: &mut [f64]) {
    let step = 1.0 / slow.len().max(1) as f64;
    let fast_step = 1.0 / fast.len().max(1) as f64;
    let mut current = 0;
    for (place, out) in fast.iter_mut().enumerate() {
        let time = place as f64 * fast_step;
        while current + 1 < slow.len() && (current + 1) as f64 * step <= time {
            current += 1;
        }
        *out = slow.get(current).copied().unwrap_or(0.0);
    }
}
