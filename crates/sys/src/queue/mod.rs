//! [`SignalQueue`]: signals as one more thing to wait for, for a program with a single thread.

use std::marker::PhantomData;

use winddown_core::Arrival;

use crate::{Descriptor, Result, Waitable};

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(all(unix, not(target_os = "linux")), path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

/// Every signal that can be received, as a [`Waitable`]: for a loop that supervises other programs and passes their signals on.
///
/// `CHLD` is among them, and tells that a child may be waited for. `PIPE` is ignored. What is inherited as ignored is received
/// nevertheless, except `HUP` and `INT` ([`Inherited::keeps_ignored`](crate::signal::Inherited::keeps_ignored)).
///
/// | | Linux | other Unix | Windows |
/// |---|---|---|---|
/// | made of | `signalfd(2)`, everything else blocked | handlers | the console handler and a hidden window |
/// | realtime signals | each by itself | - | - |
/// | order | `TERM`, then by number | of arrival | of arrival |
/// | time | of the drain | of arrival | of arrival |
///
/// Drop puts mask and dispositions back; what was not drained by then takes its effect. On other Unix, see [`Sources`](crate::Sources).
///
/// # Limits
/// Attach while the process has one thread: on Linux a thread that was started before does not block the signals, and takes
/// them away. A child inherits the mask, unless it is given a clean one
/// ([`clean_for_child`](crate::signal::clean_for_child)).
#[derive(Debug)]
pub struct SignalQueue {
    imp: imp::SignalQueue,
    /// The mask that drop puts back is that of the thread that attached.
    _of_this_thread: PhantomData<*const ()>,
}

impl SignalQueue {
    /// Starts to receive.
    ///
    /// # Errors
    /// [`Error::AlreadyAttached`](crate::Error::AlreadyAttached) beside another queue or [`Sources`](crate::Sources);
    /// [`Error::Os`](crate::Error::Os) when the system refuses.
    pub fn attach() -> Result<Self> {
        Ok(Self {
            imp: imp::SignalQueue::attach()?,
            _of_this_thread: PhantomData,
        })
    }

    /// Takes what arrived, on Linux up to 64 signals at once. Empty when nothing did; never blocks.
    ///
    /// Names and keys are looked up now, see [`Sources::drain`](crate::Sources::drain).
    #[must_use]
    pub fn drain(&self) -> Vec<Arrival> {
        self.imp.drain()
    }
}

impl Waitable for SignalQueue {
    fn descriptor(&self) -> Descriptor<'_> {
        self.imp.descriptor()
    }
}
