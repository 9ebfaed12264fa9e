//! The loop: one thread that waits for requests, for every service and for the time, all at once.

mod control;
mod looking_on;
mod operations;
mod reload;
mod telling;
mod warnings;
mod whole_stop;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use winddown::host::Host;
use winddown_core::order::{Need, Order, Standing, Turn};
use winddown_core::{Clock, Lease, Signal, Timestamp};
use winddown_sys::guard::Guard;
use winddown_sys::{Monotonic, Poller, listen, memory, tree};

use crate::error::Error;
use crate::logs::Logs;
use crate::options::{Reread, RunOptions, StopWhen};
use crate::outcome::Outcome;
use crate::requests::{Request, Requests};
use crate::service::{Common, News, Service, SpareSockets, StopRequest};
use crate::signals::{SignalAction, SignalMap};
use crate::timeline::{Observer, Timeline};
use control::Control;

use warnings::Warnings;
use whole_stop::WholeStop;

/// The owners of what the loop waits for; services come after them.
const REQUESTS: usize = 0;
const LOGS: usize = 1;
const CONTROL: usize = 2;
const GUARD: usize = 3;
const FIRST_SERVICE: usize = 4;

/// How long after the start it mostly waits. What ends sooner, or is stopped, needs the memory of the start again.
const SETTLED: Duration = Duration::from_millis(100);

/// Supervises services, from the first start until nothing of the last one is left.
pub(crate) struct Supervisor<'a> {
    name: String,
    /// Where the control socket was wanted.
    control_place: Option<PathBuf>,
    host: &'a mut dyn Host,
    services: Vec<Service>,
    order: Order,
    poller: Poller,
    /// The services to be looked at now.
    dirty: BTreeSet<usize>,
    /// When services are to be looked at again at the latest.
    due: BTreeSet<(Timestamp, usize)>,
    due_of: Vec<Timestamp>,
    timeout: Option<Duration>,
    /// The services that the definition names no more.
    gone: BTreeSet<usize>,
    stop_when: Option<StopWhen>,
    reread: Option<Reread>,
    signals: SignalMap,
    /// What new services are made with.
    observer: Rc<RefCell<Box<dyn Observer>>>,
    common: Rc<Common>,
    warnings: Warnings,
    stop: Option<WholeStop>,
    begun: Timestamp,
    control: Option<Control>,
    /// What happens to all of it rather than to one service.
    timeline: Timeline,
    told_running: bool,
    told_retrying: bool,
    /// How much more time the programs need, as the host hears it.
    lease: Lease,
    /// Whether somebody looks on.
    looked_on: bool,
    /// When whoever looks on is told what is waited for, while something is.
    tell_waits_at: Option<Timestamp>,
    /// When the host must hear again that winddown is alive.
    alive_at: Timestamp,
    /// When the memory that only the start needed is given back; never once that is done.
    give_back_at: Timestamp,
    told_stopping: bool,
}

impl<'a> Supervisor<'a> {
    /// Runs all services until nothing of them is left, and tells `host` and `observer` about it; of its end `host` is to be told.
    ///
    /// # Errors
    /// [`Error::System`] when the one program cannot be started, or when the system refuses what supervision needs.
    pub(crate) fn run(
        options: RunOptions,
        host: &'a mut dyn Host,
        requests: &Requests,
        observer: &Rc<RefCell<Box<dyn Observer>>>,
        guard: Rc<Guard>,
    ) -> Result<Outcome, Error> {
        let services = options.services.iter();
        let order = Order::new(services.map(|service| (service.name.as_str(), &service.needs)))?;
        let control = control::open(&options, &mut observer.borrow_mut())?;
        let control_place = control::place(&options);
        let looked_on = observer.borrow().looks_on();
        let warnings = Warnings::new()?;
        let common = Rc::new(Common {
            spare: RefCell::new(SpareSockets::new(listen::take()?)),
            logs: Logs::new(options.console, warnings.warn())?,
            alone: Cell::new(options.services.len() == 1),
            rehearsal: options.stop_when.is_some(),
            ending: Cell::new(false),
            guard,
        });
        let now = Monotonic.now();
        let mut services: Vec<Service> = options
            .services
            .into_iter()
            .map(|service| {
                let timeline = Timeline::new(&service.name, now, observer);
                Service::new(service, timeline, &common)
            })
            .collect();
        // Collected in the place of the options, which are larger.
        services.shrink_to_fit();
        let mut poller = Poller::new()?;
        poller.watch(REQUESTS, &requests.waitables())?;
        poller.watch(LOGS, &[&common.logs, warnings.waitable()])?;
        poller.watch(GUARD, &Vec::from_iter(common.guard.end()))?;
        let mut supervisor = Self {
            name: options.name,
            control_place,
            host,
            order,
            poller,
            dirty: BTreeSet::new(),
            due: BTreeSet::new(),
            due_of: vec![Timestamp::NEVER; services.len()],
            services,
            timeout: options.timeout,
            gone: BTreeSet::new(),
            stop_when: options.stop_when,
            reread: options.reread,
            signals: options.signals,
            timeline: Timeline::new("winddown", now, observer),
            observer: Rc::clone(observer),
            common,
            warnings,
            stop: None,
            begun: now,
            control,
            told_running: false,
            told_retrying: false,
            lease: Lease::new(Duration::ZERO),
            looked_on,
            tell_waits_at: None,
            alive_at: Timestamp::ZERO,
            give_back_at: Timestamp::NEVER,
            told_stopping: false,
        };
        for index in 0..supervisor.services.len() {
            if supervisor.services[index].options().autostart {
                supervisor.want(index);
            }
        }
        supervisor.supervise(requests)?;
        supervisor.conclude()
    }

