//! Events of the object manager.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::FALSE;
use windows_sys::Win32::System::Threading::{EVENT_MODIFY_STATE, OpenEventW, SetEvent};

use crate::windows::text;
use crate::{Error, Result};

pub(super) fn set(name: &str) -> Result<()> {
    let failed = || {
        Error::os(
            format!("setting the event {name}"),
            io::Error::last_os_error(),
        )
    };
    let wide = text::wide(name);
    // SAFETY: the name ends with a NUL and outlives the call; the handle is checked before it is owned.
    let event = unsafe {
        let event = OpenEventW(EVENT_MODIFY_STATE, FALSE, wide.as_ptr());
        if event.is_null() {
            return Err(failed());
        }
        OwnedHandle::from_raw_handle(event)
    };
    // SAFETY: the handle is open.
    match unsafe { SetEvent(event.as_raw_handle()) } {
        0 => Err(failed()),
        _ => Ok(()),
    }
}
