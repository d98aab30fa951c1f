//! Memory for the arrays of a message to a worker.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use serde_json::{Value as Json, json};

use crate::runtime::python::memory::Memory;

/// Writes a piece of an array: the number of its first element, and the elements.
pub(crate) type ArrayWriter<'a> = dyn Fn(usize, &[f64]) -> io::Result<()> + Sync + 'a;

/// The arrays of one message, in one piece of memory; none as long as there are no arrays.
#[derive(Default)]
pub(crate) struct Arrays(Option<Memory>);

impl Arrays {
    /// An array of this shape in the memory. `fill` writes it piece by piece: it is given a
    /// function that takes the number of the first element and the elements from there on.
    pub(crate) fn add(
        &mut self,
        shape: &[usize],
        fill: impl FnOnce(&ArrayWriter<'_>) -> io::Result<()>,
    ) -> io::Result<Json> {
        let memory = match &mut self.0 {
            Some(memory) => memory,
            none => none.insert(Memory::new()?),
        };
        let at = memory.reserve(shape.iter().product())?;
        fill(&|first, floats| memory.write_at(floats, at + 8 * first as u64))?;
        Ok(json!({ "array": shape, "at": at }))
    }

    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }
}
