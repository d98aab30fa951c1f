//! Those who follow the events of a job.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::active::ActiveJob;
use super::details::Details;
use super::event_data;
use super::feed::JobEvent;

/// Follows the events of a job: those after the number that was asked for, then new ones as
/// they happen, up to the job's last. Where events are missing, because they are too long ago,
/// nobody listened, or the number was never given, a `snapshot` comes instead.
///
/// As an iterator it blocks; [`Subscription::next_event`] awaits in any runtime.
#[derive(Debug)]
pub struct Subscription(Source);

#[derive(Debug)]
enum Source {
    /// A job in memory, and the number of the last event that was given.
    Active {
        job: Arc<ActiveJob>,
        after: Option<u64>,
    },
    Stored(std::vec::IntoIter<JobEvent>),
}

impl Subscription {
    pub(super) fn active(job: Arc<ActiveJob>, after: u64) -> Self {
        let after = job.watch(after);
        Self(Source::Active { job, after })
    }

    /// Of a job that is not in memory.
    pub(super) fn stored(details: Details<'_>, after: u64) -> Self {
        let last = details.state.events.max(2);
        let after = if after > last { 0 } else { after };
        let mut events = Vec::new();
        if after < last - 1 {
            let data = event_data::snapshot(details);
            events.push(JobEvent { number: last - 1, name: "snapshot", data });
        }
        if after < last && details.state.status.is_final() {
            let data = event_data::end(details.state);
            events.push(JobEvent { number: last, name: "end", data });
        }
        Self(Source::Stored(events.into_iter()))
    }

    /// The next event; none after the job's last one, or when the service has shut down.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<JobEvent>> {
        let (job, after) = match &mut self.0 {
            Source::Active { job, after } => (job, after),
            Source::Stored(events) => return Poll::Ready(events.next()),
        };
        let polled = job.poll_event(*after, cx.waker());
        if let Poll::Ready(Some(event)) = &polled {
            *after = Some(event.number);
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
