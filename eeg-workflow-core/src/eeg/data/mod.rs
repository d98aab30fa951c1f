//! The data that everything here is about: recordings, events, epochs, averages.

pub(super) mod annotation;
pub(super) mod epochs;
mod events;
mod evoked;
pub(super) mod recording;
pub(super) mod samples;
mod timestamp;
mod triggers;

pub use annotation::Annotation;
pub use epochs::{DropLogEntry, Epochs, EpochsInfo, EpochsShapeError};
pub(super) use events::is_mark;
pub use events::{Event, EventError, EventNumbering, Events, events_from_annotations};
pub use evoked::Evoked;
pub use recording::{Channel, ChannelKind, Info, Recording, RecordingError};
pub use samples::{Encoding, StoredSamples, StoredSamplesError};
pub use timestamp::Timestamp;
pub(super) use triggers::is_trigger_name;
