//! [`Asker`]: who asked for something, named when that is wanted.

use std::sync::OnceLock;

use winddown_core::{Mechanism, Origin};
use winddown_sys::signal;

/// Who asked. A sender's name is looked up after the event was published: it takes longer than all else until then.
#[derive(Debug)]
pub(crate) struct Asker {
    arrived: Origin,
    named: OnceLock<Origin>,
}

impl Asker {
    pub(crate) const fn new(arrived: Origin) -> Self {
        Self {
            arrived,
            named: OnceLock::new(),
        }
    }

    pub(crate) const fn mechanism(&self) -> &Mechanism {
        &self.arrived.mechanism
    }

    /// Who asked, with a name if there is one. The first call looks it up: should the sender have ended, the name is missing
    /// or, should its pid have been used again, another's.
    pub(crate) fn origin(&self) -> &Origin {
        self.named.get_or_init(|| {
            let mut origin = self.arrived.clone();
            if origin.name.is_none() {
                origin.name = origin.pid.and_then(signal::sender_name);
            }
            origin
        })
    }
}
