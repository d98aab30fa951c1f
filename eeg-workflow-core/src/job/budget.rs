//! How much a job may show, log and say, so that its details fit into memory and into the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes that all blocks of a job may show and log together, beside their files.
const JOB_BYTES: usize = 8 * 1024 * 1024;
/// Whatever the other blocks have used, a string of this length is kept.
const ALWAYS: usize = 256;
/// Bytes of outputs that are saved, so that a job that is resumed need not make them again.
const OUTPUT_BYTES: usize = 16 * 1024 * 1024;

/// What is left of the bytes that a job's details may hold.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicUsize,
    limit: usize,
    outputs: AtomicUsize,
}

impl Budget {
    pub(super) fn unlimited() -> Self {
        Self { used: AtomicUsize::new(0), limit: usize::MAX, outputs: AtomicUsize::new(0) }
    }

    /// How many of these bytes may be kept: at most `most` for one block, and fewer when other
    /// blocks have used up what the job has. They count as used.
    pub(super) fn take(&self, bytes: usize, most: usize) -> usize {
        let left = self.limit.saturating_sub(self.used.load(Relaxed)).max(ALWAYS);
        let taken = bytes.min(most).min(left);
        self.add(taken);
        taken
    }

    pub(super) fn add(&self, bytes: usize) {
        self.used.fetch_add(bytes, Relaxed);
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.used.load(Relaxed) >= self.limit
    }

    /// The string, or its beginning and how long it was.
    pub(super) fn cut(&self, text: &Arc<str>, most: usize) -> Arc<str> {
        cut(text, self.take(text.len(), most))
    }

    /// Counts outputs that were saved before.
    pub(super) fn add_outputs(&self, bytes: usize) {
        self.outputs.fetch_add(bytes, Relaxed);
    }

    /// Whether outputs of this size may be saved for a resume; if so, they count.
    pub(super) fn admits_outputs(&self, bytes: usize) -> bool {
        self.outputs.fetch_add(bytes, Relaxed) + bytes <= OUTPUT_BYTES
    }
}

impl Default for Budget {
    /// That of a job that has not shown anything.
    fn default() -> Self {
        Self { limit: JOB_BYTES, ..Self::unlimited() }
    }
}

/// The string, or its beginning of at most `most` bytes and how long it was.
pub(super) fn cut(text: &Arc<str>, most: usize) -> Arc<str> {
    if text.len() <= most {
        return Arc::clone(text);
    }
    format!("{} (cut: {} bytes)", start(text, most), text.len()).into()
}

/// The beginning of a string, of at most `most` bytes.
pub(super) fn start(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}
