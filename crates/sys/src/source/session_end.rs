//! A hidden window that hears of the end of the user's session, and of `taskkill`, which closes the windows of a process.
//!
//! A process that has loaded `user32.dll`, and a library may do that at any time, gets no console event for it.
//!
//! Source: <https://learn.microsoft.com/windows/console/handlerroutine>,
//! <https://learn.microsoft.com/windows/win32/shutdown/shutting-down>.

use std::io;
use std::ptr::{null, null_mut};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use winddown_core::Mechanism;
use windows_sys::Win32::Foundation::{
    ERROR_CLASS_ALREADY_EXISTS, GetLastError, HWND, LPARAM, LRESULT, TRUE, WPARAM,
};
use windows_sys::Win32::System::LibraryLoader::GetModuleHandleW;
use windows_sys::Win32::System::Shutdown::{ShutdownBlockReasonCreate, ShutdownBlockReasonDestroy};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CreateWindowExW, DefWindowProcW, DestroyWindow, DispatchMessageW, GetMessageW, MSG,
    PostMessageW, PostQuitMessage, RegisterClassW, WM_APP, WM_CLOSE, WM_DESTROY, WM_ENDSESSION,
    WM_QUERYENDSESSION, WNDCLASSW, WS_OVERLAPPED,
};

use super::imp::{await_release, note};
use crate::windows::text;

/// The window's owner wants it gone.
const END: u32 = WM_APP;

const CLASS: &str = "winddown session end";

/// The window, and the thread that answers for it.
#[derive(Debug)]
pub(super) struct Window {
    /// The window's `HWND`, as a number: it is used from another thread, for posting only.
    handle: usize,
    thread: Option<JoinHandle<()>>,
}

impl Window {
    /// Makes the window; it is there when this returns.
    pub(super) fn open() -> io::Result<Self> {
        let (made, window) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("session end".to_owned())
            .spawn(move || serve(&made))?;
        let handle = window.recv().expect("the thread answers before it ends")?;
        Ok(Self {
            handle,
            thread: Some(thread),
        })
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: posting to a window takes no pointers, and this one exists until it gets this message.
        unsafe { PostMessageW(self.handle as HWND, END, 0, 0) };
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(made: &SyncSender<io::Result<usize>>) {
    let window = create();
    let ok = window.is_ok();
    made.send(window).expect("the opener waits for this");
    if !ok {
        return;
    }
    let mut message = MSG::default();
    // SAFETY: the message is valid for each call; null means any window of this thread. 0 is the end, and an error does not occur
    // with valid arguments.
    while unsafe { GetMessageW(&raw mut message, null_mut(), 0, 0) } > 0 {
        // SAFETY: the message came from `GetMessageW`.
        unsafe { DispatchMessageW(&raw const message) };
    }
}

/// A top-level window, never shown: message-only windows are not told of the session's end.
fn create() -> io::Result<usize> {
    let class = text::wide(CLASS);
    let title = text::wide("winddown");
    // SAFETY: null is this executable. The texts end with a zero and outlive the calls, which copy them; the procedure is a
    // function of this program.
    let window = unsafe {
        let instance = GetModuleHandleW(null());
        let description = WNDCLASSW {
            lpfnWndProc: Some(procedure),
            hInstance: instance,
            lpszClassName: class.as_ptr(),
            ..Default::default()
        };
        if RegisterClassW(&raw const description) == 0
            && GetLastError() != ERROR_CLASS_ALREADY_EXISTS
        {
            return Err(io::Error::last_os_error());
        }
        CreateWindowExW(
            0,
            class.as_ptr(),
            title.as_ptr(),
            WS_OVERLAPPED,
            0,
            0,
            0,
            0,
            null_mut(),
            null_mut(),
            instance,
            null(),
        )
    };
    if window.is_null() {
        return Err(io::Error::last_os_error());
    }
    Ok(window as usize)
}

unsafe extern "system" fn procedure(
    window: HWND,
    message: u32,
    wparam: WPARAM,
    lparam: LPARAM,
) -> LRESULT {
    match message {
        // Nothing is decided yet: another program may still refuse. The reason is shown to the user while this one is waited for.
        WM_QUERYENDSESSION => {
            let reason = text::wide("This program is finishing its work.");
            // SAFETY: the window is this thread's, and the text ends with a zero.
            unsafe { ShutdownBlockReasonCreate(window, reason.as_ptr()) };
            TRUE as LRESULT
        }
        WM_ENDSESSION => {
            if wparam != 0 {
                note(Mechanism::SessionEnd, false);
                // The process may be ended as soon as this returns.
                await_release();
            }
            // SAFETY: the window is this thread's.
            unsafe { ShutdownBlockReasonDestroy(window) };
            0
        }
        WM_CLOSE => {
            note(Mechanism::WindowClose, false);
            0
        }
        END => {
            // SAFETY: the window is this thread's.
            unsafe { DestroyWindow(window) };
            0
        }
        WM_DESTROY => {
            // SAFETY: takes no pointers.
            unsafe { PostQuitMessage(0) };
            0
        }
        // SAFETY: the arguments are those that Windows gave.
        _ => unsafe { DefWindowProcW(window, message, wparam, lparam) },
    }
}
