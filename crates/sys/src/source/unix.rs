//! Signals, noted by handlers.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use signal_hook_registry::SigId;
use winddown_core::{Arrival, Mechanism, Origin, Pending, SIGNAL_SLOTS, Signal, Timestamp};

use super::backstop::Backstop;
use crate::signal::{self, Mask};
use crate::{Error, Monotonic, Result, Waitable, Wake};

/// What the handlers note. Static, as they may run at any time.
static PENDING: Pending = Pending::new();
static WAKES: OnceLock<Wakes> = OnceLock::new();
/// The thread that looks first when a handler interrupts it, as `pthread_self(3)` names it; 0 when there is none.
static FIRST: AtomicUsize = AtomicUsize::new(0);

/// What a handler sets.
#[derive(Debug)]
struct Wakes {
    now: Wake,
    soon: Backstop,
}

#[derive(Debug)]
pub(super) struct Sources {
    wakes: &'static Wakes,
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
        let wakes = match WAKES.get() {
            Some(wakes) => wakes,
            None => {
                let wakes = Wakes::new()?;
                WAKES.get_or_init(|| wakes)
            }
        };
        // Read now, both: what was inherited before it changes, and the clock's origin before any arrival.
        let _ = (signal::inherited(), Monotonic::now_nanos());
        Ok(Self {
            wakes,
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
        let id = register(number, self.wakes)?;
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
        &self.wakes.now
    }

    pub(super) fn backstop(&self) -> Option<&'static dyn Waitable> {
        self.wakes.soon.waitable()
    }

    pub(super) fn clear(&self) {
        self.wakes.now.clear();
        self.wakes.soon.clear();
        #[cfg(feature = "tokio")]
        super::watch::clear();
    }

    pub(super) fn look_first(&self) -> FirstLook {
        FIRST.store(this_thread(), Ordering::Relaxed);
        FirstLook
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

impl Wakes {
    fn new() -> Result<Self> {
        Ok(Self {
            now: Wake::new()?,
            soon: Backstop::new()?,
        })
    }

    /// Async-signal-safe.
    fn wake(&self) {
        let looked_at = FIRST.load(Ordering::Relaxed) == this_thread();
        #[cfg(feature = "tokio")]
        let looked_at = looked_at || super::watch::wake();
        if !(looked_at && self.soon.arm()) {
            self.now.wake();
        }
    }
}

#[derive(Debug)]
pub(super) struct FirstLook;

impl Drop for FirstLook {
    fn drop(&mut self) {
        // It may be another thread's by now.
        let _ = FIRST.compare_exchange(this_thread(), 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Async-signal-safe.
fn this_thread() -> usize {
    // SAFETY: takes nothing, and cannot fail.
    unsafe { libc::pthread_self() as usize }
}

fn register(number: i32, wakes: &'static Wakes) -> Result<SigId> {
    let note = move |info: &libc::siginfo_t| {
        let (pid, uid) = sender(info).map_or((0, None), |(pid, uid)| (pid, Some(uid)));
        PENDING.note(number as u32, pid, uid, Monotonic::now_nanos());
        wakes.wake();
    };
    // SAFETY: the action is async-signal-safe: it writes atomics, reads a clock, and writes to a descriptor or sets a timer. The registry keeps
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
