//! The numbered events of a job, and those who follow them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::live::Live;

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
    /// Its number; numbers of a job grow by one.
    pub number: u64,
    /// What sort of event it is.
    pub name: &'static str,
    /// JSON without line breaks.
    pub data: String,
}

/// So many events are kept for those who come back.
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

    /// What follows the event `after`, where `last` is the newest and `ended` says that it is
    /// the job's end.
    pub(super) fn next(&self, after: u64, last: u64, ended: bool) -> Next {
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

/// Follows the events of a job: those after the number that was asked for, then new ones as
/// they happen, up to the job's last. Where events are missing, because they are too long ago
/// or nobody listened, a `snapshot` comes instead.
///
/// As an iterator it blocks; [`Subscription::next_event`] awaits in any runtime.
#[derive(Debug)]
pub struct Subscription(Source);

#[derive(Debug)]
enum Source {
    Live { job: Arc<Live>, after: u64 },
    Stored(std::vec::IntoIter<JobEvent>),
}

impl Subscription {
    pub(super) fn live(job: Arc<Live>, after: u64) -> Self {
        let after = job.watch(after);
        Self(Source::Live { job, after })
    }

    pub(super) fn stored(events: Vec<JobEvent>) -> Self {
        Self(Source::Stored(events.into_iter()))
    }

    /// The next event; none after the job's last one, or when the service has shut down.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<JobEvent>> {
        let (job, after) = match &mut self.0 {
            Source::Live { job, after } => (job, after),
            Source::Stored(events) => return Poll::Ready(events.next()),
        };
        let polled = job.poll_event(*after, cx.waker());
        if let Poll::Ready(Some(event)) = &polled {
            *after = event.number;
        }
        polled
    }

    /// Awaits the next event.
    pub async fn next_event(&mut self) -> Option<JobEvent> {
        poll_fn(|cx| self.poll_next(cx)).await
    }
}

/// Blocks until the next event is there.
impl Iterator for Subscription {
    type Item = JobEvent;

    fn next(&mut self) -> Option<JobEvent> {
        struct Unpark(Thread);

        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }

        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            match self.poll_next(&mut Context::from_waker(&waker)) {
                Poll::Ready(event) => return event,
                Poll::Pending => thread::park(),
            }
        }
    }
}
