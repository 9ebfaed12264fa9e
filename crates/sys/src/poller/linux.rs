//! An epoll instance.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use crate::{Error, Result, Waitable};

/// How many ready sources one call fetches; the next call gives the others.
const AT_ONCE: usize = 64;

#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    /// What each owner watched last, and who watched a number last: one that was closed may be another owner's by now.
    watched: HashMap<usize, Vec<RawFd>>,
    owner_of: HashMap<RawFd, usize>,
}

impl Poller {
    pub(super) fn new() -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|errno| Error::os("epoll_create1", errno))?;
        Ok(Self {
            epoll,
            watched: HashMap::new(),
            owner_of: HashMap::new(),
        })
    }

    pub(super) fn watch(&mut self, owner: usize, sources: &[&dyn Waitable]) -> Result<()> {
        let wanted: Vec<BorrowedFd<'_>> =
            sources.iter().map(|source| source.descriptor()).collect();
        let before = self.watched.remove(&owner).unwrap_or_default();
        for fd in before {
            let kept = wanted.iter().any(|wanted| wanted.as_raw_fd() == fd);
            if !kept && self.owner_of.get(&fd) == Some(&owner) {
                self.owner_of.remove(&fd);
                // SAFETY: it is only looked up; a number that is not watched is an error that is passed over.
                let fd = unsafe { BorrowedFd::borrow_raw(fd) };
                let _ = epoll::delete(&self.epoll, fd);
            }
        }
        for (fd, source) in wanted.iter().zip(sources) {
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, source.waits_for_room());
            self.add(owner, *fd, flags)
                .map_err(|errno| Error::os("watching a descriptor", errno))?;
            self.owner_of.insert(fd.as_raw_fd(), owner);
        }
        if !wanted.is_empty() {
            let numbers = wanted.iter().map(AsRawFd::as_raw_fd).collect();
            self.watched.insert(owner, numbers);
        }
        Ok(())
    }

    fn add(&self, owner: usize, fd: BorrowedFd<'_>, flags: epoll::EventFlags) -> Result<(), Errno> {
        let data = epoll::EventData::new_u64(owner as u64);
        match epoll::add(&self.epoll, fd, data, flags) {
            Err(Errno::EXIST) => epoll::modify(&self.epoll, fd, data, flags),
            result => result,
        }
    }

    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> Vec<usize> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut events = [MaybeUninit::<epoll::Event>::uninit(); AT_ONCE];
        let mut owners = match epoll::wait(self.epoll.as_fd(), &mut events, timeout.as_ref()) {
            Ok((ready, _)) => ready
                .iter()
                .map(|event| event.data.u64() as usize)
                .collect(),
            Err(Errno::INTR) => Vec::new(),
            Err(errno) => panic!("epoll_wait failed: {errno}"),
        };
        owners.sort_unstable();
        owners.dedup();
        owners
    }
}
