//! A wake that only the runtimes poll.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Handle, Id};

use crate::{Error, Result, Waitable, Wake};

static WAKE: OnceLock<Wake> = OnceLock::new();
static WATCHES: AtomicU32 = AtomicU32::new(0);

/// Wakes the tasks; whether there may be any. Async-signal-safe.
pub(in crate::source) fn wake() -> bool {
    let watched = WATCHES.load(Ordering::Acquire) > 0;
    if let (true, Some(wake)) = (watched, WAKE.get()) {
        wake.wake();
    }
    watched
}

/// Unsets the wake. Runtimes see each wake, whether it was unset before or not; the one who drains for everybody unsets it.
pub(in crate::source) fn clear() {
    if let Some(wake) = WAKE.get() {
        wake.clear();
    }
}

pub(super) struct Watch {
    /// A duplicate: a runtime refuses to watch one descriptor twice.
    watched: AsyncFd<OwnedFd>,
    runtime: Id,
}

impl Watch {
    pub(super) fn new() -> Result<Self> {
        let wake = match WAKE.get() {
            Some(wake) => wake,
            None => {
                let wake = Wake::new()?;
                WAKE.get_or_init(|| wake)
            }
        };
        let watched = watch(wake).map_err(|error| Error::os("watching a descriptor", error))?;
        WATCHES.fetch_add(1, Ordering::AcqRel);
        Ok(Self {
            watched,
            runtime: Handle::current().id(),
        })
    }

    pub(super) fn is_of_this_runtime(&self) -> bool {
        Handle::current().id() == self.runtime
    }

    pub(super) async fn arrived(&self) {
        match self.watched.readable().await {
            Ok(mut ready) => ready.clear_ready(),
            // The runtime is being shut down.
            Err(_) => pending().await,
        }
    }
}

fn watch(wake: &Wake) -> io::Result<AsyncFd<OwnedFd>> {
    let duplicate = wake.descriptor().try_clone_to_owned()?;
    // SAFETY: the duplicate is ours alone, and stays open and the same as long as it is watched.
    let watched = unsafe { AsyncFd::register_with_interest(duplicate, Interest::READABLE) }?;
    Ok(watched)
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHES.fetch_sub(1, Ordering::AcqRel);
    }
}
