//! Asking the windows of a process to close.

use std::io;

use windows_sys::Win32::Foundation::{HWND, LPARAM, TRUE};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    EnumWindows, GW_OWNER, GetWindow, GetWindowThreadProcessId, PostMessageW, PostThreadMessageW,
    WM_CLOSE, WM_QUIT,
};
use windows_sys::core::BOOL;

use super::snapshot;

/// What the walk over all windows looks for, and counts.
struct Search {
    pid: u32,
    asked: usize,
}

/// Posts `WM_QUIT` to each thread of `pid` that takes messages. Says to how many.
pub(crate) fn quit_threads(pid: u32) -> io::Result<usize> {
    // SAFETY: takes no pointers.
    let post = |thread: &u32| unsafe { PostThreadMessageW(*thread, WM_QUIT, 0, 0) } != 0;
    Ok(snapshot::threads(pid)?
        .iter()
        .filter(|thread| post(thread))
        .count())
}

/// Sends `WM_CLOSE` to each top-level window of `pid`, hidden ones too, as `taskkill` does. Says to how many; windows of other
/// desktops and sessions are out of reach.
pub(crate) fn close_all(pid: u32) -> usize {
    let mut search = Search { pid, asked: 0 };
    // SAFETY: the search outlives the call, which is over before it returns.
    unsafe { EnumWindows(Some(ask), &raw mut search as LPARAM) };
    search.asked
}

unsafe extern "system" fn ask(window: HWND, search: LPARAM) -> BOOL {
    // SAFETY: `close_all` passes its search, and looks at it only after the walk.
    let search = unsafe { &mut *(search as *mut Search) };
    let mut pid = 0;
    // SAFETY: the number outlives the call, and a window that has gone is an error that does no harm.
    unsafe {
        GetWindowThreadProcessId(window, &raw mut pid);
        let is_its_own = pid == search.pid && GetWindow(window, GW_OWNER).is_null();
        if is_its_own && PostMessageW(window, WM_CLOSE, 0, 0) != 0 {
            search.asked += 1;
        }
    }
    TRUE
}
