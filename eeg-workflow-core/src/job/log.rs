//! The log of a block: its newest lines.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::budget::Budget;

/// The newest lines that a block has logged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// How many older lines were dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    dropped: u64,
    lines: VecDeque<Arc<str>>,
    #[serde(skip)]
    bytes: usize,
}

impl Log {
    const MAX_LINES: usize = 1_000;
    const MAX_BYTES: usize = 64 * 1024;

    /// Adds a line; the oldest ones go when there are more than 1,000 or more than 64 KiB.
    pub fn push(&mut self, line: Arc<str>) {
        self.push_within(line, &Budget::unlimited());
    }

    /// The same, and when the job has used up its budget, only the newest line stays.
    pub(super) fn push_within(&mut self, line: Arc<str>, budget: &Budget) {
        self.bytes += line.len();
        budget.add(line.len());
        self.lines.push_back(line);
        while self.lines.len() > 1
            && (self.lines.len() > Self::MAX_LINES
                || self.bytes > Self::MAX_BYTES
                || budget.is_used_up())
        {
            let oldest = self.lines.pop_front().map_or(0, |line| line.len());
            self.bytes = self.bytes.saturating_sub(oldest);
            budget.give_back(oldest);
            self.dropped += 1;
        }
    }

    /// Bytes of its lines.
    pub(super) fn byte_size(&self) -> usize {
        self.lines.iter().map(|line| line.len()).sum()
    }

    /// The lines as one string, which says how many are missing.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.bytes + self.lines.len());
        if self.dropped > 0 {
            text = format!("({} earlier lines are left out)\n", self.dropped);
        }
        for (i, line) in self.lines.iter().enumerate() {
            text.push_str(if i == 0 { "" } else { "\n" });
            text.push_str(line);
        }
        text
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
