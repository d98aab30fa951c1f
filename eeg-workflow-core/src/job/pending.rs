//! A value that is not there yet.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::sync::{Condvar, Mutex};

/// A value that another thread will give: wait for it on a thread ([`Pending::wait`]), await
/// it in any runtime, or go on with it where it arrives ([`Pending::map`]).
///
/// ```
/// use eeg_workflow_core::job::Pending;
/// let (resolver, pending) = Pending::new();
/// let doubled = pending.map(|n: i32| 2 * n);
/// std::thread::spawn(move || resolver.resolve(21));
/// assert_eq!(doubled.wait(), 42);
/// ```
pub struct Pending<T>(Inner<T>);

enum Inner<T> {
    /// There already: no allocation, no lock.
    Ready(Option<T>),
    Waiting(Arc<Shared<T>>),
}

/// The other end of a [`Pending`].
pub struct Resolver<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
}

enum State<T> {
    Empty,
    /// A thread waits for it.
    Blocked,
    Awaited(Waker),
    Mapped(Box<dyn FnOnce(T) + Send>),
    Value(T),
    Taken,
}

impl<T> Pending<T> {
    /// A value to come, and what gives it.
    pub fn new() -> (Resolver<T>, Self) {
        let state = Mutex::new(State::Empty);
        let shared = Arc::new(Shared { state, arrived: Condvar::new() });
        (Resolver(Arc::clone(&shared)), Self(Inner::Waiting(shared)))
    }

    /// A value that is there already.
    pub fn ready(value: T) -> Self {
        Self(Inner::Ready(Some(value)))
    }

    /// Blocks until the value is there: for ever, if it was awaited before, or if the resolver
    /// was dropped without one (whoever holds a resolver gives a value in any case).
    pub fn wait(self) -> T {
        let shared = match self.0 {
            Inner::Ready(Some(value)) => return value,
            Inner::Ready(None) => loop {
                std::thread::park();
            },
            Inner::Waiting(shared) => shared,
        };
        let mut state = shared.state.lock();
        loop {
            match std::mem::replace(&mut *state, State::Taken) {
                State::Value(value) => return value,
                // Whether anybody is to be told: that is a system call.
                _ => *state = State::Blocked,
            }
            state = shared.arrived.wait(state);
        }
    }

    /// What `then` makes of the value. `then` runs in any case, whether or not anybody waits:
    /// here and now if the value is there, else on the thread that resolves it; so it must be
    /// quick.
    pub fn map<U: Send + 'static>(self, then: impl FnOnce(T) -> U + Send + 'static) -> Pending<U> {
        let shared = match self.0 {
            Inner::Ready(Some(value)) => return Pending::ready(then(value)),
            Inner::Ready(None) => return Pending(Inner::Ready(None)),
            Inner::Waiting(shared) => shared,
        };
        let mut state = shared.state.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Value(value) => {
                drop(state);
                Pending::ready(then(value))
            }
            _ => {
                let (resolver, pending) = Pending::new();
                *state = State::Mapped(Box::new(move |value| resolver.resolve(then(value))));
                pending
            }
        }
    }
}

impl<T> Resolver<T> {
    /// Gives the value.
    pub fn resolve(self, value: T) {
        let mut state = self.0.state.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Mapped(then) => {
                drop(state);
                then(value);
            }
            before => {
                *state = State::Value(value);
                drop(state);
                match before {
                    State::Blocked => self.0.arrived.notify_all(),
                    State::Awaited(waker) => waker.wake(),
                    _ => {}
                }
            }
        }
    }
}

// The value is never pinned.
impl<T> Unpin for Pending<T> {}

impl<T> Future for Pending<T> {
    type Output = T;

    /// Stays pending for ever when it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let shared = match &mut self.0 {
            Inner::Ready(value) => return value.take().map_or(Poll::Pending, Poll::Ready),
            Inner::Waiting(shared) => shared,
        };
        let mut state = shared.state.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Value(value) => Poll::Ready(value),
            State::Taken => Poll::Pending,
            _ => {
                *state = State::Awaited(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Resolver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}
