//! Console events to other processes.
//!
//! An event reaches the programs of the sender's own console and no others, so the sender goes to the receiver's console for a
//! moment.
//!
//! Source: <https://learn.microsoft.com/windows/console/generateconsolectrlevent>,
//! <https://learn.microsoft.com/windows/console/attachconsole>.

use std::fs::File;
use std::io;
use std::os::windows::io::IntoRawHandle;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_INVALID_HANDLE, FALSE, HANDLE, TRUE};
use windows_sys::Win32::System::Console::{
    AttachConsole, CTRL_BREAK_EVENT, CTRL_C_EVENT, FreeConsole, GenerateConsoleCtrlEvent,
    GetConsoleMode, GetConsoleProcessList, GetStdHandle, STD_ERROR_HANDLE, STD_HANDLE,
    STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, SetConsoleCtrlHandler, SetStdHandle,
};
use windows_sys::core::BOOL;

use crate::courier;
use crate::source::console_changed;
use crate::windows::origin;

/// The events that a program can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    C,
    Break,
}

impl Event {
    fn code(self) -> u32 {
        match self {
            Self::C => CTRL_C_EVENT,
            Self::Break => CTRL_BREAK_EVENT,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::C => "c",
            Self::Break => "break",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::C, Self::Break]
            .into_iter()
            .find(|event| event.name() == name)
    }
}

/// A process gets its console while it is loaded, and the host of that starts beside it: until it is this old, none may mean not yet.
const LOADED: Duration = Duration::from_secs(2);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(5);

/// How long to wait for the sender's own copy of an event, before it leaves the console that the copy is sent to.
const OWN_COPY: Duration = Duration::from_secs(1);

/// Whether the sender's own copy has come. One sender at a time: a process has one console.
static OWN_COPY_CAME: Mutex<bool> = Mutex::new(false);
static CAME: Condvar = Condvar::new();
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Lets this process's children hear Ctrl+C: they inherit that it is ignored.
pub(crate) fn undo_ignored_ctrl_c() {
    // SAFETY: null is the flag and no handler.
    unsafe { SetConsoleCtrlHandler(None, FALSE) };
}

/// The processes on this process's console, itself included; none without a console.
fn programs() -> Vec<u32> {
    let mut pids = vec![0; 64];
    loop {
        // SAFETY: the buffer has the size said.
        let count = unsafe { GetConsoleProcessList(pids.as_mut_ptr(), pids.len() as u32) } as usize;
        if count <= pids.len() {
            pids.truncate(count);
            return pids;
        }
        pids.resize(count, 0);
    }
}

/// Sends `event` to every program on the console of process `pid`, and tells which those are.
///
/// A process that is alone on a console of its own has a [`courier`] send it: leaving the console would close it.
///
/// # Errors
/// The process has no console, or the same as this process: the event would reach this process and its starter too.
pub(crate) fn send(pid: u32, event: Event) -> io::Result<Vec<u32>> {
    let _one_at_a_time = lock(&ONE_AT_A_TIME);
    let own_pid = std::process::id();
    let own = programs();
    if own.contains(&pid) {
        return Err(io::Error::other("it shares the console of this process"));
    }
    let way_back: Vec<u32> = own.iter().copied().filter(|pid| *pid != own_pid).collect();
    if !own.is_empty() && way_back.is_empty() {
        return courier::send(pid, event);
    }
    let streams = Streams::of_this_process();
    // SAFETY: takes nothing. It fails where there is no console to leave.
    unsafe { FreeConsole() };
    let sent = attach(pid).and_then(|()| {
        send_here(event, 0)?;
        let mut reached = programs();
        reached.retain(|pid| *pid != own_pid);
        Ok(reached)
    });
    // SAFETY: neither call takes pointers.
    unsafe {
        FreeConsole();
        streams.put_back();
        if way_back.iter().any(|pid| AttachConsole(*pid) != 0) {
            streams.reopen();
        }
    }
    console_changed();
    sent
}

/// Goes to the console of process `pid`.
fn attach(pid: u32) -> io::Result<()> {
    loop {
        // SAFETY: takes no pointers.
        if unsafe { AttachConsole(pid) } != 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        let is_loaded = origin::age(pid).is_none_or(|age| age >= LOADED);
        if is_loaded || error.raw_os_error() != Some(ERROR_INVALID_HANDLE as i32) {
            return Err(error);
        }
        thread::sleep(BETWEEN_ATTEMPTS);
    }
}

/// Sends `event` to a process group of this process's console; to all of the console for group 0.
fn send_here(event: Event, group: u32) -> io::Result<()> {
    *lock(&OWN_COPY_CAME) = false;
    // SAFETY: the handler is a function of this program, and the others take no pointers.
    let sent = unsafe {
        SetConsoleCtrlHandler(Some(swallow), TRUE);
        match GenerateConsoleCtrlEvent(event.code(), group) {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    if sent.is_ok() {
        let _came = CAME.wait_timeout_while(lock(&OWN_COPY_CAME), OWN_COPY, |came| !*came);
    }
    // SAFETY: removes what was added.
    unsafe { SetConsoleCtrlHandler(Some(swallow), FALSE) };
    sent
}

/// Sends Ctrl+Break to process group `group` of this process's own console.
pub(crate) fn send_break_to_group(group: u32) -> io::Result<()> {
    // SAFETY: takes no pointers.
    match unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, group) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Called before every other handler, while an event is being sent.
unsafe extern "system" fn swallow(event: u32) -> BOOL {
    if !matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT) {
        return FALSE;
    }
    *lock(&OWN_COPY_CAME) = true;
    CAME.notify_all();
    TRUE
}

/// The standard streams before this process went to another console, which may put that console's in their place.
struct Streams {
    /// Those of the console: they may go with it.
    console: Vec<STD_HANDLE>,
    /// The files and pipes.
    others: Vec<(STD_HANDLE, HANDLE)>,
}

impl Streams {
    fn of_this_process() -> Self {
        let all = [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE];
        let (console, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|stream| is_console(*stream));
        // SAFETY: takes no pointers.
        let handle = |stream| (stream, unsafe { GetStdHandle(stream) });
        Self {
            console,
            others: others.into_iter().map(handle).collect(),
        }
    }

    /// Puts back the files and pipes.
    fn put_back(&self) {
        for (stream, handle) in &self.others {
            // SAFETY: the handle was this stream's, and nothing has closed it.
            unsafe { SetStdHandle(*stream, *handle) };
        }
    }

    /// Opens again those of the console that do not work any more.
    fn reopen(self) {
        for stream in self
            .console
            .into_iter()
            .filter(|stream| !is_console(*stream))
        {
            let name = if stream == STD_INPUT_HANDLE {
                "CONIN$"
            } else {
                "CONOUT$"
            };
            if let Ok(file) = File::options().read(true).write(true).open(name) {
                // SAFETY: the handle is open and becomes the process's.
                unsafe { SetStdHandle(stream, file.into_raw_handle()) };
            }
        }
    }
}

fn is_console(stream: STD_HANDLE) -> bool {
    let mut mode = 0;
    // SAFETY: the number outlives the call; a handle that is none fails.
    unsafe { GetConsoleMode(GetStdHandle(stream), &raw mut mode) != 0 }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
