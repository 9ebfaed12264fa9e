//! [`Poller`], which waits for the sources of many owners at a cost that does not grow with those that are quiet.

use std::time::Duration;

use crate::{Result, Waitable};

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod imp;

/// Waits for many sources, each of which belongs to an owner that is known by a number.
///
/// | system | made of | cost of a wait |
/// |---|---|---|
/// | Linux | `epoll(7)` | the sources that are ready |
/// | others | [`wait_any`](crate::wait_any) on duplicates | all sources |
#[derive(Debug)]
pub struct Poller(imp::Poller);

impl Poller {
    /// A poller without sources.
    ///
    /// # Errors
    /// [`Error::Os`](crate::Error::Os) when the process or the system has no descriptor left.
    pub fn new() -> Result<Self> {
        imp::Poller::new().map(Self)
    }

    /// Makes `sources` all that is waited for on behalf of `owner`; none of them ends it.
    ///
    /// Call it again whenever an owner has closed a source or made a new one, also if the new one has the old one's number.
    ///
    /// # Errors
    /// [`Error::Os`](crate::Error::Os) when the system cannot watch one of them.
    pub fn watch(&mut self, owner: usize, sources: &[&dyn Waitable]) -> Result<()> {
        self.0.watch(owner, sources)
    }

    /// Waits until a source is ready or `timeout` has passed, and gives the owners with a ready source, each once.
    ///
    /// Level-triggered, and as free to return early as [`wait_any`](crate::wait_any).
    ///
    /// # Panics
    /// When the system cannot wait at all.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Vec<usize> {
        self.0.wait(timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Wake;

    const NOBODY: [usize; 0] = [];
    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    #[test]
    fn an_owner_is_told_once_of_all_its_sources() {
        let (one, other, third) = (
            Wake::new().unwrap(),
            Wake::new().unwrap(),
            Wake::new().unwrap(),
        );
        let mut poller = Poller::new().unwrap();
        poller.watch(7, &[&one, &other]).unwrap();
        poller.watch(9, &[&third]).unwrap();
        assert_eq!(poller.wait(AT_ONCE), NOBODY);
        one.wake();
        other.wake();
        assert_eq!(poller.wait(None), [7]);
        third.wake();
        let mut both = poller.wait(None);
        both.sort_unstable();
        assert_eq!(both, [7, 9]);
        poller.watch(7, &[&other]).unwrap();
        poller.watch(9, &[]).unwrap();
        other.clear();
        assert_eq!(poller.wait(AT_ONCE), NOBODY);
    }

    #[test]
    fn a_source_with_the_number_of_a_closed_one_is_seen() {
        let mut poller = Poller::new().unwrap();
        let first = Wake::new().unwrap();
        poller.watch(1, &[&first]).unwrap();
        drop(first);
        let second = Wake::new().unwrap();
        poller.watch(1, &[&second]).unwrap();
        assert_eq!(poller.wait(AT_ONCE), NOBODY);
        second.wake();
        assert_eq!(poller.wait(None), [1]);
    }

    #[test]
    fn a_number_that_another_owner_has_by_now_stays_watched() {
        let mut poller = Poller::new().unwrap();
        let first = Wake::new().unwrap();
        poller.watch(1, &[&first]).unwrap();
        drop(first);
        let second = Wake::new().unwrap();
        poller.watch(2, &[&second]).unwrap();
        poller.watch(1, &[]).unwrap();
        second.wake();
        assert_eq!(poller.wait(AT_ONCE), [2]);
    }

    #[test]
    fn a_source_may_change_its_owner() {
        let wake = Wake::new().unwrap();
        let mut poller = Poller::new().unwrap();
        poller.watch(1, &[&wake]).unwrap();
        poller.watch(1, &[]).unwrap();
        poller.watch(2, &[&wake]).unwrap();
        wake.wake();
        assert_eq!(poller.wait(None), [2]);
    }
}
