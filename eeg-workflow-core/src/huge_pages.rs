//! Large pages for large arrays.
//!
//! An array of hundreds of megabytes that is filled for the first time costs a page fault every
//! 4 KiB: a sixth of the CPU time of reading, filtering and cutting a long recording. Linux gives
//! memory in pages of 2 MiB to whoever asks for it, and most distributions to nobody else
//! (`/sys/kernel/mm/transparent_hugepage/enabled` is `madvise`).
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "measured; the argument is below"))]

/// Asks for large pages for memory that is about to be filled. Only the speed depends on it.
pub(crate) fn advise<T>(memory: &mut [T]) {
    #[cfg(target_os = "linux")]
    {
        const SIZE: usize = 2 << 20;
        let range = memory.as_mut_ptr_range();
        let start = range.start.addr().next_multiple_of(SIZE);
        let end = range.end.addr() / SIZE * SIZE;
        if start < end {
            let inner = range.start.cast::<u8>().with_addr(start).cast();
            // SAFETY: the range is within `memory`, which is borrowed for writing, and this advice
            // changes neither its content nor what may be done with it. Pages begin at `start`,
            // since their size divides 2 MiB.
            // Where a system has no such pages, memory is as it was.
            let _ = unsafe {
                rustix::mm::madvise(inner, end - start, rustix::mm::Advice::LinuxHugepage)
            };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_that_was_advised_keeps_what_is_in_it() {
        for count in [0, 1, 1000, 3 << 20] {
            let mut memory: Vec<u32> = (0..count).collect();
            super::advise(&mut memory);
            assert!(memory.iter().copied().eq(0..count));
            memory.push(7);
            assert_eq!(memory.pop(), Some(7));
        }
    }
}
