//! A child's pidfd: readable once it has ended, and never another process.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::{Error, Result};

#[derive(Debug)]
pub(crate) struct Handle(OwnedFd);

impl Handle {
    /// `pid` must be an unreaped child, so that the number cannot be anybody else's.
    pub(crate) fn open(pid: Pid) -> Result<Self> {
        pidfd_open(pid, PidfdFlags::empty())
            .map(Self)
            .map_err(|error| Error::os("pidfd_open", error))
    }

    pub(crate) fn signal(&self, _pid: Pid, number: i32) -> Result<()> {
        // SAFETY: any number is sound here; the kernel refuses one that it does not know.
        let signal = unsafe { Signal::from_raw_unchecked(number) };
        pidfd_send_signal(&self.0, signal).map_err(|error| match error {
            rustix::io::Errno::SRCH => Error::Gone,
            error => Error::os("pidfd_send_signal", error),
        })
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
