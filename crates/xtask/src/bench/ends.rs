//! When processes end: [`Ends`].

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::measure::monotonic;
use crate::error::Error;
use crate::interrupt;

/// Processes whose ends are awaited, whoever's children they are.
pub(super) struct Ends {
    epoll: OwnedFd,
    processes: Vec<OwnedFd>,
}

impl Ends {
    pub(super) fn of(pids: &[Pid]) -> Result<Self, Error> {
        let failed = |errno| Error::Unusable(format!("cannot watch a process: {errno}"));
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
        let mut processes = Vec::new();
        for (number, pid) in (0..).zip(pids) {
            let process = pidfd_open(*pid, PidfdFlags::empty()).map_err(failed)?;
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
            let number = epoll::EventData::new_u64(number);
            epoll::add(&epoll, &process, number, flags).map_err(failed)?;
            processes.push(process);
        }
        Ok(Self { epoll, processes })
    }

    /// When each of them ended, on `CLOCK_MONOTONIC` in nanoseconds; `None` for those that did not within `limit`.
    pub(super) fn wait(self, limit: Duration) -> Result<Vec<Option<u64>>, Error> {
        let deadline = Instant::now() + limit;
        let mut ends = vec![None; self.processes.len()];
        let mut left = ends.len();
        let mut events = Vec::with_capacity(64);
        while left > 0 {
            let time = deadline.saturating_duration_since(Instant::now());
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
            if time.is_zero() {
                break;
            }
            let time = Timespec::try_from(time).expect("limits are short");
            let buffer = rustix::buffer::spare_capacity(&mut events);
            // An interruption is looked at above.
            let _ = epoll::wait(&self.epoll, buffer, Some(&time));
            let now = monotonic();
            for event in events.drain(..) {
                ends[usize::try_from(event.data.u64()).expect("a number of ours")] = Some(now);
                left -= 1;
            }
        }
        Ok(ends)
    }
}
