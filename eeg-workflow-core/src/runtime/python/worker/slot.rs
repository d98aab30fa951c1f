//! Small numbers, each for one process at a time: a sandbox makes users of them, and what one
//! user runs is ended together.

use crate::sync::Mutex;

/// Those that are in use, by all runtimes of this program.
static TAKEN: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// A number that nobody else has until this is dropped.
#[derive(Debug)]
pub(crate) struct Slot(u32);

impl Slot {
    /// The smallest free one.
    pub(crate) fn take() -> Self {
        let mut taken = TAKEN.lock();
        let number = (0..).find(|number| !taken.contains(number)).unwrap_or_default();
        taken.push(number);
        Self(number)
    }

    pub(crate) fn number(&self) -> u32 {
        self.0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        TAKEN.lock().retain(|number| *number != self.0);
    }
}
