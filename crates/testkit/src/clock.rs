use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use winddown_core::{Clock, Timestamp};

type Wake = Arc<dyn Fn() + Send + Sync>;

/// A clock that stands still until a test moves it. Clones are handles to the same clock.
///
/// ```
/// use std::time::Duration;
/// use winddown_core::{Clock, Timestamp};
/// use winddown_testkit::FakeClock;
///
/// let clock = FakeClock::new();
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(clock.now(), Timestamp::from_origin(Duration::from_secs(30)));
/// ```
#[derive(Clone, Default)]
pub struct FakeClock {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    now: Timestamp,
    wakes: Vec<Wake>,
}

impl FakeClock {
    /// A clock at its origin.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock, then wakes all that asked for it with [`Clock::on_advance`], on the calling thread.
    ///
    /// It returns when they have been told, not when they have acted: wait for what they do.
    pub fn advance(&self, by: Duration) {
        let wakes = {
            let mut inner = self.lock();
            inner.now = inner.now + by;
            inner.wakes.clone()
        };
        for wake in wakes {
            wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn sleep_until(&self, _deadline: Timestamp) -> Option<Duration> {
        None
    }

    fn on_advance(&self, wake: Wake) {
        self.lock().wakes.push(wake);
    }
}

impl fmt::Debug for FakeClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeClock")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn time_moves_only_when_told_and_wakes_see_the_new_time() {
        let clock = FakeClock::new();
        let start = clock.now();
        let woken = Arc::new(AtomicU32::new(0));
        clock.on_advance({
            let (clock, woken) = (clock.clone(), Arc::clone(&woken));
            Arc::new(move || {
                assert_eq!(clock.now().since(start), Duration::from_secs(5));
                woken.fetch_add(1, Ordering::Relaxed);
            })
        });
        assert_eq!(clock.sleep_until(start + Duration::from_secs(1)), None);
        clock.advance(Duration::from_secs(5));
        assert_eq!(woken.load(Ordering::Relaxed), 1);
    }
}
