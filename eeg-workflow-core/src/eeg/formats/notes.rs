//! What a reader assumed of channels, told in few sentences.

/// The first names of channels that have something in common are listed, the others counted.
const LISTED: usize = 8;

/// What was assumed, each with the channels that it was assumed of.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<(String, Vec<String>)>);

impl Notes {
    /// Adds what was assumed of a channel.
    pub(super) fn add(&mut self, channel: &str, assumed: String) {
        match self.0.iter_mut().find(|(other, _)| *other == assumed) {
            Some((_, channels)) => channels.push(channel.to_owned()),
            None => self.0.push((assumed, vec![channel.to_owned()])),
        }
    }

    /// Adds that the name of a channel of the kind EEG speaks of something else.
    pub(super) fn add_other_signal(&mut self, channel: &str) {
        const OTHERS: [&str; 9] =
            ["eog", "heog", "veog", "ecg", "ekg", "emg", "resp", "gsr", "eda"];
        let name = channel.to_ascii_lowercase();
        if OTHERS.iter().any(|other| name.starts_with(other)) {
            self.add(channel, "in volts and so taken as EEG, whatever the name says".to_owned());
        }
    }

    /// `channels "A", "B": what was assumed of them`
    pub(super) fn into_sentences(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(assumed, channels)| {
            let names: Vec<String> =
                channels.iter().take(LISTED).map(|name| format!("{name:?}")).collect();
            let more = match channels.len().saturating_sub(LISTED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let channels = if channels.len() == 1 { "channel" } else { "channels" };
            format!("{channels} {}{more}: {assumed}", names.join(", "))
        })
    }
}
