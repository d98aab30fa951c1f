//! Labels: which event ids make up which class.

/// Classes of event ids, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    classes: Vec<Vec<i32>>,
    /// Each id once, where it was listed first, with its class: that of the last entry with it.
    mapping: Vec<(i32, usize)>,
}

/// Labels that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// No class is given.
    #[error("no class is given: each entry lists the event ids of one class, such as 1,2,3")]
    NoClass,
    /// Something in a list is neither an event id nor an event's name.
    #[error("entry {entry}: {text:?} is neither an event id (a whole number) nor an event's name")]
    NotAnId {
        /// The entry, counted from 1.
        entry: usize,
        /// What stands there.
        text: String,
    },
    /// None of the ids occurs.
    #[error("none of the listed event ids occurs; the vectors have {}", list(present))]
    NothingListed {
        /// The ids that the vectors have.
        present: Vec<i32>,
    },
}

fn list(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(", ")
}

impl Labels {
    /// One class an entry, each a list of event ids with commas between. An id that several
    /// entries list belongs to the last of them; entries left empty do not count.
    ///
    /// ```
    /// use eeg_workflow_core::eeg::Labels;
    /// let labels = Labels::parse(&["1, 2", "2,3"])?;
    /// assert_eq!(labels.mapping(), [(1, 0), (2, 1), (3, 1)]);
    /// assert_eq!(labels.names(), ["1,2", "2,3"]);
    /// # Ok::<(), eeg_workflow_core::eeg::LabelError>(())
    /// ```
    ///
    /// # Errors
    /// [`LabelError::NoClass`] and [`LabelError::NotAnId`].
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, LabelError> {
        Self::of_events(entries, &[], &[])
    }

    /// As [`Self::parse`], for events of which the ids that occur and the names are known: a number
    /// that occurs as an id is that id, anything else may be an event's name.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn of_events<S: AsRef<str>>(
        entries: &[S],
        occurring: &[i32],
        names: &[(String, i32)],
    ) -> Result<Self, LabelError> {
        let mut classes: Vec<Vec<i32>> = Vec::new();
        let mut mapping: Vec<(i32, usize)> = Vec::new();
        for (entry, text) in (1..).zip(entries) {
            if text.as_ref().trim().is_empty() {
                continue;
            }
            let class = classes.len();
            let ids_of = |text: &str| {
                let ids = ids_of(text.trim(), occurring, names);
                ids.ok_or_else(|| LabelError::NotAnId { entry, text: text.trim().to_owned() })
            };
            // A name may have a comma in it.
            let ids = match ids_of(text.as_ref()) {
                Ok(ids) => ids,
                Err(_) => {
                    let parts = text.as_ref().split(',').map(ids_of);
                    parts.collect::<Result<Vec<_>, _>>()?.concat()
                }
            };
            for id in &ids {
                match mapping.iter_mut().find(|(listed, _)| listed == id) {
                    Some(listed) => listed.1 = class,
                    None => mapping.push((*id, class)),
                }
            }
            classes.push(ids);
        }
        if classes.is_empty() {
            return Err(LabelError::NoClass);
        }
        Ok(Self { classes, mapping })
    }

    /// Each id with its class, in the order of their first listing.
    pub fn mapping(&self) -> &[(i32, usize)] {
        &self.mapping
    }

    /// The class of an event id; None when it is not listed.
    pub fn class_of(&self, id: i32) -> Option<usize> {
        self.mapping.iter().find(|(listed, _)| *listed == id).map(|(_, class)| *class)
    }

    /// The name of each class: its ids as they were listed, with commas between.
    pub fn names(&self) -> Vec<String> {
        let joined = |ids: &Vec<i32>| ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
        self.classes.iter().map(joined).collect()
    }
}

/// The ids that an id or a name stands for.
fn ids_of(text: &str, occurring: &[i32], names: &[(String, i32)]) -> Option<Vec<i32>> {
    let number = text.parse::<i32>().ok();
    if let Some(id) = number.filter(|id| occurring.contains(id)) {
        return Some(vec![id]);
    }
    // White space is a matter of taste: `S 1` and `S  1` are written alike.
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let named = names.iter().filter(|(name, _)| plain(name) == plain(text));
    let named: Vec<i32> = named.map(|(_, id)| *id).collect();
    if named.is_empty() { number.map(|id| vec![id]) } else { Some(named) }
}
