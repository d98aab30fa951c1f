//! The block that reads a recording.

use std::path::Path;

use super::{EEG_DATA, shape};
use crate::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Outputs, PortType, Value, Volatility,
};
use crate::eeg::formats::{EventOptions, EventSource, NewSegments, read_with_notes};

const FILE: &str = "EEG File";
const EVENTS: &str = "Events";
const MASK: &str = "Trigger Mask";
const SEGMENTS: &str = "New Segments";

/// Reads the recording that the parameter `EEG File` names, by any file of its set, and shows
/// its shape.
pub(super) struct OfflineDataProvider(BlockSpec);

impl OfflineDataProvider {
    pub(super) fn new() -> Self {
        let hint =
            "Select only the \".eeg\" file, but folder must contain \".vhdr\" and \".vmrk\" files";
        let spec = BlockSpec::new("OfflineDataProvider")
            .with_family("DataProvider")
            .with_help("Reads a recording: BrainVision, EDF(+) or BDF(+)")
            .with_volatility(Volatility::Versioned)
            .required_parameter(FILE, PortType::FILE, "", hint);
        let events = "Where events come from: 'both', 'annotations' or 'triggers'";
        let mask = "Bits of trigger channels that count, as a number such as 65535 (without the status \
                    bits of BioSemi); None means all";
        let segments = "What markers New Segment are: 'seams', which no filter and no epoch reaches over, \
                        or 'events'";
        let spec = spec
            .output(EEG_DATA, PortType::EEG_DATA)
            .parameter(EVENTS, PortType::STRING, "both", events)
            .parameter(MASK, PortType::NUMBER, "None", mask)
            .parameter(SEGMENTS, PortType::STRING, "seams", segments);
        Self(spec)
    }
}

impl Block for OfflineDataProvider {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
        let path = cx.file(FILE)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        // The header is its owner's upload: the files it names must lie beside it.
        let events = EventOptions {
            source: source(cx)?,
            trigger_mask: mask(cx)?,
            new_segments: segments(cx)?,
        };
        let reading = read_with_notes(&path, folder, events).map_err(|error| {
            // Whoever runs the workflow knows the file by its name; where the folder is on this
            // machine is not theirs to know.
            let text = error.to_string().replace(&format!("{}/", folder.display()), "");
            BlockError::parameter(FILE, text)
        })?;
        for note in reading.notes {
            cx.log(note);
        }
        let recording = reading.recording;
        let text = shape(&recording);
        Ok(Outputs::one(Value::object(recording)).show(Display::text(text)))
    }
}

fn source(cx: &Context<'_>) -> Result<EventSource, BlockError> {
    match cx.text(EVENTS).trim().to_ascii_lowercase().as_str() {
        "" | "none" | "both" => Ok(EventSource::Both),
        "annotations" => Ok(EventSource::Annotations),
        "triggers" => Ok(EventSource::Triggers),
        other => {
            let problem = format!("\"{other}\" is not one of both, annotations, triggers");
            Err(BlockError::parameter(EVENTS, problem))
        }
    }
}

fn segments(cx: &Context<'_>) -> Result<NewSegments, BlockError> {
    match cx.text(SEGMENTS).trim().to_ascii_lowercase().as_str() {
        "" | "none" | "seams" => Ok(NewSegments::Seams),
        "events" => Ok(NewSegments::Events),
        other => {
            let problem = format!("\"{other}\" is neither seams nor events");
            Err(BlockError::parameter(SEGMENTS, problem))
        }
    }
}

fn mask(cx: &Context<'_>) -> Result<Option<u32>, BlockError> {
    let Some(mask) = cx.float(MASK)? else { return Ok(None) };
    if mask.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&mask) {
        return Ok(Some(mask as u32));
    }
    let problem = format!("{mask} is not a whole number from 1 to {}", u32::MAX);
    Err(BlockError::parameter(MASK, problem))
}
