//! A signalfd, with all that it receives blocked.

use std::mem::size_of;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use libc::{c_int, signalfd_siginfo};
use rustix::io::Errno;
use winddown_core::{Arrival, Clock, Mechanism, Signal};

use crate::signal::{self, Blocked, Mask, Replaced};
use crate::source::{Attached, describe};
use crate::{Descriptor, Error, Monotonic, Result};

/// How many signals are taken at once, so that who sends them without end does not hold up the caller's loop.
const AT_ONCE: usize = 64;

/// Dropped in this order: dispositions before the mask, so that what is pending then meets what it would have met.
#[derive(Debug)]
pub(super) struct SignalQueue {
    _dispositions: Vec<Replaced>,
    _mask: Blocked,
    fd: OwnedFd,
    _attached: Attached,
}

impl SignalQueue {
    pub(super) fn attach() -> Result<Self> {
        let attached = Attached::claim()?;
        let inherited = signal::inherited();
        let mut received = Mask::full();
        for signal in Signal::named() {
            let leave = !signal::is_receivable(signal) || signal == Signal::Pipe;
            if leave || inherited.keeps_ignored(signal) {
                received.remove(signal::number(signal).expect("Linux has every named signal"));
            }
        }
        let fd = open(&received)?;
        let mask = signal::block_on_this_thread(&received);
        // While CHLD is ignored, the kernel reaps children before anyone can wait for them.
        let dispositions = inherited
            .ignored
            .iter()
            .filter_map(|signal| signal::number(*signal))
            .filter(|number| received.contains(*number))
            .map(Replaced::by_default)
            .chain([Replaced::by_ignore(libc::SIGPIPE)])
            .collect();
        Ok(Self {
            _dispositions: dispositions,
            _mask: mask,
            fd,
            _attached: attached,
        })
    }

    pub(super) fn drain(&self) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for _ in 0..AT_ONCE {
            let Some(info) = self.next() else {
                break;
            };
            let sender = matches!(
                info.ssi_code,
                libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL
            )
            .then_some((info.ssi_pid, info.ssi_uid));
            if let Some(signal) = signal::from_number(info.ssi_signo as c_int) {
                arrivals.push(describe(signal, sender, Monotonic.now()));
            }
        }
        // The kernel keeps the order of realtime signals alone.
        arrivals.sort_by_key(|arrival| !is_term(arrival));
        arrivals
    }

    pub(super) fn descriptor(&self) -> Descriptor<'_> {
        self.fd.as_fd()
    }

    fn next(&self) -> Option<signalfd_siginfo> {
        let mut info = [0; size_of::<signalfd_siginfo>()];
        loop {
            match rustix::io::read(&self.fd, &mut info) {
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        // SAFETY: the kernel wrote a whole one, of integers only; it need not be aligned.
        Some(unsafe { info.as_ptr().cast::<signalfd_siginfo>().read_unaligned() })
    }
}

fn is_term(arrival: &Arrival) -> bool {
    arrival.origin.mechanism == Mechanism::Signal(Signal::Term)
}

fn open(received: &Mask) -> Result<OwnedFd> {
    // SAFETY: the set is initialised.
    let fd = unsafe {
        libc::signalfd(
            -1,
            received.as_ptr(),
            libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
        )
    };
    if fd < 0 {
        return Err(Error::os("signalfd", std::io::Error::last_os_error()));
    }
    // SAFETY: the descriptor is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
