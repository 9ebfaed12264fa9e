//! Waiting on file descriptors.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Waitable;

/// The file descriptor of a [`Waitable`] on Unix; the handle of one on Windows.
pub type Descriptor<'a> = BorrowedFd<'a>;

/// A [`Descriptor`] that is closed when it is dropped.
pub type OwnedDescriptor = OwnedFd;

impl Waitable for OwnedDescriptor {
    fn descriptor(&self) -> Descriptor<'_> {
        self.as_fd()
    }
}

/// What `poll(2)` takes at most, where the system has no `ppoll`.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

pub(super) fn wait_any(sources: &[&dyn Waitable], timeout: Option<Duration>) -> Vec<bool> {
    let mut fds: Vec<_> = sources
        .iter()
        .map(|source| {
            let mut flags = PollFlags::IN;
            flags.set(PollFlags::OUT, source.waits_for_room());
            PollFd::from_borrowed_fd(source.descriptor(), flags)
        })
        .collect();
    let timeout = timeout.map(|timeout| {
        Timespec::try_from(timeout.min(LONGEST)).expect("24 days fit into a timespec")
    });
    match poll(&mut fds, timeout.as_ref()) {
        // An error or a hang-up is something to deal with, too.
        Ok(_) => fds.iter().map(|fd| !fd.revents().is_empty()).collect(),
        Err(Errno::INTR) => vec![false; sources.len()],
        Err(errno) => panic!("poll of {} descriptors failed: {errno}", sources.len()),
    }
}