    fn supervise(&mut self, requests: &Requests) -> Result<(), Error> {
        loop {
            let now = Monotonic.now();
            for request in requests.take() {
                self.take(request, now);
            }
            self.serve(now);
            while let Some(index) = self.dirty.pop_first() {
                self.advance(index, now)?;
            }
            let rehearsal = self.rehearse(now);
            self.tell_running();
            let telling = self.tell_progress(now).min(self.tell_alive(now));
            let telling = telling.min(self.tell_waits(now));
            self.tell_trouble(now);
            self.attend(now)?;
            if !self.dirty.is_empty() {
                continue;
            }
            let held = self.stop.is_none() && self.control.as_ref().is_some_and(Control::holds);
            if !held && self.services.iter().all(Service::is_down) {
                return Ok(());
            }
            self.wait(rehearsal.min(telling));
        }
    }

    fn wait(&mut self, until: Timestamp) {
        let first = self.due.first().map_or(Timestamp::NEVER, |(at, _)| *at);
        let clients = self.control.as_ref().map_or(Timestamp::NEVER, Control::due);
        let owners = self.rest(first.min(until).min(clients));
        let now = Monotonic.now();
        if let (Some(control), true) = (&mut self.control, owners.contains(&CONTROL)) {
            control.stir();
        }
        if owners.contains(&LOGS) {
            self.look_at_logs(now);
        }
        if owners.contains(&GUARD) {
            self.lose_guard(now);
        }
        let ready = owners.iter().filter(|owner| **owner >= FIRST_SERVICE);
        self.dirty.extend(ready.map(|owner| owner - FIRST_SERVICE));
        let due = self.due.iter().take_while(|(at, _)| *at <= now);
        self.dirty.extend(due.map(|(_, index)| index));
    }

    /// Waits for whatever comes first; of whom it came. Once this has lasted for a while, it gives memory back.
    fn rest(&mut self, until: Timestamp) -> Vec<usize> {
        if self.stop.is_some() {
            self.give_back_at = Timestamp::NEVER;
        }
        let first = until.min(self.give_back_at);
        let owners = self.poller.wait(Monotonic.sleep_until(first));
        let now = Monotonic.now();
        if now < self.give_back_at {
            return owners;
        }
        if !owners.is_empty() || now >= until {
            self.give_back_at = now + SETTLED;
            return owners;
        }
        self.give_back_at = Timestamp::NEVER;
        memory::give_back_heap();
        memory::give_back_code();
        self.poller.wait(Monotonic.sleep_until(until))
    }

    fn look_at_logs(&mut self, now: Timestamp) {
        self.common.logs.noticed();
        for (service, what) in self.warnings.take() {
            Timeline::new(&service, self.begun, &self.observer).notice(now, what);
        }
        let services = self.services.iter().enumerate();
        let draining = services.filter(|(_, service)| service.is_draining());
        self.dirty.extend(draining.map(|(index, _)| index));
    }

    fn lose_guard(&mut self, now: Timestamp) {
        // It would be ready again each time. The removal of what is watched does not fail.
        let _ = self.poller.watch(GUARD, &[]);
        if self.common.guard.is_lost() {
            let what = "its guard has been killed: what winddown has started would outlive it if it were killed as well; \
                        restart it when you can";
            self.timeline.notice(now, what);
        }
    }

    /// Has a service started, and before it those that it needs to have started.
    fn want(&mut self, index: usize) {
        self.services[index].want();
        self.dirty.insert(index);
        let needs = self.order.needs(index).to_vec();
        for (other, need) in needs {
            let service = &self.services[other];
            // What is done is not done again.
            let is_missing = service.is_down() && service.standing() != Standing::Done;
            if need != Need::After && is_missing {
                self.want(other);
            }
        }
    }

