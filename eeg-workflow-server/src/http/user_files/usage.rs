//! How much each space holds, and how much of it is promised to uploads that are coming in.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::name::{FileName, Space};
use crate::http::rejection::Rejection;
use crate::sync::lock;

/// How long what was counted is believed: files can also be put there or taken away by hand.
const BELIEVED: Duration = Duration::from_secs(60);

/// Bytes, and the number of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) bytes: u64,
    pub(crate) files: u64,
}

/// What is in all spaces.
pub(super) struct Usage {
    limit: Amount,
    spaces: Mutex<HashMap<Space, SpaceUsage>>,
}

#[derive(Default)]
struct SpaceUsage {
    held: Amount,
    counted: Option<Instant>,
    /// Taken by uploads that are coming in.
    reserved: Amount,
    /// What will be replaced by them, so that it need not be free beside them.
    credited: Amount,
    /// Whose contents are being replaced: only the first upload of a name has it credited.
    replaced: HashSet<FileName>,
}

/// What an upload has taken of its space, until this is dropped or the upload is in its place.
pub(super) struct Reservation {
    usage: Arc<Usage>,
    space: Space,
    reserved: Amount,
    credited: Amount,
    replaces: Option<FileName>,
}

impl Usage {
    pub(super) fn new(limit: Amount) -> Arc<Self> {
        Arc::new(Self { limit, spaces: Mutex::default() })
    }

    /// Takes room for one file, of no bytes yet. `replaced` is what there is of its name;
    /// `count` counts what the space holds, if that is not known.
    pub(super) fn reserve(
        self: &Arc<Self>,
        space: Space,
        name: &FileName,
        replaced: Option<u64>,
        count: impl FnOnce() -> Result<Amount, Rejection>,
    ) -> Result<Reservation, Rejection> {
        let mut spaces = lock(&self.spaces);
        let usage = spaces.entry(space).or_default();
        let is_old = usage.counted.is_none_or(|counted| counted.elapsed() > BELIEVED);
        if is_old && usage.reserved == Amount::default() {
            usage.held = count()?;
            usage.counted = Some(Instant::now());
        }
        let is_first = replaced.is_some() && usage.replaced.insert(name.clone());
        let bytes = replaced.filter(|_| is_first);
        let credited = bytes.map_or_else(Amount::default, |bytes| Amount { bytes, files: 1 });
        usage.credited.bytes += credited.bytes;
        usage.credited.files += credited.files;
        // From here on the drop of the reservation takes back what was noted.
        let mut reservation = Reservation {
            usage: Arc::clone(self),
            space,
            reserved: Amount::default(),
            credited,
            replaces: is_first.then(|| name.clone()),
        };
        let taken = usage.take(self.limit, Amount { bytes: 0, files: 1 });
        drop(spaces);
        taken?;
        reservation.reserved.files = 1;
        Ok(reservation)
    }

    /// A file of this size is gone.
    pub(super) fn removed(&self, space: Space, bytes: u64) {
        if let Some(usage) = lock(&self.spaces).get_mut(&space) {
            usage.held.bytes = usage.held.bytes.saturating_sub(bytes);
            usage.held.files = usage.held.files.saturating_sub(1);
        }
    }

    /// What the space holds is counted anew when it is next needed.
    pub(super) fn forget(&self, space: Space) {
        if let Some(usage) = lock(&self.spaces).get_mut(&space) {
            usage.counted = None;
        }
    }
}

impl SpaceUsage {
    /// Takes this much more, if there is as much.
    fn take(&mut self, limit: Amount, more: Amount) -> Result<(), Rejection> {
        let sum = |of: fn(&Amount) -> u64| {
            let taken = of(&self.held).saturating_add(of(&self.reserved));
            taken.saturating_sub(of(&self.credited)).saturating_add(of(&more))
        };
        if sum(|amount| amount.bytes) > limit.bytes {
            return Err(Rejection::OverQuota(limit.bytes));
        }
        if sum(|amount| amount.files) > limit.files {
            return Err(Rejection::TooManyFiles(limit.files));
        }
        self.reserved.bytes += more.bytes;
        self.reserved.files += more.files;
        Ok(())
    }
}

impl Reservation {
    /// Takes this many bytes more.
    pub(super) fn grow(&mut self, bytes: u64) -> Result<(), Rejection> {
        let mut spaces = lock(&self.usage.spaces);
        let usage = spaces.entry(self.space).or_default();
        usage.take(self.usage.limit, Amount { bytes, files: 0 })?;
        self.reserved.bytes += bytes;
        Ok(())
    }

    /// The upload is in its place, where it has replaced a file of this size.
    pub(super) fn used(self, replaced: Option<u64>) {
        if let Some(usage) = lock(&self.usage.spaces).get_mut(&self.space) {
            let held = usage.held.bytes.saturating_add(self.reserved.bytes);
            usage.held.bytes = held.saturating_sub(replaced.unwrap_or(0));
            usage.held.files += u64::from(replaced.is_none());
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(usage) = lock(&self.usage.spaces).get_mut(&self.space) {
            usage.reserved.bytes -= self.reserved.bytes;
            usage.reserved.files -= self.reserved.files;
            usage.credited.bytes -= self.credited.bytes;
            usage.credited.files -= self.credited.files;
            if let Some(name) = &self.replaces {
                usage.replaced.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use eeg_workflow_core::block::OwnerId;

    use super::*;

    const SPACE: Space = Space::User(OwnerId(1));

    fn reserve(
        usage: &Arc<Usage>,
        name: &str,
        replaced: Option<u64>,
        held: Amount,
    ) -> Result<Reservation, Rejection> {
        usage.reserve(SPACE, &FileName::parse(name)?, replaced, || Ok(held))
    }

    #[test]
    fn uploads_at_once_get_no_more_than_there_is() -> Result<(), Rejection> {
        let usage = Usage::new(Amount { bytes: 100, files: 3 });
        let held = Amount { bytes: 40, files: 1 };
        let mut first = reserve(&usage, "a", None, held)?;
        let mut second = reserve(&usage, "b", None, held)?;
        assert!(matches!(reserve(&usage, "c", None, held), Err(Rejection::TooManyFiles(3))));
        first.grow(50)?;
        assert!(matches!(second.grow(11), Err(Rejection::OverQuota(100))));
        second.grow(10)?;
        drop(second);
        first.used(None);
        // What was not counted by hand is known: 90 bytes, 2 files.
        let mut third = reserve(&usage, "c", None, Amount::default())?;
        assert!(third.grow(11).is_err());
        third.grow(10)?;
        Ok(())
    }

    #[test]
    fn what_is_replaced_is_credited_once() -> Result<(), Rejection> {
        let usage = Usage::new(Amount { bytes: 100, files: 1 });
        let held = Amount { bytes: 100, files: 1 };
        let mut first = reserve(&usage, "a", Some(100), held)?;
        assert!(reserve(&usage, "a", Some(100), held).is_err());
        first.grow(60)?;
        first.used(Some(100));
        assert!(reserve(&usage, "b", None, held).is_err());
        let mut again = reserve(&usage, "a", Some(60), held)?;
        again.grow(100)?;
        Ok(())
    }
}
