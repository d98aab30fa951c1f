//! The `[section]`, `key=value` text that headers are made of.

/// A line `key=value` in a section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'t> {
    pub(super) section: &'t str,
    pub(super) key: &'t str,
    pub(super) value: &'t str,
    /// Counted from 1.
    pub(super) line: usize,
}

/// A header's text in its two parts: entries, and the free text behind `[Comment]`.
#[derive(Debug)]
pub(super) struct Ini<'t> {
    pub(super) entries: Vec<Entry<'t>>,
    pub(super) comment: &'t str,
}

impl<'t> Ini<'t> {
    pub(super) fn parse(text: &'t str) -> Self {
        let mut entries = Vec::new();
        let mut section = "";
        let mut comment = "";
        let mut rest = text;
        let mut line_number = 0;
        while !rest.is_empty() {
            let (line, behind) = rest.split_once('\n').unwrap_or((rest, ""));
            rest = behind;
            line_number += 1;
            let line = line.trim();
            if line.starts_with([';', '#']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                section = name.trim();
                if section.eq_ignore_ascii_case("Comment") {
                    comment = rest;
                    break;
                }
            } else if let Some((key, value)) = line.split_once('=') {
                entries.push(Entry {
                    section,
                    key: key.trim(),
                    value: value.trim(),
                    line: line_number,
                });
            }
        }
        Self { entries, comment }
    }

    /// The entries of a section, in order.
    pub(super) fn section(&self, name: &str) -> impl Iterator<Item = Entry<'t>> {
        let of_section = |e: &&Entry<'t>| e.section.eq_ignore_ascii_case(name);
        self.entries.iter().filter(of_section).copied()
    }

    /// The last entry of that name in a section; names are the same in any case.
    pub(super) fn get(&self, section: &str, key: &str) -> Option<Entry<'t>> {
        let found = self.section(section).filter(|e| e.key.eq_ignore_ascii_case(key));
        found.last()
    }
}
