//! Unique names from the labels of signals.

use std::collections::{HashMap, HashSet};

/// Names that occur more than once get a running number, `Cz-0`, `Cz-1` …, or a letter where
/// that is somebody else's name, as MNE gives them.
pub(super) fn number_duplicates(names: &mut [String]) {
    let mut counts: HashMap<String, (usize, usize)> = HashMap::new();
    for name in names.iter() {
        counts.entry(name.clone()).or_default().0 += 1;
    }
    let mut taken: HashSet<String> = counts.keys().cloned().collect();
    for name in names {
        let Some((2.., next)) = counts.get_mut(name) else {
            continue;
        };
        let endings = std::iter::once(next.to_string()).chain(('a'..='z').map(String::from));
        let free = endings.map(|e| format!("{name}-{e}")).find(|name| !taken.contains(name));
        *next += 1;
        if let Some(free) = free {
            taken.insert(free.clone());
            *name = free;
        }
    }
}
