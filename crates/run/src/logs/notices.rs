//! What the operator is told about the logs of one service: each trouble once, and again when it is over.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most texts that are kept for a report.
const KEPT: usize = 20;

/// Who is told: the service's name and one line of text. It is called on the threads of the logs and must not block.
pub type Warn = Arc<dyn Fn(&str, &str) + Send + Sync>;

pub(crate) struct Notices {
    service: String,
    warn: Warn,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    troubles: BTreeSet<String>,
    texts: Vec<String>,
}

impl Notices {
    pub(crate) fn new(service: &str, warn: Warn) -> Self {
        Self {
            service: service.to_owned(),
            warn,
            state: Mutex::default(),
        }
    }

    /// Tells of a trouble that begins; nothing while it goes on.
    pub(crate) fn begins(&self, trouble: &str, text: impl FnOnce() -> String) {
        self.change(
            |troubles| troubles.insert(trouble.to_owned()),
            || format!("{trouble}: {}", text()),
        );
    }

    /// Tells that a trouble is over; nothing if there was none.
    pub(crate) fn ends(&self, trouble: &str, text: impl FnOnce() -> String) {
        self.change(|troubles| troubles.remove(trouble), text);
    }

    fn change(
        &self,
        is_news: impl FnOnce(&mut BTreeSet<String>) -> bool,
        text: impl FnOnce() -> String,
    ) {
        let mut state = self.lock();
        if !is_news(&mut state.troubles) {
            return;
        }
        let text = text();
        if state.texts.len() < KEPT {
            state.texts.push(text.clone());
        }
        drop(state);
        (self.warn)(&self.service, &text);
    }

    /// What was told since the last [`clear`](Self::clear).
    pub(crate) fn texts(&self) -> Vec<String> {
        self.lock().texts.clone()
    }

    pub(crate) fn clear(&self) {
        self.lock().texts.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").finish_non_exhaustive()
    }
}
