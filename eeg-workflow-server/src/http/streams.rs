//! Event streams that are open, of which each user has a limited number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use eeg_workflow_core::block::OwnerId;

use crate::http::rejection::Rejection;
use crate::sync::lock;

/// Counts the open streams of each user.
pub(crate) struct Streams {
    most_of_one: usize,
    open: Mutex<HashMap<OwnerId, usize>>,
}

/// The place of an open stream, until it is dropped.
pub(crate) struct StreamPlace {
    streams: Arc<Streams>,
    user: OwnerId,
}

impl Streams {
    pub(crate) fn new(most_of_one: usize) -> Arc<Self> {
        Arc::new(Self { most_of_one, open: Mutex::default() })
    }

    /// A place for one more stream of this user.
    pub(crate) fn open(self: &Arc<Self>, user: OwnerId) -> Result<StreamPlace, Rejection> {
        let mut open = lock(&self.open);
        let count = open.entry(user).or_default();
        if *count >= self.most_of_one {
            return Err(Rejection::TooManyStreams(*count));
        }
        *count += 1;
        Ok(StreamPlace { streams: Arc::clone(self), user })
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        lock(&self.open).values().sum()
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = lock(&self.streams.open);
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}
