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
        .map(|source| PollFd::from_borrowed_fd(source.descriptor(), PollFlags::IN))
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

/// Waits in the current tokio runtime until `descriptor` is readable.
///
/// Watches a duplicate: a runtime refuses to watch one descriptor twice, and each runtime needs a registration of its own.
#[cfg(feature = "tokio")]
pub(super) async fn readable(descriptor: Descriptor<'_>) -> crate::Result<()> {
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    let watched = async {
        let duplicate = descriptor.try_clone_to_owned()?;
        // SAFETY: the duplicate is ours alone, and stays open and the same as long as it is watched.
        let watched = unsafe { AsyncFd::register_with_interest(duplicate, Interest::READABLE)? };
        watched.readable().await?.retain_ready();
        Ok::<_, std::io::Error>(())
    };
    watched
        .await
        .map_err(|error| crate::Error::os("watching a descriptor", error))
}
