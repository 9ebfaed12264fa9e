//! The end of a service's output: everything is read, written and on the disk, or time is up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use winddown_sys::Wake;

/// One draining of one service, shared by who waits for it and those who do it.
#[derive(Debug)]
pub(crate) struct Drain {
    /// How many destinations have not flushed; `None` once time was up.
    left: Mutex<Option<usize>>,
    wake: Arc<Wake>,
}

impl Drain {
    pub(crate) fn new(destinations: usize, wake: Arc<Wake>) -> Self {
        Self {
            left: Mutex::new(Some(destinations)),
            wake,
        }
    }

    fn left(&self) -> MutexGuard<'_, Option<usize>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A destination has everything.
    pub(crate) fn flushed(&self) {
        let mut left = self.left();
        if let Some(left) = &mut *left {
            *left = left.saturating_sub(1);
        }
        if *left == Some(0) {
            self.wake.wake();
        }
    }

    /// Time is up.
    pub(crate) fn give_up(&self) {
        let mut left = self.left();
        if *left != Some(0) {
            *left = None;
        }
        self.wake.wake();
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(*self.left(), None | Some(0))
    }
}
