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
    /// Something in a list is no event id.
    #[error("entry {entry}: {text:?} is no event id (a whole number)")]
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
        let mut classes: Vec<Vec<i32>> = Vec::new();
        let mut mapping: Vec<(i32, usize)> = Vec::new();
        for (entry, text) in (1..).zip(entries) {
            if text.as_ref().trim().is_empty() {
                continue;
            }
            let class = classes.len();
            let id = |text: &str| {
                let text = text.trim();
                text.parse().map_err(|_| LabelError::NotAnId { entry, text: text.to_owned() })
            };
            let ids = text.as_ref().split(',').map(id).collect::<Result<Vec<i32>, _>>()?;
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
