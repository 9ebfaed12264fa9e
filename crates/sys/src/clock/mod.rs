//! [`Monotonic`]: the real clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use winddown_core::{Clock, Timestamp};

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

/// The system's monotonic clock. Its origin is the first reading in this process, so that timestamps are as good as the time
/// since the start; every copy of it shows the same time.
///
/// It stands still while the system sleeps.
///
/// | system | source |
/// |---|---|
/// | Unix | `clock_gettime(CLOCK_MONOTONIC)`, `clock_gettime(2)` |
/// | Windows | `QueryPerformanceCounter` |
#[derive(Clone, Copy, Debug, Default)]
pub struct Monotonic;

impl Monotonic {
    /// Nanoseconds since the clock's origin.
    ///
    /// Async-signal-safe: no locks, no allocation.
    #[must_use]
    pub fn now_nanos() -> u64 {
        /// The origin on the system's clock; 0 before the first reading.
        static ORIGIN: AtomicU64 = AtomicU64::new(0);

        let now = imp::nanos();
        match ORIGIN.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => 0,
            // Another thread may have read a later time first, and set it.
            Err(origin) => now.saturating_sub(origin),
        }
    }

    /// Microseconds on the system's own monotonic clock, as `MONOTONIC_USEC` of `sd_notify(3)` wants them.
    #[must_use]
    pub fn system_micros() -> u64 {
        imp::nanos() / 1_000
    }
}

impl Clock for Monotonic {
    fn now(&self) -> Timestamp {
        Timestamp::from_origin(Duration::from_nanos(Self::now_nanos()))
    }

    fn sleep_until(&self, deadline: Timestamp) -> Option<Duration> {
        (deadline != Timestamp::NEVER).then(|| deadline.since(self.now()))
    }

    fn on_advance(&self, _wake: Arc<dyn Fn() + Send + Sync>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_run_backwards() {
        let readings: Vec<_> = (0..1000).map(|_| Monotonic::now_nanos()).collect();
        assert!(readings.is_sorted());
    }

    #[test]
    fn never_is_until_woken() {
        assert_eq!(Monotonic.sleep_until(Timestamp::NEVER), None);
        assert_eq!(Monotonic.sleep_until(Timestamp::ZERO), Some(Duration::ZERO));
    }
}
