//! What happens, told as it happens: [`Observer`].

use std::cell::RefCell;
use std::rc::Rc;

use schemars::JsonSchema;
use serde::Serialize;
use winddown_core::report::{RungRecord, StopReport, rounded};
use winddown_core::{Timestamp, format_duration};

use crate::error::Error;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Moment {
    /// When, in seconds after the service was first started.
    pub at: f64,
    /// What.
    pub what: String,
    /// Whether somebody should hear of it who does not look at winddown all the time.
    #[serde(skip)]
    pub notable: bool,
}

/// Is told what happens, as it happens.
pub trait Observer: Send {
    /// Something happened to a service.
    fn moment(&mut self, _service: &str, _moment: &Moment) {}

    /// Whether [`Observer::waits`] is to be called, for a person who looks on.
    fn looks_on(&self) -> bool {
        false
    }

    /// What a stop or a restart waits for, about once a second while it takes longer than that; then once nothing.
    fn waits(&mut self, _for_what: Option<&str>) {}

    /// A stop has ended with this report. The host hears of the last one's end after this has returned.
    fn report(&mut self, _report: &StopReport) {}

    /// Nothing could be run, or no longer. The host hears of it after this has returned.
    fn failed(&mut self, _error: &Error) {}
}

/// An observer that looks away.
impl Observer for () {}

/// What happens to one service, told to the observer of all.
#[derive(Clone)]
pub(crate) struct Timeline {
    service: Rc<str>,
    start: Timestamp,
    observer: Rc<RefCell<Box<dyn Observer>>>,
}

impl Timeline {
    pub(crate) fn new(
        service: &str,
        start: Timestamp,
        observer: &Rc<RefCell<Box<dyn Observer>>>,
    ) -> Self {
        Self {
            service: service.into(),
            start,
            observer: Rc::clone(observer),
        }
    }

    pub(crate) fn add(&self, now: Timestamp, what: impl Into<String>) {
        self.tell(now, what.into(), false);
    }

    /// Adds what somebody should hear of who does not look at winddown all the time.
    pub(crate) fn notice(&self, now: Timestamp, what: impl Into<String>) {
        self.tell(now, what.into(), true);
    }

    fn tell(&self, now: Timestamp, what: String, notable: bool) {
        let moment = Moment {
            at: rounded(now.since(self.start)),
            what,
            notable,
        };
        self.observer.borrow_mut().moment(&self.service, &moment);
    }

    pub(crate) fn add_rungs(&self, now: Timestamp, rungs: &[RungRecord], deadline: Timestamp) {
        let left = format_duration(deadline.since(now));
        for rung in rungs {
            self.add(
                now,
                format!("{}: {} ({left} left)", rung.rung, rung.outcome),
            );
        }
    }

    pub(crate) fn report(&self, report: &StopReport) {
        self.observer.borrow_mut().report(report);
    }
}
