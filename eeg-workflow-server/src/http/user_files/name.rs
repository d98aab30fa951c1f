//! Names of files, and whose they are.

use std::fmt;
use std::path::{Path, PathBuf};

use eeg_workflow_core::block::OwnerId;

use crate::http::rejection::Rejection;

/// Folders below each other.
const MAX_DEPTH: usize = 16;
/// Bytes of one name, as file systems allow.
const MAX_NAME: usize = 255;
/// The first part of a name that says that a file is everybody's.
const SHARED: &str = "Shared";
/// The folder of everybody's files, beside those of users; no user's id looks like it.
pub(crate) const SHARED_FOLDER: &str = "shared";

/// Whose files they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Space {
    /// A user's own, `Home/…` in workflows.
    User(OwnerId),
    /// Everybody's, `Shared/…` in workflows.
    Shared,
}

impl Space {
    /// The name of its folder.
    pub(super) fn folder(self) -> String {
        match self {
            Self::User(user) => user.to_string(),
            Self::Shared => SHARED_FOLDER.to_owned(),
        }
    }
}

/// A name of a file that is safe below the folder of its space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileName(Vec<String>);

impl FileName {
    /// Checks the components of a path.
    pub(crate) fn new(parts: Vec<String>) -> Result<Self, Rejection> {
        if parts.is_empty() {
            return Err(Rejection::BadFileName("is empty"));
        }
        if parts.len() > MAX_DEPTH {
            return Err(Rejection::BadFileName("has too many folders"));
        }
        for part in &parts {
            let problem = if part.is_empty() {
                "has an empty part"
            } else if part.len() > MAX_NAME {
                "has a part longer than 255 bytes"
            } else if part.starts_with('.') {
                "has a part that begins with a dot"
            } else if part.contains(['/', '\\']) || part.contains(char::is_control) {
                "contains a character that is not allowed"
            } else {
                continue;
            };
            return Err(Rejection::BadFileName(problem));
        }
        Ok(Self(parts))
    }

    /// Checks a path such as `a/b.eeg`.
    pub(crate) fn parse(path: &str) -> Result<Self, Rejection> {
        Self::new(path.split('/').map(str::to_owned).collect())
    }

    /// Whose file this user means by the name, and its name there, which is none for the shared
    /// folder itself.
    pub(crate) fn in_space(self, user: OwnerId) -> (Space, Option<Self>) {
        match self.0.split_first() {
            Some((first, rest)) if first == SHARED => {
                (Space::Shared, (!rest.is_empty()).then(|| Self(rest.to_vec())))
            }
            _ => (Space::User(user), Some(self)),
        }
    }

    /// Its parts, folders first.
    pub(super) fn parts(&self) -> &[String] {
        &self.0
    }

    pub(super) fn path_below(&self, folder: &Path) -> PathBuf {
        let mut path = folder.to_owned();
        path.extend(&self.0);
        path
    }

    /// With `/` between its parts.
    pub(super) fn joined(&self) -> String {
        self.0.join("/")
    }

    /// Whether a file of this name could not be beside one of the other name: one would be a
    /// folder.
    pub(crate) fn is_below(&self, other: &Self) -> bool {
        self.0.len() > other.0.len() && self.0.starts_with(&other.0)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined())
    }
}
