//! A timerfd.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::{Descriptor, Error, Result, Waitable};

/// Once, after many times what a thread takes from its signal handler to its event. Also longer than a tick of most kernels
/// (4 ms): an earlier timer makes the kernel set the processor's own, which on a virtual machine takes microseconds.
const SOON: Itimerspec = Itimerspec {
    it_interval: Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    },
    it_value: Timespec {
        tv_sec: 0,
        tv_nsec: 5_000_000,
    },
};

#[derive(Debug)]
pub(in crate::source) struct Backstop {
    timer: OwnedFd,
    /// Whether it is on its way: what is on its way is not put off by what comes later.
    armed: AtomicBool,
}

impl Backstop {
    pub(in crate::source) fn new() -> Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)
            .map_err(|errno| Error::os("timerfd_create", errno))?;
        Ok(Self {
            timer,
            armed: AtomicBool::new(false),
        })
    }

    /// Has it be ready soon; whether it will be, for this call. Async-signal-safe.
    pub(in crate::source) fn arm(&self) -> bool {
        !self.armed.swap(true, Ordering::AcqRel)
            && timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &SOON).is_ok()
    }

    /// Unsets it. As with a wake: clear first, then look.
    pub(in crate::source) fn clear(&self) {
        self.armed.store(false, Ordering::Release);
        // It fails when the time has not come: then it will, for nothing. A handler may be about to set it, so that `armed` does
        // not tell whether there is anything to unset.
        let _ = rustix::io::read(&self.timer, &mut [0; 8]);
    }

    pub(in crate::source) fn waitable(&self) -> Option<&dyn Waitable> {
        Some(self)
    }
}

impl Waitable for Backstop {
    fn descriptor(&self) -> Descriptor<'_> {
        self.timer.as_fd()
    }
}
