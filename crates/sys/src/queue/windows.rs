//! The console handler and the hidden window, waited for through their latch.
//!
//! What would end the process is held up until the queue is dropped or the process ends.

use winddown_core::Arrival;

use crate::{Descriptor, Result, Sources, Waitable};

#[derive(Debug)]
pub(super) struct SignalQueue(Sources);

impl SignalQueue {
    pub(super) fn attach() -> Result<Self> {
        Sources::attach([]).map(Self)
    }

    pub(super) fn drain(&self) -> Vec<Arrival> {
        self.0.wake().clear();
        self.0.drain()
    }

    pub(super) fn descriptor(&self) -> Descriptor<'_> {
        self.0.wake().descriptor()
    }
}
