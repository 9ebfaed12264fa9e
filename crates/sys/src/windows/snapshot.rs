//! The tables of running processes and threads, as `CreateToolhelp32Snapshot` gives them.
//!
//! Source: <https://learn.microsoft.com/windows/win32/toolhelp/taking-a-snapshot-and-viewing-processes>.

use std::ffi::OsString;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{FALSE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
    TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Threading::{OpenThread, ResumeThread, THREAD_SUSPEND_RESUME};

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
    let snapshot = take(TH32CS_SNAPPROCESS).ok()?;
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

/// Lets the threads of process `pid` run, which was started suspended.
pub(crate) fn resume(pid: u32) -> io::Result<()> {
    for thread in threads(pid)? {
        // SAFETY: takes no pointers; the handle is checked before it is owned.
        let thread = unsafe { OpenThread(THREAD_SUSPEND_RESUME, FALSE, thread) };
        if thread.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle is new, open, and nobody else's.
        let resumed = unsafe {
            let thread = OwnedHandle::from_raw_handle(thread);
            ResumeThread(thread.as_raw_handle())
        };
        if resumed == u32::MAX {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The numbers of the threads of process `pid`.
pub(crate) fn threads(pid: u32) -> io::Result<Vec<u32>> {
    let snapshot = take(TH32CS_SNAPTHREAD)?;
    let mut entry = THREADENTRY32 {
        dwSize: size_of::<THREADENTRY32>() as u32,
        ..Default::default()
    };
    let mut threads = Vec::new();
    // SAFETY: the snapshot is open and `entry` says its size, in this and the next call.
    let mut more = unsafe { Thread32First(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        if entry.th32OwnerProcessID == pid {
            threads.push(entry.th32ThreadID);
        }
        // SAFETY: as above.
        more = unsafe { Thread32Next(snapshot.as_raw_handle(), &raw mut entry) };
    }
    Ok(threads)
}

fn take(what: u32) -> io::Result<OwnedHandle> {
    // SAFETY: takes no pointers; the handle is checked before it is owned.
    unsafe {
        let handle = CreateToolhelp32Snapshot(what, 0);
        if handle == INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedHandle::from_raw_handle(handle))
    }
}
