//! Why the accounts cannot be used.

/// Why the accounts cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the accounts database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error(
        "the accounts database has layout {found}, and this program knows layouts up to {known}"
    )]
    Version { found: i64, known: usize },
}
