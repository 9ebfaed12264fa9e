//! What the host is told.

use std::time::Duration;

use winddown_core::notify::Lifecycle;
use winddown_core::order::Standing;
use winddown_core::{Clock, Lease, Timestamp};
use winddown_sys::Monotonic;

use super::{SETTLED, Supervisor};
use crate::service::{News, Service};

impl Supervisor<'_> {
    /// Tells the host once nothing is on its way up any more, and something is up.
    pub(super) fn tell_running(&mut self) {
        if self.told_running || self.stop.is_some() {
            return;
        }
        let mut standings = self.services.iter().map(Service::standing);
        let some = self
            .services
            .iter()
            .any(|service| service.standing() == Standing::Ready);
        if some
            && !standings.any(|standing| matches!(standing, Standing::Waiting | Standing::Starting))
        {
            self.told_running = true;
            self.give_back_at = Monotonic.now() + SETTLED;
            self.host.running();
        } else if !self.told_retrying && self.services.iter().any(Service::is_backing_off) {
            self.told_retrying = true;
            self.host.retrying();
        }
    }

    pub(super) fn tell_stopping(&mut self, now: Timestamp) {
        let own = self.services.iter().filter(|service| !service.is_down());
        let longest = own.map(|service| service.options().policy.timeout).max();
        let deadline = self.stop.as_ref().and_then(|stop| stop.deadline);
        let wait = deadline.map_or(longest.unwrap_or_default(), |deadline| deadline.since(now));
        self.told_stopping = true;
        self.host.stopping(wait);
    }

    /// Passes on what a program said of itself (WD-126).
    pub(super) fn relay(&mut self, index: usize, news: News, now: Timestamp) {
        if let Some(status) = news.status {
            let name = &self.services[index].options().name;
            self.host.status(&match self.common.alone.get() {
                true => status,
                false => format!("{name}: {status}"),
            });
        }
        if let Some(time) = news.extend {
            self.lease.ask(now, time);
        }
        match news.lifecycle {
            // Of several services none is the whole, and a stop has been told already.
            _ if !self.common.alone.get() || !self.told_running || self.stop.is_some() => {}
            Some(Lifecycle::Reloading { .. }) => self.host.reloading(),
            Some(Lifecycle::Ready) => self.host.running(),
            Some(Lifecycle::Stopping) | None => {}
        }
    }

    /// Tells the host how much more time the start or the stop needs (WD-43); when to call again.
    pub(super) fn tell_progress(&mut self, now: Timestamp) -> Timestamp {
        let services = self.services.iter();
        let end = match (&self.stop, self.told_running) {
            (Some(stop), _) => {
                let ends = services.filter_map(Service::stop_deadline).max();
                ends.map(|end| end.min(stop.deadline.unwrap_or(Timestamp::NEVER)))
            }
            (None, false) => services.filter_map(Service::start_deadline).max(),
            (None, true) => None,
        };
        let Some(end) = end else {
            self.lease = Lease::new(Duration::ZERO);
            return Timestamp::NEVER;
        };
        match (self.lease.tell(now, end), &self.stop) {
            (Some(extension), Some(_)) => self.host.extend_stop(extension),
            (Some(extension), None) => self.host.extend_start(extension),
            (None, _) => {}
        }
        self.lease.due().unwrap_or(Timestamp::NEVER)
    }

    /// Tells the operator, once, where the host cannot be told anything (WD-59).
    pub(super) fn tell_trouble(&mut self, now: Timestamp) {
        if let Some(what) = self.host.take_trouble() {
            self.timeline.notice(now, what);
        }
    }

    /// Tells the host that the loop goes round, if it wants to hear that (WD-124); when to call again.
    pub(super) fn tell_alive(&mut self, now: Timestamp) -> Timestamp {
        let Some(every) = self.host.watchdog() else {
            return Timestamp::NEVER;
        };
        if now >= self.alive_at {
            self.host.alive();
            self.alive_at = now + every / 2;
        }
        self.alive_at
    }
}
