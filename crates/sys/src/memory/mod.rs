//! The memory of this process: [`give_back_code`], [`give_back_heap`].

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "none.rs")]
mod imp;

/// Gives the pages of code back that were needed until now; those that are needed again come back from the page cache.
///
/// For a process that has started and now waits for a long time: most of what a start runs never runs again, but stays
/// counted against the process. Takes some microseconds; without effect where the system does not allow it, and elsewhere than
/// on Linux.
///
/// Source: `madvise(2)`, `MADV_DONTNEED`.
pub fn give_back_code() {
    imp::give_back_code();
}

/// Gives the heap's memory back that was freed but kept for later: that of a large definition, once it has been read.
///
/// Takes as long as the heap is large, some microseconds for each megabyte; without effect elsewhere than on Linux with the GNU
/// C library.
///
/// Source: `malloc_trim(3)`.
pub fn give_back_heap() {
    imp::give_back_heap();
}
