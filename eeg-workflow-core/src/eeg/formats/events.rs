//! Which of a file's sources its events come from.

use super::Reading;
use crate::eeg::data::{Annotation, ChannelKind, EventNumbering, Recording, is_mark};

/// Where events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum EventSource {
    /// Annotations and trigger channels together. Recorders of BrainVision files write a marker for
    /// each trigger: a trigger within a sample of a marker is that marker's.
    #[default]
    Both,
    /// Annotations or markers only.
    Annotations,
    /// Trigger channels only. Marks of bad data and of seams stay.
    Triggers,
}

/// What the markers `New Segment` of BrainVision files are, which recorders write where a recording
/// goes on after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum NewSegments {
    /// Seams: `BAD boundary` and `EDGE boundary` take their place, so that no filter and no epoch
    /// reaches over a pause, and they are not events.
    #[default]
    Seams,
    /// Events like any other markers, over which the data run on: what MNE makes of them.
    Events,
}

/// How the events of a file are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct EventOptions {
    /// Where they come from.
    pub source: EventSource,
    /// The bits of trigger channels that count, all without it: `mask` of MNE's `find_events`.
    /// BioSemi's status bits are left out by 65535.
    pub trigger_mask: Option<u32>,
    /// What the markers `New Segment` are.
    pub new_segments: NewSegments,
}

impl EventOptions {
    /// A recording that was not read from a file, with these events as its annotations.
    pub(crate) fn of(self, recording: Recording) -> Recording {
        self.apply(Reading { recording, notes: Vec::new() }).recording
    }

    /// The recording with these events as its annotations, and what was found where.
    pub(super) fn apply(self, reading: Reading) -> Reading {
        let Reading { mut recording, mut notes } = reading;
        let numbering = recording.info().numbering;
        let markers = numbering == EventNumbering::BrainVision;
        let channels = recording.channels().iter().enumerate();
        let lines: Vec<(usize, String)> = channels
            .filter(|(_, channel)| channel.kind == ChannelKind::Stim)
            .map(|(place, channel)| (place, channel.name.clone()))
            .collect();
        if lines.is_empty() || self.source == EventSource::Annotations {
            return Reading { recording, notes };
        }
        let mut annotations = recording.annotations().to_vec();
        if self.source == EventSource::Triggers {
            annotations.retain(|annotation| is_mark(&annotation.description));
        }
        let described = annotations.iter().filter(|a| !is_mark(&a.description)).count();
        let mut found = Vec::new();
        for (line, name) in lines {
            let mut triggers = recording.triggers(line, self.trigger_mask);
            found.push(format!("{} in trigger channel {name:?}", triggers.len()));
            if markers {
                let step = 1.5 / recording.sfreq();
                triggers.retain(|trigger| {
                    let near = annotations.partition_point(|a| a.onset < trigger.onset - step);
                    let mut near = annotations.iter().skip(near);
                    !near.next().is_some_and(|marker| marker.onset < trigger.onset + step)
                });
            }
            annotations.extend(triggers);
        }
        notes.push(format!("events: {described} in annotations, {}", found.join(", ")));
        let any_triggers = annotations.iter().any(|a: &Annotation| !is_mark(&a.description))
            && described < annotations.len();
        let numbering = if any_triggers && !markers { EventNumbering::Trigger } else { numbering };
        annotations.sort_by(|a, b| a.onset.total_cmp(&b.onset));
        recording = recording.with_annotations(annotations, numbering);
        Reading { recording, notes }
    }
}
