//! A value that is not there yet.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::guard;
use crate::sync::{Condvar, Mutex};

/// A value that another thread will give: wait for it on a thread ([`Pending::wait`]), await
/// it in any runtime, or go on with it where it arrives ([`Pending::map`]).
///
/// ```
/// use eeg_workflow_core::job::{Lost, Pending};
/// let (resolver, pending) = Pending::<Result<i32, Lost>>::new();
/// let doubled = pending.map(|n| n.map(|n| 2 * n));
/// std::thread::spawn(move || resolver.resolve(Ok(21)));
/// assert_eq!(doubled.wait(), Ok(42));
///
/// let (resolver, pending) = Pending::<Result<i32, Lost>>::new();
/// drop(resolver);
/// assert_eq!(pending.wait(), Err(Lost));
/// ```
pub struct Pending<T>(Inner<T>);

enum Inner<T> {
    /// There already: no allocation, no lock.
    Ready(Option<T>),
    Waiting(Arc<Shared<T>>),
}

/// The other end of a [`Pending`]. When it is dropped without having given a value, the waiter
/// gets [`Answer::lost`].
pub struct Resolver<T: Answer>(Option<Arc<Shared<T>>>);

/// What can be waited for: it has a value that says that the true one will never come.
pub trait Answer {
    /// What a waiter gets when the [`Resolver`] was dropped.
    fn lost() -> Self;
}

/// The answer will never come, because whatever should have given it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer was lost, because what should have given it has ended")]
pub struct Lost;

impl<T, E: From<Lost>> Answer for Result<T, E> {
    fn lost() -> Self {
        Err(Lost.into())
    }
}

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
    pub fn new() -> (Resolver<T>, Self)
    where
        T: Answer,
    {
        let state = Mutex::new(State::Empty);
        let shared = Arc::new(Shared { state, arrived: Condvar::new() });
        (Resolver(Some(Arc::clone(&shared))), Self(Inner::Waiting(shared)))
    }

    /// A value that is there already.
    pub fn ready(value: T) -> Self {
        Self(Inner::Ready(Some(value)))
    }

    /// Blocks until the value is there: for ever, if it was awaited before.
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
    /// quick. If it panics there, what it should have given is lost, and the thread goes on.
    pub fn map<U: Answer + Send + 'static>(
        self,
        then: impl FnOnce(T) -> U + Send + 'static,
    ) -> Pending<U> {
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

impl<T: Answer> Resolver<T> {
    /// Gives the value.
    pub fn resolve(mut self, value: T) {
        self.give(|| value);
    }

    fn give(&mut self, value: impl FnOnce() -> T) {
        if let Some(shared) = self.0.take() {
            shared.resolve(value());
        }
    }
}

impl<T: Answer> Drop for Resolver<T> {
    fn drop(&mut self) {
        self.give(T::lost);
    }
}

impl<T> Shared<T> {
    fn resolve(&self, value: T) {
        let mut state = self.state.lock();
        // The waiter's code: a panic of it must not reach the thread that resolves.
        let outcome = match std::mem::replace(&mut *state, State::Taken) {
            State::Mapped(then) => {
                drop(state);
                guard::call(|| then(value))
            }
            before => {
                *state = State::Value(value);
                drop(state);
                match before {
                    State::Blocked => {
                        self.arrived.notify_all();
                        Ok(())
                    }
                    State::Awaited(waker) => guard::call(|| waker.wake()),
                    _ => Ok(()),
                }
            }
        };
        // The panic hook has told of it, and the waiter's own waiters are told that it is lost.
        drop(outcome);
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

impl<T: Answer> fmt::Debug for Resolver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

#[cfg(all(shuttle, test))]
mod shuttle_tests {
    //! In every order of two threads.

    use super::{Lost, Pending};

    fn check(model: impl Fn() + Send + Sync + 'static) {
        let every = shuttle::scheduler::DfsScheduler::new(None, false);
        let count = shuttle::Runner::new(every, shuttle::Config::default()).run(model);
        assert!(count > 1, "{count} orders");
    }

    #[test]
    fn shuttle_a_waiter_gets_the_value_or_is_told_that_it_is_lost() {
        for resolved in [false, true] {
            check(move || {
                let (resolver, pending) = Pending::<Result<i32, Lost>>::new();
                shuttle::thread::spawn(move || {
                    if resolved {
                        resolver.resolve(Ok(1));
                    }
                });
                assert_eq!(pending.wait(), if resolved { Ok(1) } else { Err(Lost) });
            });
        }
    }

    #[test]
    fn shuttle_what_is_made_of_a_value_arrives() {
        check(|| {
            let (resolver, pending) = Pending::<Result<i32, Lost>>::new();
            shuttle::thread::spawn(move || resolver.resolve(Ok(20)));
            let doubled = pending.map(|value| value.map(|value| 2 * value));
            assert_eq!(doubled.map(|value| value.map(|value| value + 2)).wait(), Ok(42));
        });
    }

    #[test]
    fn shuttle_an_awaited_value_wakes_its_task() {
        check(|| {
            let (resolver, pending) = Pending::<Result<i32, Lost>>::new();
            shuttle::thread::spawn(move || resolver.resolve(Ok(1)));
            assert_eq!(shuttle::future::block_on(pending), Ok(1));
        });
    }
}
