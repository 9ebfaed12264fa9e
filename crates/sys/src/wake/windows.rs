//! A manual-reset event, and waiting on handles.

use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr::null;
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{FALSE, TRUE, WAIT_FAILED, WAIT_OBJECT_0};
use windows_sys::Win32::System::SystemServices::MAXIMUM_WAIT_OBJECTS;
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, ResetEvent, SetEvent, WaitForMultipleObjects, WaitForSingleObject,
};

use super::Waitable;
use crate::{Error, Result};

/// The file descriptor of a [`Waitable`] on Unix; the handle of one on Windows.
pub type Descriptor<'a> = BorrowedHandle<'a>;

/// A [`Descriptor`] that is closed when it is dropped.
pub type OwnedDescriptor = OwnedHandle;

impl Waitable for OwnedDescriptor {
    fn descriptor(&self) -> Descriptor<'_> {
        self.as_handle()
    }
}

/// How many handles one call can wait for.
const MOST: usize = MAXIMUM_WAIT_OBJECTS as usize;

/// The longest wait that is not without end.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

#[derive(Debug)]
pub(super) struct Wake {
    event: OwnedHandle,
}

impl Wake {
    pub(super) fn new() -> Result<Self> {
        // SAFETY: null means no name and rights that are not inherited; the handle is checked before it is owned.
        let event = unsafe {
            let event = CreateEventW(null(), TRUE, FALSE, null());
            if event.is_null() {
                return Err(Error::os("CreateEventW", std::io::Error::last_os_error()));
            }
            OwnedHandle::from_raw_handle(event)
        };
        Ok(Self { event })
    }

    pub(super) fn wake(&self) {
        // SAFETY: the handle is open; setting an event does not fail.
        unsafe { SetEvent(self.event.as_raw_handle()) };
    }

    pub(super) fn clear(&self) {
        // SAFETY: as above.
        unsafe { ResetEvent(self.event.as_raw_handle()) };
    }

    pub(super) fn descriptor(&self) -> Descriptor<'_> {
        self.event.as_handle()
    }
}

pub(super) fn wait_any(sources: &[&dyn Waitable], timeout: Option<Duration>) -> Vec<bool> {
    let handles: Vec<_> = sources.iter().map(|source| source.descriptor()).collect();
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout.min(LONGEST)));
    match handles.len() {
        // Windows refuses to wait for nothing.
        0 => thread::sleep(timeout.unwrap_or(LONGEST)),
        1..=MOST => wait_group(&handles, deadline),
        _ => wait_groups(&handles, deadline),
    }
    handles.iter().map(|handle| is_signalled(*handle)).collect()
}

/// Waits for more handles than one call takes: a thread for each group, all of which end with the first.
fn wait_groups(handles: &[BorrowedHandle<'_>], deadline: Option<Instant>) {
    let done = Wake::new().unwrap_or_else(|error| panic!("{error}"));
    thread::scope(|scope| {
        for group in handles.chunks(MOST - 1) {
            let done = &done;
            scope.spawn(move || {
                let mut group = group.to_vec();
                group.push(done.descriptor());
                wait_group(&group, deadline);
                done.wake();
            });
        }
    });
}

fn wait_group(handles: &[BorrowedHandle<'_>], deadline: Option<Instant>) {
    let raw: Vec<_> = handles.iter().map(AsRawHandle::as_raw_handle).collect();
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let millis = left.map_or(INFINITE, |left| left.as_nanos().div_ceil(1_000_000) as u32);
        // SAFETY: every handle is open, and there are as many as counted.
        let result =
            unsafe { WaitForMultipleObjects(raw.len() as u32, raw.as_ptr(), FALSE, millis) };
        assert_ne!(
            result,
            WAIT_FAILED,
            "waiting for {} handles failed: {}",
            raw.len(),
            std::io::Error::last_os_error()
        );
        let signalled = (result - WAIT_OBJECT_0) < raw.len() as u32;
        // A wait can end a little before its time: its clock is coarse.
        if signalled || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return;
        }
    }
}

/// Whether `handle` is signalled now.
pub(crate) fn is_signalled(handle: BorrowedHandle<'_>) -> bool {
    // SAFETY: the handle is open.
    unsafe { WaitForSingleObject(handle.as_raw_handle(), 0) == WAIT_OBJECT_0 }
}
