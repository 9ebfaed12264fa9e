//! What the operator is told about the logs of one service: each trouble once, and again when it is over.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many texts are kept for reports.
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
    /// What is wrong at present, and how many texts there were before it was told.
    troubles: BTreeMap<String, usize>,
    /// The last texts, and how many there were in all.
    texts: VecDeque<String>,
    count: usize,
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
            |state| {
                let is_new = !state.troubles.contains_key(trouble);
                let count = state.count;
                state.troubles.entry(trouble.to_owned()).or_insert(count);
                is_new
            },
            || format!("{trouble}: {}", text()),
        );
    }

    /// Tells that a trouble is over; nothing if there was none.
    pub(crate) fn ends(&self, trouble: &str, text: impl FnOnce() -> String) {
        self.change(|state| state.troubles.remove(trouble).is_some(), text);
    }

    fn change(&self, is_news: impl FnOnce(&mut State) -> bool, text: impl FnOnce() -> String) {
        let mut state = self.lock();
        if !is_news(&mut state) {
            return;
        }
        let text = text();
        if state.texts.len() == KEPT {
            state.texts.pop_front();
        }
        state.texts.push_back(text.clone());
        state.count += 1;
        drop(state);
        (self.warn)(&self.service, &text);
    }

    /// Where the story of something begins that begins now: with what is wrong already.
    pub(crate) fn mark(&self) -> usize {
        let state = self.lock();
        state
            .troubles
            .values()
            .min()
            .copied()
            .unwrap_or(state.count)
    }

    /// What was told from a mark on, as far as it is kept.
    pub(crate) fn since(&self, mark: usize) -> Vec<String> {
        let state = self.lock();
        let skip = state.texts.len().saturating_sub(state.count - mark);
        state.texts.iter().skip(skip).cloned().collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_once_and_what_begins_within_it_knows_of_it() {
        let notices = Notices::new("a", Arc::new(|_, _| {}));
        let calm = notices.mark();
        notices.begins("disk", || "full".to_owned());
        let troubled = notices.mark();
        notices.begins("disk", || "still full".to_owned());
        notices.ends("network", || "never was down".to_owned());
        assert_eq!(notices.since(calm), ["disk: full"]);
        assert_eq!(notices.since(troubled), ["disk: full"]);
        notices.ends("disk", || "works again".to_owned());
        assert_eq!(notices.since(troubled), ["disk: full", "works again"]);
        assert_eq!(notices.since(notices.mark()), [""; 0]);
        for _ in 0..2 * KEPT {
            notices.begins("disk", || "full".to_owned());
            notices.ends("disk", || "works".to_owned());
        }
        assert_eq!(notices.since(calm).len(), KEPT);
    }
}
