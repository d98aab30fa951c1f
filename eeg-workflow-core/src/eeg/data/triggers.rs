//! Events of a trigger line.

use std::collections::HashSet;

use super::annotation::to_microsecond;
use super::{Annotation, ChannelKind, Event, EventNumbering, Events, Recording};

/// Whether a channel of this name holds the numbers of triggers and not a signal: the names that
/// recorders, MNE and BIDS give such channels, in any letter case, with a number behind them or not.
pub(in crate::eeg) fn is_trigger_name(name: &str) -> bool {
    const NAMES: [&str; 9] =
        ["status", "trigger", "triggers", "trig", "stim", "sti", "event", "events", "ttl"];
    let name = name.trim().to_ascii_lowercase();
    let word = name.trim_end_matches(|c: char| c.is_ascii_digit() || " -_".contains(c));
    NAMES.contains(&word)
}

impl Recording {
    /// The events of a trigger line: wherever its value rises, to that value. As MNE's
    /// `find_events(raw, stim_channel, shortest_event=1)`: fractions are cut off, the sign does
    /// not count, and the value that the recording starts with is not an event.
    ///
    /// With a mask only its bits count (`mask` of `find_events`). None when there is no such
    /// channel. The ids' names are their decimal numbers.
    pub fn trigger_events(&self, channel: usize, mask: Option<u32>) -> Option<Events> {
        let mask = mask.map_or(i64::MAX, i64::from);
        let values = self.channel(channel)?;
        let mut rows = Vec::new();
        let mut before = None;
        for (sample, value) in (0_i64..).zip(values) {
            let value = (value as i64).saturating_abs() & mask;
            if before.is_some_and(|before| value > before)
                && let Ok(id) = i32::try_from(value)
            {
                rows.push(Event { sample, id });
            }
            before = Some(value);
        }
        let mut ids: Vec<i32> = rows.iter().map(|event| event.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let ids = ids.into_iter().map(|id| (id.to_string(), id)).collect();
        Some(Events { rows, ids })
    }

    /// The events of a trigger line as annotations, whose text is the trigger's number.
    pub(in crate::eeg) fn triggers(&self, channel: usize, mask: Option<u32>) -> Vec<Annotation> {
        let rows = self.trigger_events(channel, mask).map(|events| events.rows).unwrap_or_default();
        let sfreq = self.sfreq();
        let annotation = |event: Event| Annotation {
            onset: to_microsecond(event.sample as f64 / sfreq),
            duration: 0.0,
            description: event.id.to_string(),
        };
        rows.into_iter().map(annotation).collect()
    }

    /// The annotations that are not events of a trigger line: what a program that reads the line
    /// by itself is to be told beside it.
    pub(crate) fn annotations_beside_triggers(&self) -> Vec<&Annotation> {
        let channels = self.channels().iter().enumerate();
        let lines = channels.filter(|(_, channel)| channel.kind == ChannelKind::Stim);
        let triggers: Vec<Annotation> = match self.info().numbering {
            EventNumbering::Trigger => lines.flat_map(|(at, _)| self.triggers(at, None)).collect(),
            _ => Vec::new(),
        };
        let key =
            |annotation: &Annotation| (annotation.onset.to_bits(), annotation.duration == 0.0);
        let of_lines: HashSet<_> =
            triggers.iter().map(|trigger| (key(trigger), trigger.description.as_str())).collect();
        let beside = |annotation: &&Annotation| {
            !of_lines.contains(&(key(annotation), annotation.description.as_str()))
        };
        self.annotations().iter().filter(beside).collect()
    }
}
