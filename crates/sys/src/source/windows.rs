//! Console events and the end of the session, noted by a handler and by a hidden window.
//!
//! Windows calls the handler on a thread that it makes for each event, so it may lock and allocate.

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use winddown_core::{Arrival, Clock, ConsoleEvent, Mechanism, Origin, Signal};
use windows_sys::Win32::Foundation::{FALSE, TRUE};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT,
    SetConsoleCtrlHandler,
};
use windows_sys::core::BOOL;

use super::session_end::Window;
use crate::{Error, Monotonic, Result, Waitable, Wake};

/// What the handler and the window note. Static, as they may run at any time.
static INBOX: Mutex<Inbox> = Mutex::new(Inbox {
    attached: false,
    arrivals: VecDeque::new(),
    released: false,
});
static RELEASED: Condvar = Condvar::new();
static WAKE: OnceLock<Wake> = OnceLock::new();

struct Inbox {
    attached: bool,
    arrivals: VecDeque<Arrival>,
    /// Cleanup is done: whoever holds up the end of the process may let it go.
    released: bool,
}

#[derive(Debug)]
pub(super) struct Sources {
    wake: &'static Wake,
    /// Absent where no window can be made, such as on a desktop without room: the console is heard all the same.
    _window: Option<Window>,
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
        // The first reading is the clock's origin.
        let _ = Monotonic::now_nanos();
        handle_console_events()?;
        let mut inbox = inbox();
        inbox.attached = true;
        inbox.released = false;
        drop(inbox);
        Ok(Self {
            wake,
            _window: Window::open().ok(),
        })
    }

    pub(super) fn add(&self, _signal: Signal) -> Result<()> {
        Ok(())
    }

    pub(super) fn unblock_on_this_thread(&self) {}

    pub(super) fn kept_ignored(&self) -> Vec<Signal> {
        Vec::new()
    }

    pub(super) fn wake(&self) -> &'static Wake {
        self.wake
    }

    pub(super) fn backstop(&self) -> Option<&'static dyn Waitable> {
        None
    }

    pub(super) fn clear(&self) {
        self.wake.clear();
    }

    pub(super) fn look_first(&self) -> FirstLook {
        FirstLook
    }

    pub(super) fn drain(&self) -> Vec<Arrival> {
        inbox().arrivals.drain(..).collect()
    }

    pub(super) fn release(&self) {
        inbox().released = true;
        RELEASED.notify_all();
    }
}

#[derive(Debug)]
pub(super) struct FirstLook;

impl Drop for Sources {
    fn drop(&mut self) {
        inbox().attached = false;
        // SAFETY: removes the handler that `attach` added; it may be running, which does no harm.
        unsafe { SetConsoleCtrlHandler(Some(on_console_event), FALSE) };
        // The window's thread must be free before it can end.
        self.release();
    }
}

/// Adds the handler, and undoes the "ignore Ctrl+C" that a process inherits from its parent.
fn handle_console_events() -> Result<()> {
    // SAFETY: the handler is a function of this program, which stays.
    let added = unsafe {
        SetConsoleCtrlHandler(None, FALSE);
        SetConsoleCtrlHandler(Some(on_console_event), TRUE)
    };
    match added {
        0 => Err(Error::os(
            "SetConsoleCtrlHandler",
            io::Error::last_os_error(),
        )),
        _ => Ok(()),
    }
}

/// Adds the handler again, once: Windows forgets handlers when a process gets another console.
pub(crate) fn console_changed() {
    if inbox().attached {
        // SAFETY: the handler is a function of this program, which stays.
        unsafe {
            SetConsoleCtrlHandler(Some(on_console_event), FALSE);
            SetConsoleCtrlHandler(Some(on_console_event), TRUE);
        }
    }
}

unsafe extern "system" fn on_console_event(event: u32) -> BOOL {
    let event = match event {
        CTRL_C_EVENT => ConsoleEvent::CtrlC,
        CTRL_BREAK_EVENT => ConsoleEvent::CtrlBreak,
        CTRL_CLOSE_EVENT => ConsoleEvent::Close,
        CTRL_LOGOFF_EVENT => ConsoleEvent::Logoff,
        CTRL_SHUTDOWN_EVENT => ConsoleEvent::Shutdown,
        _ => return FALSE,
    };
    // The same event can be sent by a program, but not to a console on whose keyboard nobody sits.
    let interactive = event == ConsoleEvent::CtrlC && io::stdin().is_terminal();
    note(Mechanism::Console(event), interactive);
    // Windows ends the process when the handler returns from these two. It does not when somebody logs off.
    if matches!(event, ConsoleEvent::Close | ConsoleEvent::Shutdown) {
        await_release();
    }
    TRUE
}

/// Notes what arrived and wakes whoever drains.
pub(super) fn note(mechanism: Mechanism, interactive: bool) {
    inbox().arrivals.push_back(Arrival {
        origin: Origin::of(mechanism),
        at: Monotonic.now(),
        interactive,
    });
    if let Some(wake) = WAKE.get() {
        wake.wake();
    }
}

/// Holds up the end of the process until cleanup is done; Windows ends it on its own after 5 to 20 s.
pub(super) fn await_release() {
    let mut inbox = inbox();
    while !inbox.released {
        inbox = RELEASED.wait(inbox).unwrap_or_else(PoisonError::into_inner);
    }
}

fn inbox() -> MutexGuard<'static, Inbox> {
    INBOX.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sources, wait_any};

    /// WD-11, WD-12: nothing merges, and the order is that of arrival. Wine sends none of the last three events.
    ///
    /// One test for the one handler of the process.
    #[test]
    fn wd_11_every_console_event_arrives_and_what_would_end_the_process_is_held_up() {
        let sources = Sources::attach([Signal::Term]).unwrap();
        assert!(matches!(Sources::attach([]), Err(Error::AlreadyAttached)));
        // SAFETY: as Windows calls it.
        let call = |event| unsafe { on_console_event(event) };
        for event in [
            CTRL_C_EVENT,
            CTRL_C_EVENT,
            CTRL_BREAK_EVENT,
            CTRL_LOGOFF_EVENT,
        ] {
            assert_eq!(call(event), TRUE);
        }
        assert_eq!(call(4), FALSE);
        std::thread::scope(|scope| {
            for event in [CTRL_CLOSE_EVENT, CTRL_SHUTDOWN_EVENT] {
                let blocked = scope.spawn(move || call(event));
                while inbox().arrivals.back().map(|last| &last.origin.mechanism)
                    != Some(&console(event))
                {
                    std::thread::yield_now();
                }
                assert!(!blocked.is_finished());
            }
            assert_eq!(wait_any(&[sources.wake()], None), [true]);
            sources.wake().clear();
            let arrivals = sources.drain();
            let mechanisms: Vec<_> = arrivals
                .iter()
                .map(|arrival| arrival.origin.mechanism.clone())
                .collect();
            let sent = [0, 0, 1, 5, 2, 6];
            assert_eq!(mechanisms, sent.map(console));
            assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
            sources.release();
        });
        assert!(sources.drain().is_empty());
    }

    fn console(event: u32) -> Mechanism {
        Mechanism::Console(match event {
            CTRL_C_EVENT => ConsoleEvent::CtrlC,
            CTRL_BREAK_EVENT => ConsoleEvent::CtrlBreak,
            CTRL_CLOSE_EVENT => ConsoleEvent::Close,
            CTRL_LOGOFF_EVENT => ConsoleEvent::Logoff,
            _ => ConsoleEvent::Shutdown,
        })
    }
}
