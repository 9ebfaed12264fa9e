//! What happened when: [`Timeline`].

use schemars::JsonSchema;
use serde::Serialize;
use winddown_core::Timestamp;
use winddown_core::report::{RungRecord, rounded};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Moment {
    /// When, in seconds after the program was started.
    pub at: f64,
    /// What.
    pub what: String,
}

/// What happened to a program, in order.
#[derive(Default)]
pub(crate) struct Timeline {
    start: Timestamp,
    moments: Vec<Moment>,
    follow: Option<Follow>,
}

/// Is told of each moment as it happens.
pub type Follow = Box<dyn FnMut(&Moment) + Send>;

impl Timeline {
    pub(crate) fn begin(&mut self, start: Timestamp) {
        self.start = start;
    }

    pub(crate) fn add(&mut self, now: Timestamp, what: impl Into<String>) {
        let moment = Moment {
            at: rounded(now.since(self.start)),
            what: what.into(),
        };
        if let Some(follow) = &mut self.follow {
            follow(&moment);
        }
        self.moments.push(moment);
    }

    pub(crate) fn add_rungs(&mut self, now: Timestamp, rungs: &[RungRecord]) {
        for rung in rungs {
            self.add(now, format!("{}: {}", rung.rung, rung.outcome));
        }
    }

    pub(crate) fn follow(&mut self, follow: Follow) {
        self.follow = Some(follow);
    }

    pub(crate) fn into_moments(self) -> Vec<Moment> {
        self.moments
    }
}
