//! The numbered events of a job, as many as are kept for those who follow it.

use std::collections::VecDeque;
use std::task::Waker;

/// Something that happened in a job.
///
/// Names and data (JSON objects on one line):
///
/// | name | data |
/// |---|---|
/// | `snapshot` | `{"status", "startTime", "endTime", "blocks": [{"id", "state", …}]}`: where the job stands, instead of the events before |
/// | `job` | `{"status", "state", "endTime"}`; `state` tells queued from running |
/// | `block` | `{"id", "state", …}`; `state` is running, completed, failed, skipped or cancelled; with `output` and `stderr` as in the job's details, and the `seconds` that it took |
/// | `progress` | `{"id", "fraction"}` |
/// | `log` | `{"id", "line"}` |
/// | `end` | `{"status"}`: nothing follows |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEvent {
    /// Its number. Numbers of a job grow by one while the service lives. In a job that is
    /// resumed they go on far above all that were given before, stored or not, so that no number
    /// means two events.
    pub number: u64,
    /// What sort of event it is.
    pub name: &'static str,
    /// JSON without line breaks.
    pub data: String,
}

/// How many events are kept for those who come back.
const RING: usize = 1_024;

/// The events of a job that somebody follows, or has followed.
#[derive(Debug, Default)]
pub(super) struct Feed {
    watched: bool,
    closed: bool,
    recent: VecDeque<JobEvent>,
    wakers: Vec<Waker>,
}

/// What a feed has for a subscriber.
pub(super) enum Next {
    Event(JobEvent),
    /// Events are missing in between: where the job stands says more.
    Snapshot,
    /// Only the end is missing.
    End,
    Nothing,
    Over,
}

impl Feed {
    pub(super) fn watch(&mut self) {
        self.watched = true;
    }

    /// Nothing follows.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Adds an event, if anybody has ever asked for events: otherwise nothing is made of it.
    pub(super) fn push(&mut self, number: u64, name: &'static str, data: impl FnOnce() -> String) {
        if self.watched {
            if self.recent.len() == RING {
                self.recent.pop_front();
            }
            self.recent.push_back(JobEvent { number, name, data: data() });
        }
    }

    /// Those to be woken, once no lock is held.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.wakers)
    }

    /// What follows the event `after` (none if it is not known), where `last` is the newest and
    /// `ended` says that it is the job's end.
    pub(super) fn next(&self, after: Option<u64>, last: u64, ended: bool) -> Next {
        let Some(after) = after else {
            return if self.closed { Next::Over } else { Next::Snapshot };
        };
        if after >= last {
            return if ended || self.closed { Next::Over } else { Next::Nothing };
        }
        let first = self.recent.front().map_or(u64::MAX, |event| event.number);
        let index = (after + 1).checked_sub(first).and_then(|index| usize::try_from(index).ok());
        match index.and_then(|index| self.recent.get(index)) {
            Some(event) => Next::Event(event.clone()),
            None if ended && after + 1 == last => Next::End,
            None => Next::Snapshot,
        }
    }

    pub(super) fn wait(&mut self, waker: &Waker) {
        if !self.wakers.iter().any(|other| other.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }
}
