//! The threads of blocks that compute: a rayon pool, so that blocks can use rayon inside.

use super::EngineError;

#[cfg(not(all(shuttle, test)))]
pub(super) struct Threads(rayon_core::ThreadPool);

#[cfg(not(all(shuttle, test)))]
impl Threads {
    /// As many as are asked for, else as there are cores.
    pub(super) fn new(count: Option<usize>) -> Result<Self, EngineError> {
        let mut builder =
            rayon_core::ThreadPoolBuilder::new().thread_name(|i| format!("engine-{i}"));
        if let Some(count) = count {
            builder = builder.num_threads(count.max(1));
        }
        Ok(Self(builder.build()?))
    }

    pub(super) fn count(&self) -> usize {
        self.0.current_num_threads()
    }

    pub(super) fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        self.0.spawn(work);
    }
}

/// While shuttle checks: threads of its own, one for each piece of work.
#[cfg(all(shuttle, test))]
pub(super) struct Threads(usize);

#[cfg(all(shuttle, test))]
impl Threads {
    pub(super) fn new(count: Option<usize>) -> Result<Self, EngineError> {
        Ok(Self(count.unwrap_or(2)))
    }

    pub(super) fn count(&self) -> usize {
        self.0
    }

    pub(super) fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        drop(shuttle::thread::spawn(work));
    }
}
