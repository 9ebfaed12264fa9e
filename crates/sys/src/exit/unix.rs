//! `_exit(2)`.

pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions, and does not return.
    unsafe { libc::_exit(code) }
}
