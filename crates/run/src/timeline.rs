//! What happened when: [`Timeline`].

use schemars::JsonSchema;
use serde::Serialize;
use winddown_core::Timestamp;
use winddown_core::report::{RungRecord, StopReport, rounded};

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
    observer: Option<Box<dyn Observer>>,
}

/// Is told what happens, as it happens.
pub trait Observer: Send {
    /// Something happened.
    fn moment(&mut self, _moment: &Moment) {}

    /// The stop has ended with this report. The host hears of the end after this has returned.
    fn report(&mut self, _report: &StopReport) {}
}

/// An observer that looks away.
impl Observer for () {}

impl Timeline {
    pub(crate) fn begin(&mut self, start: Timestamp) {
        self.start = start;
    }

    pub(crate) fn add(&mut self, now: Timestamp, what: impl Into<String>) {
        let moment = Moment {
            at: rounded(now.since(self.start)),
            what: what.into(),
        };
        if let Some(observer) = &mut self.observer {
            observer.moment(&moment);
        }
        self.moments.push(moment);
    }

    pub(crate) fn add_rungs(&mut self, now: Timestamp, rungs: &[RungRecord]) {
        for rung in rungs {
            self.add(now, format!("{}: {}", rung.rung, rung.outcome));
        }
    }

    pub(crate) fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observer = Some(observer);
    }

    pub(crate) fn report(&mut self, report: &StopReport) {
        if let Some(observer) = &mut self.observer {
            observer.report(report);
        }
    }

    pub(crate) fn into_moments(self) -> Vec<Moment> {
        self.moments
    }
}
