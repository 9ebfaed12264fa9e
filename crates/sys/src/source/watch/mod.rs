//! [`Watch`]: how tasks hear of arrivals.

use std::fmt;

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

#[cfg(unix)]
pub(super) use imp::{clear, wake};

use crate::Result;

/// A registration with the tokio runtime in which it was made; see [`Sources::watch`](crate::Sources::watch).
pub struct Watch(imp::Watch);

impl Watch {
    pub(super) fn new() -> Result<Self> {
        imp::Watch::new().map(Self)
    }

    /// Whether the caller runs in the runtime in which this was made. In another one it may wait without end.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn is_of_this_runtime(&self) -> bool {
        self.0.is_of_this_runtime()
    }

    /// Waits until something may have arrived: drain then. Not every watch may be told, so whoever drains tells the others what
    /// it found.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn arrived(&self) {
        self.0.arrived().await;
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
