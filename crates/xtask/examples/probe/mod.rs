//! What the programs of `cargo xtask bench stop-latency` say.

use rustix::time::{ClockId, clock_gettime};

/// Says that the program is about to wait.
pub(crate) fn ready() {
    // The first call looks for the clock, which is not what is measured.
    let _ = clock_gettime(ClockId::Monotonic);
    println!("ready");
}

/// Says when the stop was heard: now, in nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) fn heard() {
    let now = clock_gettime(ClockId::Monotonic);
    println!("{}", now.tv_sec * 1_000_000_000 + now.tv_nsec);
}
