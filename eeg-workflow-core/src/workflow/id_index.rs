//! The positions of blocks by their ids.

use std::collections::hash_map::Entry;

use foldhash::HashMap;

use super::diagnostic::Problems;
use super::nodes::BlockNode;
use super::{BlockId, Code, Diagnostic};

/// The positions of blocks by id: a table where the ids are integers close to each other, as
/// designers number them.
pub(super) struct IdIndex<'a> {
    blocks: &'a [BlockNode],
    first: i64,
    table: Vec<u32>,
    others: HashMap<&'a BlockId, u32>,
}

const NOWHERE: u32 = u32::MAX;

impl<'a> IdIndex<'a> {
    pub(super) fn new(blocks: &'a [BlockNode], problems: &mut Problems) -> Self {
        let integers = || {
            blocks.iter().filter_map(|node| match node.id {
                Some(BlockId::Integer(id)) => Some(id),
                _ => None,
            })
        };
        let first = integers().min().unwrap_or(0);
        let span = integers().max().unwrap_or(0).saturating_sub(first);
        let size = usize::try_from(span).ok().and_then(|span| span.checked_add(1));
        let size = size.filter(|size| *size <= 4 * blocks.len() + 16).unwrap_or(0);
        let others = HashMap::default();
        let mut index = Self { blocks, first, table: vec![NOWHERE; size], others };
        for (position, node) in (0..).zip(blocks) {
            let Some(id) = &node.id else { continue };
            if let Some(earlier) = index.insert(id, position) {
                let message = format!("block id {id} occurs twice (also at /blocks/{earlier})");
                let pointer = format!("/blocks/{position}/id");
                problems.add(Diagnostic::error(Code::DuplicateBlockId, pointer, message).block(id));
            }
        }
        index
    }

    fn place(&self, id: &BlockId) -> Option<usize> {
        match id {
            BlockId::Integer(id) if !self.table.is_empty() => {
                usize::try_from(id.checked_sub(self.first)?).ok()
            }
            _ => None,
        }
    }

    /// The position that the id had before.
    fn insert(&mut self, id: &'a BlockId, position: u32) -> Option<u32> {
        match self.place(id).and_then(|place| self.table.get_mut(place)) {
            Some(at) if *at == NOWHERE => {
                *at = position;
                None
            }
            Some(at) => Some(*at),
            None => match self.others.entry(id) {
                Entry::Occupied(entry) => Some(*entry.get()),
                Entry::Vacant(entry) => {
                    entry.insert(position);
                    None
                }
            },
        }
    }

    pub(super) fn get(&self, id: &BlockId) -> Option<u32> {
        match self.place(id).and_then(|place| self.table.get(place)) {
            Some(at) => Some(*at).filter(|at| *at != NOWHERE),
            None => self.others.get(id).copied(),
        }
    }

    pub(super) fn id(&self, position: u32) -> Option<&'a BlockId> {
        self.blocks.get(position as usize)?.id.as_ref()
    }

    pub(super) fn name(&self, position: u32) -> String {
        self.id(position).map_or_else(|| "?".to_owned(), ToString::to_string)
    }
}
