//! An eventfd.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

use super::Descriptor;
use crate::{Error, Result};

#[derive(Debug)]
pub(super) struct Wake(OwnedFd);

impl Wake {
    pub(super) fn new() -> Result<Self> {
        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map(Self)
            .map_err(|errno| Error::os("eventfd", errno))
    }

    pub(super) fn wake(&self) {
        // It fails only when the counter is at its limit, and then it is set.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    pub(super) fn clear(&self) {
        // It fails only when the counter is 0, and then it is clear.
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }

    pub(super) fn descriptor(&self) -> Descriptor<'_> {
        self.0.as_fd()
    }
}
