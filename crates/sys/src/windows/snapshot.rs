//! The table of running processes, as `CreateToolhelp32Snapshot` gives it.
//!
//! Source: <https://learn.microsoft.com/windows/win32/toolhelp/taking-a-snapshot-and-viewing-processes>.

use std::ffi::OsString;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};

use super::text;

/// A process of the table.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) pid: u32,
    /// The process that started it; it may be gone, and its number in use by another.
    pub(crate) parent: u32,
    /// The file name of its executable, without directories.
    pub(crate) name: OsString,
}

/// Every process there is now; `None` where Windows refuses the table.
pub(crate) fn processes() -> Option<Vec<Entry>> {
    // SAFETY: takes no pointers; the handle is checked before it is owned.
    let snapshot = unsafe {
        let handle = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
        if handle == INVALID_HANDLE_VALUE {
            return None;
        }
        OwnedHandle::from_raw_handle(handle)
    };
    let mut entry = PROCESSENTRY32W {
        dwSize: size_of::<PROCESSENTRY32W>() as u32,
        ..Default::default()
    };
    let mut entries = Vec::new();
    // SAFETY: the snapshot is open and `entry` says its size, in this and the next call.
    let mut more = unsafe { Process32FirstW(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        entries.push(Entry {
            pid: entry.th32ProcessID,
            parent: entry.th32ParentProcessID,
            name: text::from_buffer(&entry.szExeFile),
        });
        // SAFETY: as above.
        more = unsafe { Process32NextW(snapshot.as_raw_handle(), &raw mut entry) };
    }
    Some(entries)
}
