//! Handlers that note every signal that can be received.

use winddown_core::{Arrival, Signal};

use crate::signal::{self, Replaced};
use crate::{Descriptor, Result, Sources, Waitable};

#[derive(Debug)]
pub(super) struct SignalQueue {
    _pipe: Replaced,
    sources: Sources,
}

impl SignalQueue {
    pub(super) fn attach() -> Result<Self> {
        let received = Signal::named().filter(|signal| {
            let leave = !signal::is_receivable(*signal) || *signal == Signal::Pipe;
            !leave && signal::number(*signal).is_some()
        });
        Ok(Self {
            sources: Sources::attach(received)?,
            _pipe: Replaced::by_ignore(libc::SIGPIPE),
        })
    }

    pub(super) fn drain(&self) -> Vec<Arrival> {
        self.sources.wake().clear();
        self.sources.drain()
    }

    pub(super) fn descriptor(&self) -> Descriptor<'_> {
        self.sources.wake().descriptor()
    }
}
