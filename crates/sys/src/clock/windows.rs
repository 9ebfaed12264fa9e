//! `QueryPerformanceCounter`.

use std::sync::OnceLock;

use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};

/// Nanoseconds on the system's clock, never 0.
pub(super) fn nanos() -> u64 {
    static TICKS_PER_SECOND: OnceLock<u64> = OnceLock::new();

    let per_second = *TICKS_PER_SECOND.get_or_init(|| read(QueryPerformanceFrequency).max(1));
    let nanos = u128::from(read(QueryPerformanceCounter)) * 1_000_000_000 / u128::from(per_second);
    // 2^64 ns are 584 years.
    (nanos as u64).max(1)
}

/// Neither call fails on any Windows since XP, and neither is ever negative.
fn read(call: unsafe extern "system" fn(*mut i64) -> i32) -> u64 {
    let mut value = 0;
    // SAFETY: both calls write one number.
    unsafe { call(&raw mut value) };
    value as u64
}
