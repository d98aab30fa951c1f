//! Memory that is shared with a worker by its descriptor.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{ArrayD, IxDyn};
use rustix::fs::{FileType, MemfdFlags};

use crate::huge_pages;
use crate::sync::Mutex;

/// Floats that are read at a time, where several threads do it.
const PIECE: usize = 1 << 20;
/// Arrays begin at multiples of this.
const ALIGNMENT: u64 = 64;

/// Memory for arrays, one behind the other.
#[derive(Debug)]
pub(super) struct Memory {
    file: File,
    length: u64,
}

impl Memory {
    pub(super) fn new() -> io::Result<Self> {
        let descriptor = rustix::fs::memfd_create("eeg-workflow", MemfdFlags::CLOEXEC)?;
        Ok(Self { file: File::from(descriptor), length: 0 })
    }

    pub(super) fn of(bytes: &[u8]) -> io::Result<Self> {
        let mut memory = Self::new()?;
        memory.file.write_all(bytes)?;
        memory.length = bytes.len() as u64;
        Ok(memory)
    }

    /// Room for that many floats: the place where it begins.
    pub(super) fn reserve(&mut self, count: usize) -> io::Result<u64> {
        let at = self.length;
        let bytes = u64::try_from(count).ok().and_then(|count| count.checked_mul(8));
        let end =
            bytes.and_then(|bytes| at.checked_add(bytes)?.checked_next_multiple_of(ALIGNMENT));
        self.length = end.ok_or_else(|| io::Error::other("more than memory can hold"))?;
        self.file.set_len(self.length)?;
        Ok(at)
    }

    /// Writes floats at a place. (Several threads would wait for each other: the system lets one
    /// write to a file at a time.)
    pub(super) fn write_at(&self, floats: &[f64], at: u64) -> io::Result<()> {
        self.file.write_all_at(bytemuck::cast_slice(floats), at)
    }
}

/// Does all parts of some work, on a few threads if there are several: most of what it costs to
/// fill memory is the system's finding it, page by page.
pub(super) fn in_parallel(
    parts: usize,
    work: impl Fn(usize) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(parts).min(4);
    if threads < 2 {
        return (0..parts).try_for_each(work);
    }
    let next = AtomicUsize::new(0);
    let take = || {
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                return Ok(());
            }
            work(part)?;
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(take)).collect();
        let own = take();
        let panicked = |_| Err(io::Error::other("a thread panicked"));
        others.into_iter().map(|other| other.join().unwrap_or_else(panicked)).fold(own, Result::and)
    })
}

impl AsFd for Memory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Makes memory what it is for good.
pub(super) fn seal(memory: &OwnedFd) -> io::Result<()> {
    use rustix::fs::SealFlags;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    Ok(rustix::fs::fcntl_add_seals(memory, seals)?)
}

/// The bytes of a regular file or of memory. (Reading anything else could wait for ever.)
fn length(descriptor: BorrowedFd<'_>) -> io::Result<u64> {
    let stat = rustix::fs::fstat(descriptor)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("a descriptor that is not a file"));
    }
    Ok(u64::try_from(stat.st_size).unwrap_or(0))
}

/// All bytes behind a descriptor from a worker.
pub(super) fn read_all(descriptor: BorrowedFd<'_>, most: usize) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length(descriptor)?).unwrap_or(usize::MAX);
    if length > most {
        return Err(io::Error::other(format!("{length} bytes, and {most} are allowed")));
    }
    let mut bytes = vec![0; length];
    read_exact(descriptor, &mut bytes, 0)?;
    Ok(bytes)
}

/// An array of this shape from a worker's memory.
pub(super) fn read_array(
    memory: &OwnedFd,
    at: u64,
    shape: &[usize],
    most: usize,
) -> io::Result<ArrayD<f64>> {
    let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
    let bytes = count.and_then(|count| count.checked_mul(8)).filter(|bytes| *bytes <= most);
    let bytes = bytes.ok_or_else(|| {
        io::Error::other(format!("an array of shape {shape:?}: {most} bytes are allowed"))
    })?;
    if at.checked_add(bytes as u64).is_none_or(|end| length(memory.as_fd()).ok() < Some(end)) {
        return Err(io::Error::other("an array that is not in its memory"));
    }
    let mut values = vec![0.0; bytes / 8];
    huge_pages::advise(&mut values);
    let pieces: Vec<_> = values.chunks_mut(PIECE).map(|piece| Mutex::new(Some(piece))).collect();
    in_parallel(pieces.len(), |index| {
        let piece = pieces.get(index).and_then(|piece| piece.lock().take());
        let at = at + 8 * (index * PIECE) as u64;
        read_exact(memory.as_fd(), bytemuck::cast_slice_mut(piece.unwrap_or_default()), at)
    })?;
    drop(pieces);
    ArrayD::from_shape_vec(IxDyn(shape), values).map_err(io::Error::other)
}

fn read_exact(descriptor: BorrowedFd<'_>, bytes: &mut [u8], at: u64) -> io::Result<()> {
    let (mut at, mut rest) = (at, bytes);
    while !rest.is_empty() {
        let count = rustix::io::retry_on_intr(|| rustix::io::pread(descriptor, &mut *rest, at))?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        at += count as u64;
        rest = rest.get_mut(count..).unwrap_or_default();
    }
    Ok(())
}
