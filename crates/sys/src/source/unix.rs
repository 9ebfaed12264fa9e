//! Signals, noted by handlers.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use signal_hook_registry::SigId;
use winddown_core::{Arrival, Mechanism, Origin, Pending, SIGNAL_SLOTS, Signal, Timestamp};

use crate::signal::{self, Mask};
use crate::{Error, Monotonic, Result, Wake};

/// What the handlers note. Static, as they may run at any time.
static PENDING: Pending = Pending::new();
static WAKE: OnceLock<Wake> = OnceLock::new();

#[derive(Debug)]
pub(super) struct Sources {
    wake: &'static Wake,
    signals: Mutex<Signals>,
}

#[derive(Debug)]
struct Signals {
    attached: Vec<(Signal, SigId)>,
    /// The numbers of what is attached.
    mask: Mask,
    kept_ignored: Vec<Signal>,
}

impl Sources {
    pub(super) fn attach() -> Result<Self> {
        let wake = match WAKE.get() {
            Some(wake) => wake,
            None => {
                let wake = Wake::new()?;
                WAKE.get_or_init(|| wake)
            }
        };
        // Read now, both: what was inherited before it changes, and the clock's origin before any arrival.
        let _ = (signal::inherited(), Monotonic::now_nanos());
        Ok(Self {
            wake,
            signals: Mutex::new(Signals {
                attached: Vec::new(),
                mask: Mask::empty(),
                kept_ignored: Vec::new(),
            }),
        })
    }

    pub(super) fn add(&self, signal: Signal) -> Result<()> {
        let number = signal::number(signal)
            .filter(|number| (*number as usize) < SIGNAL_SLOTS)
            .ok_or(Error::NoSuchSignal(signal))?;
        if !signal::is_receivable(signal) {
            return Err(Error::Uncatchable(signal));
        }
        let mut signals = self.signals();
        if signals.attached.iter().any(|(it, _)| *it == signal) {
            return Ok(());
        }
        if signal::inherited().keeps_ignored(signal) && signal::is_ignored(number) {
            if !signals.kept_ignored.contains(&signal) {
                signals.kept_ignored.push(signal);
            }
            return Ok(());
        }
        // The registry installs its handler a moment before our action: a signal in between would go nowhere.
        let blocked = signal::block_all_on_this_thread();
        let id = register(number, self.wake)?;
        signals.attached.push((signal, id));
        signals.mask.add(number);
        drop(blocked);
        signals.mask.unblock_on_this_thread();
        Ok(())
    }

    pub(super) fn unblock_on_this_thread(&self) {
        self.signals().mask.unblock_on_this_thread();
    }

    pub(super) fn kept_ignored(&self) -> Vec<Signal> {
        self.signals().kept_ignored.clone()
    }

    pub(super) fn wake(&self) -> &'static Wake {
        self.wake
    }

    pub(super) fn drain(&self) -> Vec<Arrival> {
        // One at a time, so that the order between two drains is one order.
        let _one_at_a_time = self.signals();
        PENDING
            .take()
            .into_iter()
            .filter_map(|noted| {
                let signal = signal::from_number(noted.number as i32)?;
                let at = Timestamp::from_origin(Duration::from_nanos(noted.at_nanos));
                Some(describe(signal, noted.uid.map(|uid| (noted.pid, uid)), at))
            })
            .collect()
    }

    pub(super) fn release(&self) {}

    fn signals(&self) -> MutexGuard<'_, Signals> {
        self.signals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        for (_, id) in self.signals().attached.drain(..) {
            signal_hook_registry::unregister(id);
        }
    }
}

fn register(number: i32, wake: &'static Wake) -> Result<SigId> {
    let note = move |info: &libc::siginfo_t| {
        let (pid, uid) = sender(info).map_or((0, None), |(pid, uid)| (pid, Some(uid)));
        PENDING.note(number as u32, pid, uid, Monotonic::now_nanos());
        wake.wake();
    };
    // SAFETY: the action is async-signal-safe: it writes atomics, reads a clock and writes to a descriptor. The registry keeps
    // errno for the interrupted code.
    unsafe { signal_hook_registry::register_sigaction(number, note) }
        .map_err(|error| Error::os(format!("sigaction for signal {number}"), error))
}

/// The pid and uid of the process that sent a signal; `None` when the kernel did.
fn sender(info: &libc::siginfo_t) -> Option<(u32, u32)> {
    // SAFETY: every signal that a process sent carries both; for others the fields are read as numbers, and dropped.
    let (pid, uid) = unsafe { (info.si_pid(), info.si_uid()) };
    #[cfg(target_os = "linux")]
    let by_process = matches!(
        info.si_code,
        libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL
    );
    #[cfg(not(target_os = "linux"))]
    let by_process = pid != 0;
    by_process.then_some((pid as u32, uid))
}

/// Makes an arrival of a signal that came from `sender`, or from the kernel.
///
/// A sender outside this pid namespace, such as a container's runtime, has a uid and the pid 0.
pub(crate) fn describe(signal: Signal, sender: Option<(u32, u32)>, at: Timestamp) -> Arrival {
    let pid = sender.map(|(pid, _)| pid).filter(|pid| *pid != 0);
    let by_key = matches!(signal, Signal::Int | Signal::Quit) && sender.is_none();
    Arrival {
        origin: Origin {
            pid,
            uid: sender.map(|(_, uid)| uid),
            ..Origin::of(Mechanism::Signal(signal))
        },
        at,
        interactive: by_key && is_foreground(),
    }
}

/// Whether this process is in the foreground group of its controlling terminal.
///
/// Asks `/dev/tty`, which is that terminal wherever standard input goes. Not by rustix, whose pids cannot be 0: that is the
/// number of a group whose leader is outside this pid namespace.
fn is_foreground() -> bool {
    File::open("/dev/tty").is_ok_and(|tty| {
        // SAFETY: neither call takes a pointer, and `tty` is open.
        unsafe { libc::tcgetpgrp(tty.as_raw_fd()) == libc::getpgrp() }
    })
}
