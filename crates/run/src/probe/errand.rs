//! What may block, on a thread of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use winddown_sys::{Error, Waitable, Wake};

use super::Answer;

/// Enough for the name look-up of the C library, which is the hungriest of what is done.
const STACK: usize = 512 * 1024;

/// A question that a short-lived thread asks.
#[derive(Debug)]
pub(crate) struct Errand {
    answer: Mutex<Option<Answer>>,
    answered: Wake,
}

impl Errand {
    pub(super) fn send(ask: impl FnOnce() -> Answer + Send + 'static) -> Result<Arc<Self>, Error> {
        let errand = Arc::new(Self {
            answer: Mutex::new(None),
            answered: Wake::new()?,
        });
        let sent = Arc::clone(&errand);
        thread::Builder::new()
            .name("probe".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let answer = ask();
                *sent.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                sent.answered.wake();
            })
            .map_err(|error| Error::os("starting a thread", error))?;
        Ok(errand)
    }

    pub(crate) fn answer(&self) -> Option<Answer> {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.clone()
    }

    /// Ready for ever once there is an answer.
    pub(crate) const fn answered(&self) -> &dyn Waitable {
        &self.answered
    }
}
