//! [`Sources`]: what asks this process to stop, from before the program's own code runs.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

use winddown_core::{Arrival, Signal};

use crate::{Error, Result, Waitable, Wake};

#[cfg(unix)]
mod backstop;
#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;
#[cfg(windows)]
mod session_end;
#[cfg(feature = "tokio")]
mod watch;

#[cfg(windows)]
pub(crate) use imp::console_changed;
#[cfg(target_os = "linux")]
pub(crate) use imp::describe;

#[cfg(feature = "tokio")]
pub use watch::Watch;

/// The stop sources of this process: signals on Unix, console and session-end events on Windows.
///
/// Receipt does not depend on any thread of the program: whichever thread the system interrupts only notes what arrived and
/// sets [`wake`](Sources::wake). Everything noted waits to be [`drain`](Sources::drain)ed, so that nothing is lost however late
/// that is; signals that arrive a second time until then merge into the first, whose sender is kept, as the kernel itself
/// merges pending signals.
///
/// Other listeners of the process keep working: those of `signal-hook` and tokio, and handlers that were installed before.
///
/// Attach early, while the program has one thread: threads that are started later inherit its mask.
///
/// | | Unix | Windows |
/// |---|---|---|
/// | attached | the signals asked for | every console event, and the end of the session |
/// | signals blocked or ignored by the starter | unblocked in the calling thread, and received; ignored `HUP` and `INT` stay so | - |
/// | after drop | the signals have no effect until attached again, unless others listen: `signal-hook-registry` keeps its handler | Windows' own handler ends the process |
///
/// # Limits
/// A signal stays lost where all threads block it, or where C code replaces the handler. A child that goes on after `fork(2)`
/// without `execve(2)` shares the latch: what arrives there wakes its parent, and its own waiting thread was not forked.
///
/// Source: `signal(7)`, `signal-safety(7)`, <https://learn.microsoft.com/windows/console/setconsolectrlhandler>.
#[derive(Debug)]
pub struct Sources {
    imp: imp::Sources,
    _attached: Attached,
}

impl Sources {
    /// Attaches `signals`, and on Windows the console and the session's end.
    ///
    /// # Errors
    /// [`Error::AlreadyAttached`]; [`Error::Uncatchable`] and [`Error::NoSuchSignal`] for signals that cannot be received;
    /// [`Error::Os`] when the system refuses. Nothing is attached then.
    pub fn attach(signals: impl IntoIterator<Item = Signal>) -> Result<Self> {
        let _attached = Attached::claim()?;
        let imp = imp::Sources::attach()?;
        let sources = Self { imp, _attached };
        for signal in signals {
            sources.add(signal)?;
        }
        Ok(sources)
    }

    /// Attaches one more signal. Without effect when it is attached already, and on Windows.
    ///
    /// # Errors
    /// As [`attach`](Sources::attach).
    pub fn add(&self, signal: Signal) -> Result<()> {
        self.imp.add(signal)
    }

    /// Unblocks what is attached in the calling thread: for a thread that waits for it, wherever it was started from. Without
    /// effect on Windows.
    ///
    /// Everything else stays as it is: a signal that the program blocks everywhere, to take it with `sigwait(3)` or
    /// `signalfd(2)`, would meet its default action in a thread that does not block it.
    pub fn unblock_on_this_thread(&self) {
        self.imp.unblock_on_this_thread();
    }

    /// The signals that were asked for and stay ignored, because whoever started this process had them ignored on purpose:
    /// `HUP` under `nohup`, `INT` for a background job of a shell script.
    #[must_use]
    pub fn kept_ignored(&self) -> Vec<Signal> {
        self.imp.kept_ignored()
    }

    /// Is set whenever something arrived, except as [`look_first`](Sources::look_first) says. Whoever drains clears it first.
    #[must_use]
    pub fn wake(&self) -> &'static Wake {
        self.imp.wake()
    }

    /// Becomes ready 5 milliseconds after something arrived that somebody looks at first, whether they did or not. `None` where
    /// nobody can, which is everywhere but on Linux.
    #[must_use]
    pub fn backstop(&self) -> Option<&'static dyn Waitable> {
        self.imp.backstop()
    }

    /// Unsets all that an arrival has set, for the thread that drains then.
    pub fn clear(&self) {
        self.imp.clear();
    }

    /// Lets the calling thread look first, while the value lives: a signal that interrupts it sets the
    /// [`backstop`](Sources::backstop) instead of the wake, so that the thread that waits for that does not compete with this
    /// one. A second signal before that is cleared sets the wake all the same.
    ///
    /// For a thread that waits ([`wait_any`](crate::wait_any)) and drains as soon as its wait ends. Of several threads it is the
    /// one that called last. Without effect elsewhere than on Linux.
    #[must_use]
    pub fn look_first(&self) -> FirstLook {
        FirstLook {
            _imp: self.imp.look_first(),
            _of_this_thread: PhantomData,
        }
    }

    /// Lets tasks of the tokio runtime that this is called in look first, as [`look_first`](Sources::look_first) lets a thread.
    ///
    /// On Windows a watch never hears of anything: the thread that waits for the wake tells the tasks.
    ///
    /// # Errors
    /// [`Error::Os`] when the runtime cannot watch anything more.
    ///
    /// # Panics
    /// Outside a tokio runtime, or within one that has no I/O (Unix).
    #[cfg(feature = "tokio")]
    pub fn watch(&self) -> Result<Watch> {
        Watch::new()
    }

    /// Takes what arrived, in the order of arrival.
    ///
    /// A sender's name is not looked up, as that takes longer than all else between a signal and its event: see
    /// [`signal::sender_name`](crate::signal::sender_name). Whether a key was pressed is judged now: the signal came from the kernel, and
    /// this process is in the foreground of its controlling terminal.
    #[must_use]
    pub fn drain(&self) -> Vec<Arrival> {
        self.imp.drain()
    }

    /// Lets console handlers return that hold up the end of the process: cleanup is done. Without effect on Unix.
    pub fn release(&self) {
        self.imp.release();
    }
}

/// This thread looks first while it lives; see [`Sources::look_first`].
#[derive(Debug)]
pub struct FirstLook {
    _imp: imp::FirstLook,
    _of_this_thread: PhantomData<*const ()>,
}

/// The one right to the signals of this process.
#[derive(Debug)]
pub(crate) struct Attached(());

static ATTACHED: AtomicBool = AtomicBool::new(false);

impl Attached {
    pub(crate) fn claim() -> Result<Self> {
        match ATTACHED.swap(true, Ordering::Acquire) {
            false => Ok(Self(())),
            true => Err(Error::AlreadyAttached),
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        ATTACHED.store(false, Ordering::Release);
    }
}
