//! [`Guard`]: what this process started does not outlive it, even when it is killed.
//!
//! | | when this process is killed with `SIGKILL` or `TerminateProcess`, or crashes |
//! |---|---|
//! | Linux, a child started into a [`Tree`](crate::tree::Tree) | the kernel kills it (`PR_SET_PDEATHSIG`), unless it changed its credentials on exec (setuid) |
//! | Linux, everything in a cgroup of a tree | the guard kills it (`cgroup.kill`, Linux 5.14 and later) |
//! | Linux, everything else that carries the mark `WINDDOWN_TREE` of a tree of this process | the guard kills it |
//! | Linux, as process 1 of a pid namespace | the kernel kills the whole namespace; there is no guard |
//! | Windows | the system closes the job, which kills everything in it; there is no guard |
//! | macOS, BSD | nothing; there is no guard |
//!
//! Without cgroups a descendant outlives this process on Linux if it is no child of it and if its environment was cleared,
//! written over, or may not be read: another user's, or that of a program which is not dumpable. Programs that may outlive their tree are killed like all others: that
//! they may live is for stops, and this is none.
//!
//! On Linux the guard is a process `winddown-guard` that holds one end of a pipe and sleeps until the other end is closed, which
//! the kernel does for a process that ends, however it ends. It is in a session of its own, outside of all trees, and blocks
//! every signal. It is a child of this process that neither sends a `SIGCHLD` nor is found by a `wait` that does not ask for such
//! children (`__WCLONE`), so that no census and no proof counts it.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "none.rs")]
mod imp;

use crate::{Result, Waitable};

/// While it exists, whatever this process started into trees is killed when this process ends, however it ends.
///
/// Dropping it kills at once whatever is left, and waits until it has gone, at most for 10 s: for a supervisor that gives up.
/// After an orderly end, [`Guard::dismiss`] it.
#[derive(Debug)]
#[must_use = "dropping it kills what this process started"]
pub struct Guard {
    imp: imp::Guard,
}

impl Guard {
    /// Starts to guard. Call it once, early: on Linux a process is forked, which is as large as this one is then.
    ///
    /// # Errors
    ///
    /// [`Error::Os`](crate::Error::Os) if there can be no more processes or descriptors;
    /// [`Error::Unsupported`](crate::Error::Unsupported) on Linux if this process has several threads.
    pub fn start() -> Result<Self> {
        imp::Guard::start().map(|imp| Self { imp })
    }

    /// Becomes ready, for ever, once the guard has ended, as when somebody has killed it; `None` where there is none.
    ///
    /// After [`Guard::release`] its end is no news: see [`Guard::is_lost`].
    #[must_use]
    pub fn end(&self) -> Option<&dyn Waitable> {
        self.imp.end()
    }

    /// Whether [`Guard::end`], once it is ready, means that nobody guards any more though somebody should.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        !self.imp.is_released()
    }

    /// Lets the guard go and does not wait for its end, which [`Guard::dismiss`] does: for what can be done meanwhile, once nothing
    /// is left and nothing is started any more.
    pub fn release(&self) {
        self.imp.release();
    }

    /// Ends the guard, and waits for its end. Whatever this process started lives on.
    pub fn dismiss(self) {
        self.imp.dismiss();
    }
}
