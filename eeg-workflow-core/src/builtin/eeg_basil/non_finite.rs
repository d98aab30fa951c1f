//! What blocks say of samples that are NaN or infinite.

use crate::block::Context;
use crate::eeg::{Epochs, Recording};

/// At most this many channels are named.
const LISTED: usize = 8;

/// Says which channels of a recording have such samples, and what becomes of them.
pub(super) fn tell(cx: &Context<'_>, recording: &Recording, consequence: &str) {
    let counts = recording.non_finite_counts();
    let channels = recording.channels().iter().zip(counts).filter(|(_, count)| *count > 0);
    let named: Vec<String> =
        channels.map(|(channel, count)| format!("{:?} ({count})", channel.name)).collect();
    if named.is_empty() {
        return;
    }
    let more = match named.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more channels"),
    };
    let named = named.get(..LISTED.min(named.len())).unwrap_or_default().join(", ");
    cx.log(format!("samples are NaN or infinite in {named}{more}: {consequence}"));
}

/// Says how many epochs have such samples in an EEG channel, and what becomes of them.
pub(super) fn tell_epochs(cx: &Context<'_>, epochs: &Epochs, consequence: &str) {
    let count = epochs.non_finite_count();
    if count > 0 {
        let epochs = if count == 1 { "epoch has" } else { "epochs have" };
        cx.log(format!("{count} {epochs} samples that are NaN or infinite: {consequence}"));
    }
}
