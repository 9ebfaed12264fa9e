//! What reaches a program's hidden window, sent to it by another thread as Windows and other programs send it.
#![cfg(windows)]

use std::time::Duration;

use winddown_core::{Mechanism, Signal};
use winddown_sys::{Sources, wait_any};
use winddown_testkit::Watchdog;
use windows_sys::Win32::Foundation::{HWND, LPARAM, TRUE};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    EnumWindows, GetClassNameW, GetWindowThreadProcessId, IsWindowVisible, PostMessageW,
    SendMessageW, WM_CLOSE, WM_ENDSESSION, WM_QUERYENDSESSION,
};
use windows_sys::core::BOOL;

unsafe extern "system" fn collect(window: HWND, windows: LPARAM) -> BOOL {
    // SAFETY: `own_windows` passes its list.
    let windows = unsafe { &mut *(windows as *mut Vec<usize>) };
    let mut pid = 0;
    let mut class = [0; 64];
    // SAFETY: the number and the buffer, of the size it says, outlive the calls.
    let length = unsafe {
        GetWindowThreadProcessId(window, &raw mut pid);
        GetClassNameW(window, class.as_mut_ptr(), class.len() as i32)
    };
    // Windows itself adds windows for text input.
    let class = String::from_utf16_lossy(&class[..length as usize]);
    if pid == std::process::id() && class.starts_with("winddown") {
        windows.push(window as usize);
    }
    TRUE
}

fn own_windows() -> Vec<usize> {
    let mut windows: Vec<usize> = Vec::new();
    // SAFETY: the list outlives the call.
    unsafe { EnumWindows(Some(collect), &raw mut windows as LPARAM) };
    windows
}

fn next(sources: &Sources) -> Vec<Mechanism> {
    assert_eq!(wait_any(&[sources.wake()], None), [true]);
    sources.wake().clear();
    let arrivals = sources.drain();
    assert!(arrivals.iter().all(|arrival| !arrival.interactive));
    arrivals
        .into_iter()
        .map(|arrival| arrival.origin.mechanism)
        .collect()
}

#[test]
fn wd_11_the_end_of_the_session_and_taskkill_arrive() {
    let _watchdog = Watchdog::arm(Duration::from_secs(30));
    let sources = Sources::attach([Signal::Term]).unwrap();
    let [window] = own_windows()[..] else {
        panic!("one window, {:?}", own_windows());
    };
    // SAFETY: the window exists while the sources do; messages of these kinds carry no pointers.
    let (visible, may_end) = unsafe {
        let window = window as HWND;
        (
            IsWindowVisible(window),
            SendMessageW(window, WM_QUERYENDSESSION, 0, 0),
        )
    };
    assert_eq!((visible, may_end), (0, 1));
    assert!(
        sources.drain().is_empty(),
        "another program may still refuse"
    );

    // SAFETY: as above.
    unsafe { PostMessageW(window as HWND, WM_CLOSE, 0, 0) };
    assert_eq!(next(&sources), [Mechanism::WindowClose]);

    // SAFETY: as above.
    let ends =
        std::thread::spawn(move || unsafe { SendMessageW(window as HWND, WM_ENDSESSION, 1, 0) });
    assert_eq!(next(&sources), [Mechanism::SessionEnd]);
    assert!(!ends.is_finished(), "the session waits for the cleanup");
    sources.release();
    assert_eq!(ends.join().unwrap(), 0);

    drop(sources);
    assert!(own_windows().is_empty());
}
