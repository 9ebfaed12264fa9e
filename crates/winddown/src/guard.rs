//! Work in flight: [`Guard`], counted by name and place so that stragglers can be named.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

use winddown_core::report::Straggler;

use crate::runtime::Runtime;

/// A piece of work in flight. The drain of a stop waits until every guard was dropped (WD-25).
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct Guard {
    runtime: Arc<Runtime>,
    key: Key,
}

type Key = (&'static str, &'static Location<'static>);

impl Guard {
    pub(crate) fn new(runtime: Arc<Runtime>, key: Key) -> Self {
        runtime.guards.enter(key);
        Self { runtime, key }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.runtime.guards.leave(self.key);
        self.runtime.progress();
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({} from {})", self.key.0, self.key.1)
    }
}

/// How many guards are held, by name and place.
#[derive(Debug, Default)]
pub(crate) struct Guards(Mutex<BTreeMap<Key, u32>>);

impl Guards {
    fn enter(&self, key: Key) {
        *self.lock().entry(key).or_default() += 1;
    }

    fn leave(&self, key: Key) {
        if let Some(count) = self.lock().get_mut(&key) {
            *count -= 1;
        }
    }

    /// How many are held in all.
    pub(crate) fn held(&self) -> usize {
        self.lock().values().map(|count| *count as usize).sum()
    }

    /// Those that are held, as the report names them.
    pub(crate) fn stragglers(&self) -> Vec<Straggler> {
        let named = |((name, place), count): (&Key, &u32)| Straggler {
            kind: "guard".to_owned(),
            name: (*name).to_owned(),
            origin: place.to_string(),
            count: *count,
        };
        self.lock()
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(named)
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
