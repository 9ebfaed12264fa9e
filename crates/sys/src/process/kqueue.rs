//! A kqueue that watches one child: readable once it has ended.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr;

use rustix::event::kqueue::{
    Event, EventFilter, EventFlags, ProcessEvents, kevent_timespec, kqueue,
};
use rustix::io::Errno;
use rustix::pipe::pipe;
use rustix::process::{Pid, Signal, kill_process};

use crate::{Error, Result};

#[derive(Debug)]
pub(crate) struct Handle(OwnedFd);

impl Handle {
    /// `pid` must be an unreaped child, so that the number cannot be anybody else's.
    pub(crate) fn open(pid: Pid) -> Result<Self> {
        let queue = kqueue().map_err(|error| Error::os("kqueue", error))?;
        let filter = EventFilter::Proc {
            pid,
            flags: ProcessEvents::EXIT,
        };
        // Not one-shot: the event stays, so that the descriptor stays readable.
        let event = Event::new(filter, EventFlags::ADD, ptr::null_mut());
        let mut none: [Event; 0] = [];
        // SAFETY: the event holds no descriptor that could be closed before the queue.
        match unsafe { kevent_timespec(&queue, &[event], &mut none[..], None) } {
            Ok(_) => Ok(Self(queue)),
            // It has ended already: a pipe that nobody can write to is readable for ever.
            Err(Errno::SRCH) => match pipe() {
                Ok((reader, _writer)) => Ok(Self(reader)),
                Err(error) => Err(Error::os("pipe", error)),
            },
            Err(error) => Err(Error::os("kevent", error)),
        }
    }

    pub(crate) fn signal(&self, pid: Pid, number: i32) -> Result<()> {
        // SAFETY: any number is sound here; the kernel refuses one that it does not know.
        let signal = unsafe { Signal::from_raw_unchecked(number) };
        kill_process(pid, signal).map_err(|error| match error {
            Errno::SRCH => Error::Gone,
            error => Error::os("kill", error),
        })
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
