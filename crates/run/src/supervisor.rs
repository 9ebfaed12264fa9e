//! The loop: one thread that waits for requests, for every service and for the time, all at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use winddown::host::Host;
use winddown_core::{Arrival, Clock, State, Timestamp};
use winddown_sys::{Monotonic, Poller, memory};

use crate::error::Error;
use crate::options::{RunOptions, StopWhen};
use crate::outcome::Outcome;
use crate::requests::{Request, Requests};
use crate::service::{Service, StopRequest};
use crate::timeline::{Observer, Timeline};

/// The least time between two key presses for the second to force (WD-14).
const FORCE_GAP: Duration = Duration::from_millis(500);
/// The owner of the requests among the owners of what the loop waits for; services come after it.
const REQUESTS: usize = 0;
const FIRST_SERVICE: usize = 1;

/// Supervises services, from the first start until nothing of the last one is left.
pub(crate) struct Supervisor {
    host: Box<dyn Host>,
    services: Vec<Service>,
    poller: Poller,
    /// The services to be looked at now.
    dirty: BTreeSet<usize>,
    /// When services are to be looked at again at the latest.
    due: BTreeSet<(Timestamp, usize)>,
    due_of: Vec<Timestamp>,
    stop_when: Option<StopWhen>,
    stop: Option<StopUnderWay>,
    told_running: bool,
}

/// The stop of everything.
struct StopUnderWay {
    begun: Timestamp,
    interactive: bool,
}

impl Supervisor {
    /// Runs all services until nothing of them is left, and tells `host` and `observer` about it.
    ///
    /// # Errors
    /// [`Error::System`] when the one program cannot be started, or when the system refuses what supervision needs.
    pub(crate) fn run(
        options: RunOptions,
        host: Box<dyn Host>,
        requests: &Requests,
        observer: Box<dyn Observer>,
    ) -> Result<Outcome, Error> {
        let observer = Rc::new(RefCell::new(observer));
        let now = Monotonic.now();
        let rehearsal = options.stop_when.is_some();
        let services: Vec<Service> = options
            .services
            .into_iter()
            .map(|service| {
                let timeline = Timeline::new(&service.name, now, &observer);
                Service::new(service, timeline, rehearsal)
            })
            .collect();
        let mut poller = Poller::new()?;
        poller.watch(REQUESTS, &requests.waitables())?;
        let mut supervisor = Self {
            host,
            poller,
            dirty: (0..services.len()).collect(),
            due: BTreeSet::new(),
            due_of: vec![Timestamp::NEVER; services.len()],
            services,
            stop_when: options.stop_when,
            stop: None,
            told_running: false,
        };
        supervisor.supervise(requests)?;
        Ok(supervisor.conclude())
    }

    fn supervise(&mut self, requests: &Requests) -> Result<(), Error> {
        for service in &mut self.services {
            service.start()?;
        }
        loop {
            let now = Monotonic.now();
            for request in requests.take() {
                self.take(request, now);
            }
            while let Some(index) = self.dirty.pop_first() {
                self.advance(index, now)?;
            }
            let rehearsal = self.rehearse(now);
            self.tell_running();
            if self.services.iter().all(Service::is_down) {
                return Ok(());
            }
            if self.dirty.is_empty() {
                self.wait(rehearsal);
            }
        }
    }

    fn wait(&mut self, until: Timestamp) {
        let first = self.due.first().map_or(Timestamp::NEVER, |(at, _)| *at);
        let owners = self.poller.wait(Monotonic.sleep_until(first.min(until)));
        let now = Monotonic.now();
        let ready = owners.into_iter().filter(|owner| *owner != REQUESTS);
        self.dirty.extend(ready.map(|owner| owner - FIRST_SERVICE));
        let due = self.due.iter().take_while(|(at, _)| *at <= now);
        self.dirty.extend(due.map(|(_, index)| index));
    }

    fn advance(&mut self, index: usize, now: Timestamp) -> Result<(), Error> {
        let service = &mut self.services[index];
        let next = service.advance(now)?;
        self.poller
            .watch(index + FIRST_SERVICE, &service.sources())?;
        self.due.remove(&(self.due_of[index], index));
        self.due_of[index] = next;
        if next != Timestamp::NEVER {
            self.due.insert((next, index));
        }
        Ok(())
    }

    fn take(&mut self, request: Request, now: Timestamp) {
        match request {
            Request::Stop(arrival) => self.request_stop(arrival, now),
            Request::Reap => {
                for service in &self.services {
                    service.reap();
                }
            }
            Request::Forward(signal) => {
                for service in &self.services {
                    service.forward(signal);
                }
            }
        }
    }

    fn request_stop(&mut self, arrival: Arrival, now: Timestamp) {
        let limit = self.host.limit(&arrival.origin.mechanism);
        let request = StopRequest {
            until: limit.map(|limit| now + (limit - limit / 20)),
            force: self.forces(&arrival),
            arrival,
        };
        for (index, service) in self.services.iter_mut().enumerate() {
            service.request_stop(&request, now);
            self.dirty.insert(index);
        }
        if self.stop.is_none() {
            self.stop = Some(StopUnderWay {
                begun: now,
                interactive: request.arrival.interactive,
            });
        }
        self.tell_stopping(now);
    }

    /// WD-14: a second key press, not right after the first.
    fn forces(&self, arrival: &Arrival) -> bool {
        self.stop.as_ref().is_some_and(|stop| {
            stop.interactive && arrival.interactive && arrival.at.since(stop.begun) >= FORCE_GAP
        })
    }

    /// Asks for the stop of a rehearsal when it is time; when to call again.
    fn rehearse(&mut self, now: Timestamp) -> Timestamp {
        let (Some(when), Some(service)) = (self.stop_when, self.services.first()) else {
            return Timestamp::NEVER;
        };
        let due = match (when, service.started()) {
            (_, None) => return Timestamp::NEVER,
            (StopWhen::Started, Some(started)) => started,
            (StopWhen::Ready, _) if service.state() == State::Running => now,
            (StopWhen::Ready, _) => return Timestamp::NEVER,
            (StopWhen::After(delay), Some(started)) => started + delay,
        };
        if now < due {
            return due;
        }
        self.stop_when = None;
        self.request_stop(StopRequest::own(now, "rehearsal").arrival, now);
        now
    }

    fn tell_running(&mut self) {
        let running = |service: &Service| service.state() == State::Running;
        if !self.told_running && self.services.iter().all(running) {
            self.told_running = true;
            self.host.running();
            // From here on it mostly waits.
            memory::give_back_code();
        }
    }

    fn tell_stopping(&mut self, now: Timestamp) {
        let deadlines = self.services.iter().filter_map(Service::stop_deadline);
        let last = deadlines.max().unwrap_or(now);
        self.host.stopping(last.since(now));
    }

    fn conclude(mut self) -> Outcome {
        let ended = self.services.into_iter().filter_map(Service::into_last);
        let outcome = Outcome::new(ended.collect());
        self.host.stopped(outcome.as_exit());
        outcome
    }
}
