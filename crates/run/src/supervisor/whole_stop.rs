//! The stop of everything: within one budget, whoever asks and however often.

use std::time::Duration;

use winddown_core::order::stop_share;
use winddown_core::{Arrival, Mechanism, Timestamp, host_share};
use winddown_sys::signal;

use super::Supervisor;
use crate::service::{Service, StopRequest};

/// The stop of everything.
pub(super) struct WholeStop {
    pub(super) request: StopRequest,
    pub(super) begun: Timestamp,
    /// When all of it must have ended; none where each service has its own time.
    pub(super) deadline: Option<Timestamp>,
    /// For each service, how many were to be stopped one behind the other from it on.
    levels: Vec<u32>,
}

impl WholeStop {
    /// When a service must have ended that is asked now (WD-113).
    pub(super) fn until(&self, index: usize, own: Duration, now: Timestamp) -> Option<Timestamp> {
        let left = self.deadline?.since(now);
        Some(now + stop_share(left, self.levels[index], own))
    }

    /// What `request` asks of a service.
    pub(super) fn join(
        &self,
        request: &StopRequest,
        index: usize,
        service: &Service,
        now: Timestamp,
    ) -> StopRequest {
        let own = service.options().policy.timeout;
        StopRequest {
            until: self.until(index, own, now),
            ..request.clone()
        }
    }
}

impl Supervisor<'_> {
    pub(super) fn request_stop(&mut self, mut arrival: Arrival, now: Timestamp) {
        // Before all else: a sender such as kill(1) has ended a moment later, and then nobody knows its name (WD-12).
        if let (None, Some(pid)) = (&arrival.origin.name, arrival.origin.pid) {
            arrival.origin.name = signal::sender_name(pid);
        }
        let limit = self.host.limit(&arrival.origin.mechanism);
        let patience = limit.map(|limit| now + host_share(limit));
        let ask_by = match &arrival.origin.mechanism {
            Mechanism::Signal(signal) => self.signals.asks_by(*signal),
            _ => None,
        };
        let request = StopRequest {
            ask_by,
            until: None,
            force: self.forces(&arrival),
            arrival,
        };
        match &mut self.stop {
            None => {
                let own = self.timeout.map(|timeout| now + timeout);
                let standing = |index: usize| self.services[index].standing();
                let levels = self.order.levels(standing);
                let stop = WholeStop {
                    levels,
                    deadline: earlier(own, patience),
                    request,
                    begun: now,
                };
                for (index, service) in self.services.iter_mut().enumerate() {
                    let request = stop.join(&stop.request, index, service, now);
                    service.unwant(&stop.request, now);
                    service.hurry(&request, now);
                }
                self.stop = Some(stop);
                self.common.ending.set(true);
            }
            Some(stop) => {
                stop.deadline = earlier(stop.deadline, patience);
                if request.force {
                    stop.deadline = Some(now);
                }
                for (index, service) in self.services.iter_mut().enumerate() {
                    let request = stop.join(&request, index, service, now);
                    service.hurry(&request, now);
                    if service.stop_deadline().is_some() {
                        service.request_stop(&request, now);
                    }
                }
            }
        }
        self.dirty.extend(0..self.services.len());
        self.tell_stopping(now);
    }

    fn forces(&self, arrival: &Arrival) -> bool {
        let stop = self.stop.as_ref();
        stop.is_some_and(|stop| arrival.forces(stop.request.arrival.interactive, stop.begun))
    }
}

/// The earlier of two points in time that may not exist.
fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}
