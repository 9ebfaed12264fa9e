//! What somebody asks of single services.

use winddown_core::Timestamp;
use winddown_core::order::Need;

use super::Supervisor;
use crate::error::Error;
use crate::service::StopRequest;

impl Supervisor<'_> {
    /// Stops a service, and before it those that require it.
    pub(super) fn stop_service(&mut self, index: usize, request: &StopRequest, now: Timestamp) {
        let dependents = self.order.needed_by(index).to_vec();
        for (dependent, need) in dependents {
            if need == Need::Requires && self.services[dependent].is_wanted() {
                self.stop_service(dependent, request, now);
            }
        }
        self.services[index].unwant(request, now);
        self.dirty.insert(index);
    }

    /// Stops the program of a service and starts it again.
    pub(super) fn restart_service(&mut self, index: usize, request: &StopRequest, now: Timestamp) {
        self.services[index].restart(request, now);
        self.dirty.insert(index);
    }

    /// Starts the program of a service once more, and stops the old one when the new one is ready.
    pub(super) fn replace_service(&mut self, index: usize, now: Timestamp) -> Result<(), Error> {
        self.dirty.insert(index);
        self.services[index].replace(now)
    }
}
