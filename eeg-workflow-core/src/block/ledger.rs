//! Accounting of the memory that outputs hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many bytes the outputs of an engine's or a run's blocks hold, and how many they may.
#[derive(Debug)]
pub(crate) struct Ledger {
    held: AtomicUsize,
    peak: AtomicUsize,
    limit: usize,
    parent: Option<Arc<Ledger>>,
}

/// Bytes that are given back when the last holder of a value drops this.
#[derive(Debug)]
pub(crate) struct Charge {
    bytes: usize,
    ledger: Arc<Ledger>,
}

/// The limit that a charge would exceed.
#[derive(Debug)]
pub(crate) struct Exceeded {
    pub(crate) held: usize,
    pub(crate) limit: usize,
}

impl Ledger {
    pub(crate) fn new(limit: Option<usize>, parent: Option<Arc<Self>>) -> Self {
        let limit = limit.unwrap_or(usize::MAX);
        Self { held: AtomicUsize::new(0), peak: AtomicUsize::new(0), limit, parent }
    }

    pub(crate) fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Relaxed)
    }

    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Result<Charge, Exceeded> {
        self.add(bytes)?;
        Ok(Charge { bytes, ledger: Arc::clone(self) })
    }

    fn add(&self, bytes: usize) -> Result<(), Exceeded> {
        let before = self.held.fetch_add(bytes, Relaxed);
        let after = before.saturating_add(bytes);
        if after > self.limit {
            self.held.fetch_sub(bytes, Relaxed);
            return Err(Exceeded { held: before, limit: self.limit });
        }
        if let Some(parent) = &self.parent
            && let Err(exceeded) = parent.add(bytes)
        {
            self.held.fetch_sub(bytes, Relaxed);
            return Err(exceeded);
        }
        self.peak.fetch_max(after, Relaxed);
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Relaxed);
        if let Some(parent) = &self.parent {
            parent.give_back(bytes);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.ledger.give_back(self.bytes);
    }
}
