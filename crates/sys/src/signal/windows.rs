//! There are no signals: requests to stop are console events, window messages and service controls.

use winddown_core::Signal;
use windows_sys::Win32::Foundation::STATUS_CONTROL_C_EXIT;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

use super::Inherited;
use crate::{Error, Result};

pub(super) fn inherited() -> &'static Inherited {
    static NOTHING: Inherited = Inherited {
        blocked: Vec::new(),
        ignored: Vec::new(),
    };
    &NOTHING
}

pub(super) fn number(_signal: Signal) -> Option<i32> {
    None
}

pub(super) fn from_number(_number: i32) -> Option<Signal> {
    None
}

pub(super) fn sender_name(_pid: u32) -> Option<String> {
    None
}

pub(super) fn send(_pid: u32, signal: Signal) -> Result<()> {
    Err(Error::NoSuchSignal(signal))
}

/// No mask, so none to put back.
#[derive(Debug)]
pub(super) struct MaskBefore;

pub(super) fn block_all_on_this_thread() -> super::Blocked {
    super::Blocked {
        _before: MaskBefore,
        _of_this_thread: std::marker::PhantomData,
    }
}

pub(super) fn clean_for_child() {}

pub(super) fn die_of(_signal: Signal) -> ! {
    // SAFETY: ends this process and takes no pointers.
    unsafe { TerminateProcess(GetCurrentProcess(), STATUS_CONTROL_C_EXIT as u32) };
    unreachable!("a process can terminate itself")
}
