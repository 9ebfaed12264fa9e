//! What happens, for those who wait for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use winddown_core::report::StopReport;

use crate::timeline::{Moment, Observer};

/// Keeps what happens to services while somebody wants to know it.
#[derive(Clone, Default)]
pub(crate) struct Tap(Arc<Mutex<Kept>>);

/// Services and what happened to them; `None` while nobody wants to know.
type Kept = Option<Vec<(String, String)>>;

impl Tap {
    /// An observer that hands on all that it is told, and keeps it here.
    pub(crate) fn between(&self, observer: Box<dyn Observer>) -> Box<dyn Observer> {
        Box::new(Tapped {
            tap: self.clone(),
            observer,
        })
    }

    /// Begins or ends to keep what happens.
    pub(crate) fn open(&self, open: bool) {
        let mut kept = self.lock();
        match open {
            true => drop(kept.get_or_insert_default()),
            false => *kept = None,
        }
    }

    /// What has happened since the last call: the service, and what.
    pub(crate) fn take(&self) -> Vec<(String, String)> {
        self.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Tapped {
    tap: Tap,
    observer: Box<dyn Observer>,
}

impl Observer for Tapped {
    fn moment(&mut self, service: &str, moment: &Moment) {
        if let Some(kept) = self.tap.lock().as_mut() {
            kept.push((service.to_owned(), moment.what.clone()));
        }
        self.observer.moment(service, moment);
    }

    fn looks_on(&self) -> bool {
        self.observer.looks_on()
    }

    fn waits(&mut self, for_what: Option<&str>) {
        self.observer.waits(for_what);
    }

    fn report(&mut self, report: &StopReport) {
        self.observer.report(report);
    }
}
