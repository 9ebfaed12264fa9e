//! `CLOCK_MONOTONIC`.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds on the system's clock, never 0. `clock_gettime` is async-signal-safe (`signal-safety(7)`).
pub(super) fn nanos() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    // Neither part is ever negative on this clock, and 2^64 ns are 584 years.
    (time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64).max(1)
}
