//! UTF-16 text, with and without its closing zero.

use std::ffi::{OsStr, OsString};
use std::os::windows::ffi::{OsStrExt, OsStringExt};

/// `text` in UTF-16 with a closing zero.
pub(crate) fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

/// The text of a buffer, up to its first zero or its end.
pub(crate) fn from_buffer(buffer: &[u16]) -> OsString {
    let end = buffer.iter().position(|unit| *unit == 0);
    OsString::from_wide(&buffer[..end.unwrap_or(buffer.len())])
}

/// The text at `pointer`, up to its zero; empty for a null pointer.
///
/// # Safety
/// `pointer` is null or points to UTF-16 units that end with a zero and live as long as the call.
pub(crate) unsafe fn from_pointer(pointer: *const u16) -> OsString {
    if pointer.is_null() {
        return OsString::new();
    }
    let mut length = 0;
    // SAFETY: the caller promises a closing zero, which this never reads past.
    while unsafe { *pointer.add(length) } != 0 {
        length += 1;
    }
    // SAFETY: `length` units were just read.
    OsString::from_wide(unsafe { std::slice::from_raw_parts(pointer, length) })
}
