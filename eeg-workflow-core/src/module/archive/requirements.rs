//! `requirements.txt`: the packages that a module in Python needs.
//!
//! Requirement lines only (`numpy>=1.26; python_version < "3.13"  # why`): pip takes options,
//! folders, archives and addresses there too, which would let a module install anything.

use std::collections::BTreeMap;

use super::ArchiveError;

pub(super) const FILE: &str = "requirements.txt";
const MAX_LINE_BYTES: usize = 1000;

/// Checks the list of a module, if it has one.
pub(super) fn check(module: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), ArchiveError> {
    let Some(bytes) = files.get(FILE) else { return Ok(()) };
    let refused = |line: usize, problem: String| ArchiveError::Requirement {
        file: format!("{module}/{FILE}"),
        line,
        problem,
    };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (line, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| refused(line, "the line is not valid UTF-8".into()))?;
        if let Some(problem) = problem(text.trim_end_matches('\r')) {
            return Err(refused(line, problem));
        }
    }
    Ok(())
}

/// What is wrong with a line.
fn problem(line: &str) -> Option<String> {
    // A comment starts a line or follows white space.
    let comment = line.match_indices('#').map(|(at, _)| at);
    let mut comment = comment.filter(|at| {
        line.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t']))
    });
    let text = comment.next().and_then(|at| line.get(..at)).unwrap_or(line).trim();
    if text.is_empty() {
        return None;
    }
    if line.len() > MAX_LINE_BYTES {
        return Some(format!("the line is longer than {MAX_LINE_BYTES} bytes"));
    }
    let shown: String = text.chars().take(80).collect();
    let not_allowed = |what: &str| {
        Some(format!(
            "{what} are not allowed, only requirements such as \"numpy>=1.26\": {shown:?}"
        ))
    };
    // `\r` alone ends a line for pip, and a variable stands for anything.
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Some(format!("the line has a control character: {shown:?}"));
    }
    if text.ends_with('\\') {
        return not_allowed("continued lines");
    }
    if text.starts_with('-') || text.contains(" -") || text.contains("\t-") {
        return not_allowed("options");
    }
    if text.contains("${") {
        return not_allowed("variables");
    }
    if text.contains("://") || text.contains('@') {
        return not_allowed("addresses");
    }
    let (requirement, marker) = match text.split_once(';') {
        Some((requirement, marker)) => (requirement.trim(), Some(marker.trim())),
        None => (text, None),
    };
    if requirement.contains(['/', '\\'])
        || requirement.starts_with('.')
        || requirement.contains(':')
    {
        return not_allowed("paths");
    }
    if !is_requirement(requirement) || marker == Some("") {
        return Some(format!("not a requirement such as \"numpy>=1.26\": {shown:?}"));
    }
    const FILES: [&str; 6] = [".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"];
    let lower = requirement.to_ascii_lowercase();
    if FILES.iter().any(|suffix| lower.ends_with(suffix)) {
        return not_allowed("paths");
    }
    None
}

/// `name`, `name[extra, extra]`, each with version specifiers (in parentheses or not).
fn is_requirement(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "._-".contains(c));
    let Some(name) = text.strip_suffix(rest) else { return false };
    if !is_name(name) {
        return false;
    }
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('[') {
        None => rest,
        Some(rest) => {
            let Some((extras, rest)) = rest.split_once(']') else { return false };
            let extras = extras.trim();
            if !extras.is_empty() && !extras.split(',').all(|extra| is_name(extra.trim())) {
                return false;
            }
            rest.trim_start()
        }
    };
    let inner = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let specifiers = inner.unwrap_or(rest).trim();
    specifiers.is_empty() || specifiers.split(',').all(|one| is_specifier(one.trim()))
}

/// As package names are: letters, digits, and `._-` between them.
fn is_name(name: &str) -> bool {
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    ends_well(name.chars().next())
        && ends_well(name.chars().next_back())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// A comparison and a version.
fn is_specifier(text: &str) -> bool {
    const COMPARISONS: [&str; 8] = ["===", "~=", "==", "!=", "<=", ">=", "<", ">"];
    let version = COMPARISONS.iter().find_map(|comparison| text.strip_prefix(comparison));
    version.map(str::trim).is_some_and(|version| {
        !version.is_empty()
            && version.chars().all(|c| c.is_ascii_alphanumeric() || "._-+*!".contains(c))
    })
}
