//! What the threads of the logs have to tell.

use std::sync::{Arc, Mutex, PoisonError};

use winddown_sys::{Error, Waitable, Wake};

use crate::logs::Warn;

/// Warnings on their way to the loop.
pub(super) struct Warnings(Arc<Inbox>);

struct Inbox {
    /// The name of the service, and what there is to tell.
    warnings: Mutex<Vec<(String, String)>>,
    wake: Wake,
}

impl Warnings {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self(Arc::new(Inbox {
            warnings: Mutex::default(),
            wake: Wake::new()?,
        })))
    }

    /// Whom to tell.
    pub(super) fn warn(&self) -> Warn {
        let inbox = Arc::clone(&self.0);
        Arc::new(move |service, text| {
            let warning = (service.to_owned(), text.to_owned());
            let mut warnings = inbox
                .warnings
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            warnings.push(warning);
            inbox.wake.wake();
        })
    }

    /// Ready when there is something.
    pub(super) fn waitable(&self) -> &dyn Waitable {
        &self.0.wake
    }

    pub(super) fn take(&self) -> Vec<(String, String)> {
        self.0.wake.clear();
        let mut warnings = self
            .0
            .warnings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *warnings)
    }
}
