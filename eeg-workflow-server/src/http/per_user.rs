//! Places of which each user has a limited number, so that nobody takes all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use eeg_workflow_core::block::OwnerId;

use crate::sync::lock;

/// Counts the places that each user has taken.
pub(crate) struct PerUser {
    max_per_user: usize,
    taken: Mutex<HashMap<OwnerId, usize>>,
}

/// A place, until it is dropped.
pub(crate) struct UserPlace {
    places: Arc<PerUser>,
    user: OwnerId,
}

/// The user has taken this many already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AllTaken(pub(crate) usize);

impl PerUser {
    /// Each user may take `max_per_user` places.
    pub(crate) fn new(max_per_user: usize) -> Arc<Self> {
        Arc::new(Self { max_per_user, taken: Mutex::default() })
    }

    /// Takes a place for this user.
    pub(crate) fn take(self: &Arc<Self>, user: OwnerId) -> Result<UserPlace, AllTaken> {
        let mut taken = lock(&self.taken);
        let count = taken.entry(user).or_default();
        if *count >= self.max_per_user {
            return Err(AllTaken(*count));
        }
        *count += 1;
        Ok(UserPlace { places: Arc::clone(self), user })
    }

    /// How many places are taken by all users.
    pub(crate) fn count(&self) -> usize {
        lock(&self.taken).values().sum()
    }
}

impl Drop for UserPlace {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        if let Some(count) = taken.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_places_of_their_own_and_gives_them_back() {
        let places = PerUser::new(2);
        let [one, other] = [OwnerId(1), OwnerId(2)];
        let mut taken = vec![places.take(one), places.take(one)];
        assert!(taken.iter().all(Result::is_ok));
        assert_eq!(places.take(one).err(), Some(AllTaken(2)));
        assert!(places.take(other).is_ok());
        taken.pop();
        assert!(places.take(one).is_ok());
        drop(taken);
        assert_eq!(places.count(), 0);
    }
}
