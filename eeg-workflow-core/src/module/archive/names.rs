//! The names of an archive and of its entries.

use foldhash::HashMap;
use unicode_normalization::UnicodeNormalization;

use super::{ArchiveError, ArchiveLimits};

/// An archive's name is one plain component: it becomes a part of module names and of messages.
pub(super) fn check_file_name(name: &str) -> Result<(), ArchiveError> {
    let stem = name.strip_suffix(".zip").filter(|stem| !stem.is_empty() && name.len() <= 120);
    let plain = |c: char| !c.is_control() && !"/\\:\"<>|?*".contains(c);
    let fine = stem.is_some_and(|stem| stem.chars().all(plain) && stem.trim() == stem)
        && !name.starts_with('.');
    if fine { Ok(()) } else { Err(ArchiveError::FileName(name.chars().take(200).collect())) }
}

/// Checks the path of an entry: `name` as it stands in the archive, `path` without the slash of
/// a folder.
pub(super) fn check_path(
    name: &str,
    path: &str,
    limits: &ArchiveLimits,
) -> Result<(), ArchiveError> {
    let shown = || name.chars().take(limits.name_bytes).collect::<String>();
    if name.len() > limits.name_bytes {
        return Err(ArchiveError::NameTooLong { entry: shown(), limit: limits.name_bytes });
    }
    let unsafe_component = |part: &str| match part {
        "" => Some("it has an empty component"),
        "." | ".." => Some("it has a relative component"),
        // Windows drops both, and so makes another name of it.
        part if part.ends_with(['.', ' ']) => Some("a component ends in a dot or a space"),
        _ => None,
    };
    let problem = if path.starts_with('/') {
        Some("it is absolute")
    } else if path.contains('\\') {
        Some("it has a backslash")
    } else if path.contains(':') {
        Some("it has a colon")
    } else if path.chars().any(char::is_control) {
        Some("it has a control character")
    } else {
        path.split('/').find_map(unsafe_component)
    };
    if let Some(problem) = problem {
        return Err(ArchiveError::UnsafeName { entry: shown(), problem });
    }
    if path.split('/').count() > limits.depth {
        return Err(ArchiveError::TooDeep { entry: shown(), limit: limits.depth });
    }
    Ok(())
}

/// What systems and Python leave behind.
pub(super) fn is_ignored(path: &str) -> bool {
    let mut parts = path.split('/');
    path.split('/').next() == Some("__MACOSX")
        || parts.any(|part| part == "__pycache__" || part == ".DS_Store")
}

/// All names so far by their [folded](folded) form, each with its spelling and whether it is a folder.
#[derive(Default)]
pub(super) struct Names(HashMap<String, (String, bool)>);

impl Names {
    /// Adds a path and the folders above it.
    pub(super) fn add(&mut self, path: &str, is_folder: bool) -> Result<(), ArchiveError> {
        let above = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        for (part, is_folder) in above.map(|part| (part, true)).chain([(path, is_folder)]) {
            let entry = (part.to_owned(), is_folder);
            match self.0.get(&folded(part)) {
                Some(known) if *known == entry && is_folder => {}
                Some((known, _)) if known == path => {
                    return Err(ArchiveError::Duplicate(path.to_owned()));
                }
                Some((known, _)) => {
                    let (first, second) = (known.clone(), path.to_owned());
                    return Err(ArchiveError::Collision { first, second });
                }
                None => {
                    self.0.insert(folded(part), entry);
                }
            }
        }
        Ok(())
    }
}

/// The form in which names are compared: file systems may take names for one that differ in case
/// or in how an accent is encoded. Upper case first, as `ß` and `ſ` have it in common with `ss`
/// and `s`.
fn folded(name: &str) -> String {
    name.nfc().collect::<String>().to_uppercase().to_lowercase().nfc().collect()
}