    /// Lets a service go as far as it can, and has those looked at for which that makes a difference.
    fn advance(&mut self, index: usize, now: Timestamp) -> Result<(), Error> {
        let before = self.services[index].standing();
        let next = self.turn(index, now)?;
        if self.is_removed(index) {
            self.services[index].close_logs();
        }
        let service = &mut self.services[index];
        self.poller
            .watch(index + FIRST_SERVICE, &service.sources())?;
        self.due.remove(&(self.due_of[index], index));
        self.due_of[index] = next;
        if next != Timestamp::NEVER {
            self.due.insert((next, index));
        }
        if service.standing() != before {
            let neighbours = self.order.needed_by(index).iter();
            let neighbours = neighbours.chain(self.order.needs(index));
            self.dirty.extend(neighbours.map(|(other, _)| *other));
        }
        let news = self.services[index].take_news();
        if news != News::default() {
            self.relay(index, news, now);
        }
        if let Some(why) = self.services[index].take_shutdown() {
            let name = &self.services[index].options().name;
            let request = StopRequest::own(now, format!("{name}: {why}"));
            self.request_stop(request.arrival, now);
        }
        Ok(())
    }

    fn turn(&mut self, index: usize, now: Timestamp) -> Result<Timestamp, Error> {
        let mut next = self.services[index].advance(now)?;
        if self.services[index].is_waiting() {
            match self
                .order
                .start(index, |other| self.services[other].standing())
            {
                Turn::Now => {
                    self.services[index].start(now);
                    next = self.services[index].advance(now)?;
                }
                Turn::Await(_) => {}
                Turn::Never(other) => {
                    let required = self.services[other].options().name.clone();
                    self.services[index].abandon(&required, now);
                }
            }
        }
        if let Some(mut request) = self.services[index].stop_wish().cloned() {
            if self.stop_turn(index) == Turn::Now {
                let own = self.services[index].options().policy.timeout;
                let whole = self.stop.as_ref();
                request.until = whole.and_then(|stop| stop.until(index, own, now));
                self.services[index].request_stop(&request, now);
                next = self.services[index].advance(now)?;
            }
        }
        Ok(next)
    }

    /// Whether a service is in the definition no more, and nothing of it runs.
    fn is_removed(&self, index: usize) -> bool {
        self.gone.contains(&index) && self.services[index].is_down()
    }

    /// Whether a service may be asked to stop: only those that are to stop as well are waited for.
    fn stop_turn(&self, index: usize) -> Turn {
        self.order.stop(index, |other| match &self.services[other] {
            other if other.is_wanted() => Standing::Down,
            other => other.standing(),
        })
    }

    fn take(&mut self, request: Request, now: Timestamp) {
        match request {
            Request::Stop(arrival) => self.request_stop(arrival, now),
            Request::Reap => {
                tree::reap();
                let services = self.services.iter().enumerate();
                let interactive = services.filter(|(_, service)| service.options().interactive);
                self.dirty.extend(interactive.map(|(index, _)| index));
            }
            Request::Forward(signal) => self.pass_on(signal, now),
            Request::Reload => {
                // What comes of it is on the timeline.
                let _ = self.reload(now);
            }
        }
    }

    /// Does what is said of a signal that is no stop request. Of a `HUP` it goes without saying where there is something to read again.
    fn pass_on(&mut self, signal: Signal, now: Timestamp) {
        let unsaid = match signal {
            Signal::Hup if self.reread.is_some() => SignalAction::Reload,
            signal => SignalAction::Send(signal),
        };
        match self.signals.action(signal).unwrap_or(unsaid) {
            SignalAction::Ignore => {}
            SignalAction::Reload => {
                // What comes of it is on the timeline.
                let _ = self.reload(now);
            }
            SignalAction::Send(signal) => {
                for service in &self.services {
                    service.forward(signal);
                }
            }
        }
    }

    /// Asks for the stop of a rehearsal when it is time; when to call again.
    fn rehearse(&mut self, now: Timestamp) -> Timestamp {
        let (Some(when), Some(service)) = (self.stop_when, self.services.first()) else {
            return Timestamp::NEVER;
        };
        let due = match (when, service.started()) {
            (_, None) => return Timestamp::NEVER,
            (StopWhen::Started, Some(started)) => started,
            (StopWhen::Ready, _) if service.standing() == Standing::Ready => now,
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

    fn conclude(mut self) -> Result<Outcome, Error> {
        let single = self.services.len() == 1;
        let mut ended = Vec::new();
        let mut not_started = false;
        if !self.told_stopping {
            let now = Monotonic.now();
            self.tell_stopping(now);
            self.tell_trouble(now);
        }
        for service in self.services {
            not_started |= service.standing() == Standing::Failed && service.never_ran();
            match service.into_last() {
                Some(Ok(last)) => ended.push(*last),
                Some(Err(error)) if single => return Err(error),
                Some(Err(_)) | None => {}
            }
        }
        // An error above leaves it to the guard to kill what is left.
        self.common.guard.release();
        Ok(Outcome::new(ended, not_started))
    }
}
