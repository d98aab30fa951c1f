//! The directory at the end of a zip archive: what must be checked before it is parsed.

use std::io::Cursor;

use zip::ZipArchive;

use super::ArchiveError;

const ENTRY: [u8; 4] = *b"PK\x01\x02";
const FILE: [u8; 4] = *b"PK\x03\x04";
const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
/// The size of an end record without its comment.
const END_BYTES: usize = 22;
/// An archive has at most one 64-bit directory, and so has each archive inside it: more than
/// this is an attack.
const MAX_DIRECTORIES: usize = 50;

/// Refuses what would take much memory or time to parse, and what two programs could read
/// differently.
pub(super) fn check_before_parsing(bytes: &[u8], entries: usize) -> Result<(), ArchiveError> {
    // Few honest archives hold other ones.
    if central_names(bytes).nth(entries.saturating_mul(4)).is_some() {
        return Err(ArchiveError::TooManyEntries { limit: entries });
    }
    // Looking for the right one among many 64-bit directories would take quadratic time.
    if positions(bytes, LOCATOR_64).nth(MAX_DIRECTORIES).is_some()
        || positions(bytes, END_64).nth(MAX_DIRECTORIES).is_some()
    {
        return Err(ArchiveError::ForeignData);
    }
    // Some programs read the first record whose comment ends where the file does, some the last.
    if positions(bytes, END).filter(|at| ends_the_file(bytes, *at)).nth(1).is_some() {
        return Err(ArchiveError::TwoDirectories);
    }
    Ok(())
}

/// Whether an end record here has a comment that reaches to the end of the file.
fn ends_the_file(bytes: &[u8], at: usize) -> bool {
    let Some(&[low, high]) = bytes.get(at + 20..at + END_BYTES) else { return false };
    let comment = usize::from(u16::from_le_bytes([low, high]));
    at + END_BYTES + comment == bytes.len()
}

/// Where this signature stands, whether it means something there or not.
fn positions(bytes: &[u8], signature: [u8; 4]) -> impl Iterator<Item = usize> {
    bytes.windows(4).enumerate().filter(move |(_, four)| *four == signature).map(|(at, _)| at)
}

/// The names behind everything that looks like an entry of a zip directory.
fn central_names(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    positions(bytes, ENTRY).filter_map(|at| {
        let header = bytes.get(at..)?;
        let &[low, high] = header.get(28..30)? else { return None };
        header.get(46..46 + usize::from(u16::from_le_bytes([low, high])))
    })
}

/// A name that is there twice, for the message.
pub(super) fn first_duplicate(bytes: &[u8]) -> String {
    let mut seen = foldhash::HashSet::default();
    let twice = central_names(bytes).find(|name| !seen.insert(*name));
    String::from_utf8_lossy(twice.unwrap_or_default()).into_owned()
}

/// Whether the archive begins and ends where the file does.
pub(super) fn is_alone(bytes: &[u8], zip: &ZipArchive<Cursor<&[u8]>>) -> bool {
    let end = END_BYTES + zip.comment().len();
    let last = bytes.len().checked_sub(end).and_then(|at| bytes.get(at..));
    let begins = if zip.is_empty() { END } else { FILE };
    zip.offset() == 0
        && bytes.starts_with(&begins)
        && last.is_some_and(|record| record.starts_with(&END))
}

/// Refuses a second end record behind the entries' data, be it in the comment of the first.
pub(super) fn check_one_end(
    bytes: &[u8],
    zip: &mut ZipArchive<Cursor<&[u8]>>,
) -> Result<(), ArchiveError> {
    let mut data_end = 0;
    for index in 0..zip.len() {
        let entry = zip.by_index_raw(index).map_err(ArchiveError::NotAZip)?;
        let end = entry.data_start().unwrap_or(0).saturating_add(entry.compressed_size());
        data_end = data_end.max(end);
    }
    let rest = usize::try_from(data_end).ok().and_then(|end| bytes.get(end..)).unwrap_or(bytes);
    if positions(rest, END).nth(1).is_some() {
        return Err(ArchiveError::TwoDirectories);
    }
    Ok(())
}
