//! When something must be over.

use std::time::{Duration, Instant};

/// A moment to be done by, and how long that was from its start. A deadline so far away that the
/// clock cannot express it is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deadline(Option<(Instant, Duration)>);

impl Deadline {
    /// No deadline.
    pub(crate) const NEVER: Self = Self(None);

    /// This long from now.
    pub(crate) fn after(length: Duration) -> Self {
        Self::from_start(Instant::now(), length)
    }

    /// This long after `start`.
    pub(crate) fn from_start(start: Instant, length: Duration) -> Self {
        Self(start.checked_add(length).map(|end| (end, length)))
    }

    /// This long from now, if there is a length at all.
    pub(crate) fn after_or_never(length: Option<Duration>) -> Self {
        length.map_or(Self::NEVER, Self::after)
    }

    /// Its length, if it has passed.
    pub(crate) fn passed(self) -> Option<Duration> {
        self.0.and_then(|(end, length)| (Instant::now() >= end).then_some(length))
    }

    pub(crate) fn has_passed(self) -> bool {
        self.passed().is_some()
    }

    /// The time that is left: none if there is no deadline, zero if it has passed.
    pub(crate) fn remaining(self) -> Option<Duration> {
        self.0.map(|(end, _)| end.saturating_duration_since(Instant::now()))
    }

    /// Whichever of the two comes first.
    pub(crate) fn earlier(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(one), Some(two)) => Self(Some(if two.0 < one.0 { two } else { one })),
            (one, two) => Self(one.or(two)),
        }
    }
}
