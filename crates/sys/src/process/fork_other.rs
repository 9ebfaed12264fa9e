//! `fork(2)`, where there are no cgroups.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::process::Pid;

/// Which of the two processes this is.
pub(super) enum Forked {
    Parent(Pid),
    /// Whether it is in the cgroup.
    Child(bool),
}

/// # Safety
///
/// As for `fork(2)`.
pub(super) unsafe fn fork(_cgroup: Option<BorrowedFd<'_>>) -> io::Result<Forked> {
    // SAFETY: the caller's promise.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(match Pid::from_raw(pid) {
            Some(pid) => Forked::Parent(pid),
            None => Forked::Child(false),
        }),
    }
}
