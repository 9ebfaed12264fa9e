//! Signals of this process and to others: numbers, masks, dispositions, dying of one.
//!
//! | system | what there is |
//! |---|---|
//! | Linux | everything below |
//! | other Unix | no `PWR` and no realtime signals |
//! | Windows | no signals: they have no numbers, nothing is inherited, masks are empty |
//!
//! Source: `signal(7)`, `sigaction(2)`, `pthread_sigmask(3)`.

use std::marker::PhantomData;

use winddown_core::Signal;

use crate::Result;

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

#[cfg(target_os = "linux")]
pub(crate) use imp::block_on_this_thread;
#[cfg(unix)]
pub(crate) use imp::{Mask, Replaced, is_ignored, is_receivable};

/// What the program that started this one left behind: masks and ignored signals survive `execve(2)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inherited {
    /// The signals that were blocked in the thread that asked first.
    pub blocked: Vec<Signal>,
    /// The signals that were ignored. Without `PIPE`, which Rust's runtime ignores before `main` in any case.
    pub ignored: Vec<Signal>,
}

impl Inherited {
    /// Whether `signal` is ignored on purpose and is to stay so: `HUP`, as `nohup` does it, and `INT`, as a shell without job
    /// control does it for `command &`.
    #[must_use]
    pub fn keeps_ignored(&self, signal: Signal) -> bool {
        matches!(signal, Signal::Hup | Signal::Int) && self.ignored.contains(&signal)
    }
}

/// What this process inherited. Read when first called, and by [`Sources::attach`](crate::Sources::attach) and
/// [`SignalQueue::attach`](crate::SignalQueue::attach) before they change anything.
#[must_use]
pub fn inherited() -> &'static Inherited {
    imp::inherited()
}

/// The number of `signal` on this system; `None` when it has no such signal.
#[must_use]
pub fn number(signal: Signal) -> Option<i32> {
    imp::number(signal)
}

/// The signal of this number; `None` for numbers that are no signal, or one without a name in [`Signal`].
#[must_use]
pub fn from_number(number: i32) -> Option<Signal> {
    imp::from_number(number)
}

/// The name of the process `pid` that sent a signal: on Linux its `comm`, of at most 15 bytes. `None` if it has ended, or the
/// system does not show it.
#[must_use]
pub fn sender_name(pid: u32) -> Option<String> {
    imp::sender_name(pid)
}

/// Sends `signal` to the process `pid`.
///
/// A pid may belong to another process by now, unless it is that of a child that was not waited for.
///
/// # Errors
/// [`Error::NoSuchSignal`](crate::Error::NoSuchSignal), and [`Error::Os`](crate::Error::Os) with `ESRCH` when there is no such
/// process (also for 0 and for what is too large for a pid, which `kill(2)` would take for groups) or `EPERM` when this one may
/// not. On Windows always an error.
pub fn send(pid: u32, signal: Signal) -> Result<()> {
    imp::send(pid, signal)
}

/// Blocks every signal in the calling thread until the value is dropped, which puts the mask back as it was.
///
/// For the moments in which a signal must not run a handler: above all between `fork(2)` and [`clean_for_child`], where a
/// handler of the parent's would swallow what was meant for the child.
#[must_use = "dropping it unblocks the signals again"]
pub fn block_all_on_this_thread() -> Blocked {
    imp::block_all_on_this_thread()
}

/// Signals are blocked in this thread while it lives; see [`block_all_on_this_thread`].
#[derive(Debug)]
pub struct Blocked {
    _before: imp::MaskBefore,
    _of_this_thread: PhantomData<*const ()>,
}

impl Blocked {
    /// Leaves them blocked for good.
    pub fn keep(self) {
        let _kept = std::mem::ManuallyDrop::new(self);
    }
}

/// Gives a child, between `fork(2)` and `execve(2)`, what a program expects to start with: every disposition is the default,
/// except that an inherited ignored `HUP` or `INT` stays ignored ([`Inherited::keeps_ignored`]), and no signal is blocked.
///
/// Async-signal-safe. Does nothing on Windows.
pub fn clean_for_child() {
    imp::clean_for_child();
}

/// Dies of `signal` as if nothing had handled it, so that whoever waits sees it: a shell stops its script after `INT`. No core is
/// dumped, nothing registered with `atexit(3)` runs, and buffers are not flushed.
///
/// Where the signal has no such effect (PID 1 of a pid namespace has no default actions, and some signals are ignored by
/// default), it exits with 128 plus the signal's number, as shells show such a death.
///
/// On Windows it exits with `STATUS_CONTROL_C_EXIT`, the exit code of a console program that Ctrl+C ended.
pub fn die_of(signal: Signal) -> ! {
    imp::die_of(signal)
}
