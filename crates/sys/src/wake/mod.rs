//! [`Wake`], what a signal handler may call to wake a waiting thread, and [`wait_any`], which waits for many things at once.

use std::time::Duration;

use crate::Result;

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(all(unix, not(target_os = "linux")), path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;
#[cfg(unix)]
mod poll;

#[cfg(unix)]
pub use poll::{Descriptor, OwnedDescriptor};

#[cfg(windows)]
pub(crate) use imp::is_signalled;
#[cfg(windows)]
pub use imp::{Descriptor, OwnedDescriptor};

/// A latch that one thread sets and others wait for, also among other things ([`wait_any`]).
///
/// It stays set until [`clear`](Wake::clear): a wake before the wait is not lost, and many wakes before one clear are one.
///
/// | system | made of |
/// |---|---|
/// | Linux | `eventfd(2)` |
/// | other Unix | a non-blocking `socketpair(2)` |
/// | Windows | a manual-reset event, `CreateEventW` |
#[derive(Debug)]
pub struct Wake(imp::Wake);

impl Wake {
    /// A latch that is not set. Children do not inherit it.
    ///
    /// # Errors
    /// [`Error::Os`](crate::Error::Os) when the process or the system has no descriptor left.
    pub fn new() -> Result<Self> {
        imp::Wake::new().map(Self)
    }

    /// Sets the latch; whoever waits for it goes on.
    ///
    /// Async-signal-safe, and never blocks.
    pub fn wake(&self) {
        self.0.wake();
    }

    /// Unsets the latch.
    ///
    /// Clear first, then look for what the wake was about: the other way round, a wake between the two is lost.
    pub fn clear(&self) {
        self.0.clear();
    }
}

impl Waitable for Wake {
    fn descriptor(&self) -> Descriptor<'_> {
        self.0.descriptor()
    }
}

/// What [`wait_any`] can wait for: a latch, a child, a queue of signals, a socket.
pub trait Waitable {
    /// The file descriptor that becomes readable, or the handle that becomes signalled.
    fn descriptor(&self) -> Descriptor<'_>;

    /// Whether it is ready, too, once it can be written to.
    fn waits_for_room(&self) -> bool {
        false
    }
}

/// Waits until at least one of `sources` is ready or `timeout` has passed; `None` waits without end. Tells of each source, in
/// order, whether it is ready.
///
/// Level-triggered: a source that nobody dealt with is ready again next time. It never returns before `timeout` for rounding, so
/// that a loop over it does not spin. All can be `false` for three reasons: `timeout` passed, a signal handler ran on this thread
/// (Unix), or `timeout` was longer than the system's limit of 24 days. So look at the clock again.
///
/// | system | source |
/// |---|---|
/// | Linux, FreeBSD | `ppoll(2)` |
/// | other Unix | `poll(2)`, the timeout rounded up to a millisecond |
/// | Windows | `WaitForMultipleObjects` |
///
/// # Panics
/// When the system cannot wait at all: it has no memory, or there are more sources than the process may have descriptors.
pub fn wait_any(sources: &[&dyn Waitable], timeout: Option<Duration>) -> Vec<bool> {
    #[cfg(unix)]
    return poll::wait_any(sources, timeout);
    #[cfg(windows)]
    return imp::wait_any(sources, timeout);
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_wake_before_the_wait_is_not_lost() {
        let (one, other) = (Wake::new().unwrap(), Wake::new().unwrap());
        other.wake();
        other.wake();
        assert_eq!(wait_any(&[&one, &other], None), [false, true]);
        assert_eq!(wait_any(&[&one, &other], None), [false, true]);
        other.clear();
        assert_eq!(
            wait_any(&[&one, &other], Some(Duration::ZERO)),
            [false, false]
        );
    }

    #[test]
    fn a_wake_from_another_thread_ends_the_wait() {
        let wake = Wake::new().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| wake.wake());
            assert_eq!(wait_any(&[&wake], None), [true]);
        });
    }

    #[test]
    fn a_wait_does_not_end_before_its_time() {
        let wake = Wake::new().unwrap();
        for timeout in [Duration::from_nanos(1), Duration::from_micros(1500)] {
            let start = Instant::now();
            assert_eq!(wait_any(&[&wake], Some(timeout)), [false]);
            assert!(start.elapsed() >= timeout);
        }
    }

    #[test]
    fn the_longest_timeout_is_not_refused() {
        let wake = Wake::new().unwrap();
        wake.wake();
        assert_eq!(wait_any(&[&wake], Some(Duration::MAX)), [true]);
    }
}
