//! The decisions of a running service, under its one lock: carries out what `winddown_core` decides.

mod report;

use std::panic::Location;
use std::sync::{Arc, Weak};
use std::time::Duration;

use winddown_core::report::{
    ExitRecord, HookOutcome, Proof, StopReport, Straggler, Verdict, rounded,
};
use winddown_core::{
    Arrival, Budget, Effect, HookId, InFlight, Input, Lease, Meaning, Mechanism, Origin, Phase,
    Sequence, Signal, State, Step, Timestamp, host_share, transition,
};

use crate::asker::Asker;
use crate::error::{BoxError, Error, chain, exit_code_of};
use crate::event::{Event, Reload, ReloadDone, Request, SystemEvent, UserEvent};
use crate::exit::Exit;
use crate::host::Host;
use crate::runtime::Runtime;
use crate::sink::ReportSink;
use crate::stop::Stop;
use crate::subscription::{CAPACITY, Queue};
use crate::worker::{Hook, Worker};
use report::Ending;

/// The code of a process whose body panicked, as Rust gives it.
const PANICKED: u8 = 101;

/// What the thread of the runtime does after a [`Engine::tick`].
pub(crate) enum Next {
    /// Tick again at this time, or when woken.
    At(Timestamp),
    /// All is done: [`Ending::write`] the report, then [`Engine::end`].
    Finished(Ending),
}

/// How a service is run; fixed at its start.
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) stop_within: Duration,
    pub(crate) lease: Duration,
    pub(crate) sink: ReportSink,
}

pub(crate) struct Engine {
    settings: Settings,
    state: State,
    host: Box<dyn Host>,
    subscribers: Vec<Weak<Queue>>,
    /// Who asked lately; the thread of the runtime looks their names up.
    unnamed: Vec<Arc<Asker>>,
    /// What was published before anybody subscribed; the first subscriber gets it (WD-10).
    kept: Option<Vec<Event>>,
    sequence: Sequence,
    hooks: Vec<Option<Hook>>,
    worker: Option<Worker>,
    lease: Lease,
    watchdog_due: Option<Timestamp>,
    body: Body,
    stop: Option<StopUnderWay>,
    /// The code of the first hook that failed.
    hook_failure: Option<u8>,
    finishing: bool,
    exit: Option<Exit>,
}

enum Body {
    NotCalled,
    Running,
    Returned(Result<(), (u8, String)>),
}

struct StopUnderWay {
    asker: Arc<Asker>,
    also: Vec<Arc<Asker>>,
    budget: Budget,
    limit: Duration,
    interactive: bool,
}

/// How many of those who ask again are named in a report.
const MOST_ASKED: usize = 100;

impl Engine {
    pub(crate) fn new(settings: Settings, host: Box<dyn Host>) -> Self {
        Self {
            lease: Lease::new(settings.lease),
            settings,
            state: State::Idle,
            host,
            subscribers: Vec::new(),
            unnamed: Vec::new(),
            kept: Some(Vec::new()),
            sequence: Sequence::new(),
            hooks: Vec::new(),
            worker: None,
            watchdog_due: None,
            body: Body::NotCalled,
            stop: None,
            hook_failure: None,
            finishing: false,
            exit: None,
        }
    }

    /// Puts the host in the place of the silent one that a service begins with.
    pub(crate) fn set_host(&mut self, host: Box<dyn Host>) {
        self.host = host;
    }

    pub(crate) const fn state(&self) -> State {
        self.state
    }

    pub(crate) const fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// Begins the start; whether the body is to be called.
    pub(crate) fn start(&mut self, runtime: &Arc<Runtime>) -> bool {
        self.input(runtime, Input::Start);
        let starting = self.state == State::Starting;
        if starting {
            self.body = Body::Running;
            self.worker = Worker::start(runtime).ok();
        }
        starting
    }

    /// Notes how the body ended.
    pub(crate) fn returned(&mut self, result: std::thread::Result<Result<(), BoxError>>) {
        self.body = Body::Returned(match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if tells_of_stop(&error) => Ok(()),
            Ok(Err(error)) => Err((exit_code_of(&error), chain(&error))),
            Err(panic) => Err((PANICKED, format!("panicked: {}", panic_message(&*panic)))),
        });
    }

    pub(crate) fn body_has_returned(&self) -> bool {
        !matches!(self.body, Body::Running)
    }

    pub(crate) fn subscribe(&mut self, runtime: &Arc<Runtime>, queue: &Arc<Queue>) {
        let kept = match queue.stop_only {
            true => None,
            false => self.kept.take(),
        };
        match (kept, self.stop(runtime)) {
            (Some(kept), _) => kept.into_iter().for_each(|event| queue.push(event)),
            (None, Some(stop)) => queue.push(Event::Stop(stop)),
            (None, None) => {}
        }
        self.subscribers.push(Arc::downgrade(queue));
    }

    pub(crate) fn unsubscribe(&mut self, queue: &Arc<Queue>) {
        self.subscribers
            .retain(|known| !std::ptr::eq(known.as_ptr(), Arc::as_ptr(queue)));
    }

    pub(crate) fn register(
        &mut self,
        phase: Phase,
        name: &str,
        place: &'static Location<'static>,
        hook: Hook,
    ) -> Result<(), Error> {
        match self.sequence.register(phase, name.to_owned(), place) {
            Some(_) => {
                self.hooks.push(Some(hook));
                Ok(())
            }
            None => Err(Error::TooLate {
                phase,
                hook: name.to_owned(),
            }),
        }
    }

    pub(crate) fn status(&mut self, text: &str) {
        self.host.status(text);
    }

    /// The stop under way, as the program sees it.
    pub(crate) fn stop(&self, runtime: &Arc<Runtime>) -> Option<Stop> {
        self.stop.as_ref().map(|stop| Stop {
            asker: Arc::clone(&stop.asker),
            deadline: stop.budget.deadline(),
            runtime: Arc::clone(runtime),
        })
    }

    pub(crate) fn stop_deadline(&self) -> Option<Timestamp> {
        self.stop.as_ref().map(|stop| stop.budget.deadline())
    }

    /// Decides about a request from outside.
    pub(crate) fn arrive(&mut self, runtime: &Arc<Runtime>, arrival: &Arrival) {
        let Some(meaning) = runtime.meaning(&arrival.origin.mechanism) else {
            return;
        };
        let input = match meaning.input() {
            Some(Input::Stop) if self.forces(arrival) => Input::Force,
            Some(input) => input,
            None => return,
        };
        self.apply(runtime, input, Some((arrival, meaning)));
    }

    /// Decides about something that the program or the runtime itself did.
    pub(crate) fn input(&mut self, runtime: &Arc<Runtime>, input: Input) {
        self.apply(runtime, input, None);
    }

    fn forces(&self, arrival: &Arrival) -> bool {
        let stop = self.stop.as_ref();
        stop.is_some_and(|stop| arrival.forces(stop.interactive, stop.budget.start()))
    }

    fn apply(&mut self, runtime: &Arc<Runtime>, input: Input, cause: Option<(&Arrival, Meaning)>) {
        let (next, effects) = transition(self.state, input);
        self.state = next;
        for effect in effects {
            match effect {
                // The caller of `start` sees the state and calls the body; the stop token, set by `BeginStop`, cancels it.
                Effect::CallBody | Effect::CancelStart => {}
                Effect::Deliver => {
                    if let Some((arrival, meaning)) = cause {
                        self.deliver(runtime, arrival, meaning);
                    }
                }
                Effect::TellRunning => self.host.running(),
                Effect::TellPaused => self.host.paused(),
                Effect::TellReloading => self.host.reloading(),
                Effect::BeginStop => self.begin_stop(runtime, cause.map(|(arrival, _)| arrival)),
                Effect::JoinStop => self.join_stop(runtime, cause.map(|(arrival, _)| arrival)),
                Effect::CutShort => {
                    if let Some(stop) = &mut self.stop {
                        stop.budget.tighten(runtime.now());
                    }
                }
                Effect::Finish => self.finishing = true,
            }
        }
        runtime.set_advancing(matches!(self.state, State::Starting | State::Stopping));
    }

    fn deliver(&mut self, runtime: &Arc<Runtime>, arrival: &Arrival, meaning: Meaning) {
        let asker = self.asker(arrival);
        let event = match meaning {
            Meaning::Pause => Event::Pause(Request { asker }),
            Meaning::Resume => Event::Resume(Request { asker }),
            Meaning::Reload => Event::Reload(Reload {
                asker,
                _done: Arc::new(ReloadDone(Arc::clone(runtime))),
            }),
            Meaning::User(code) => Event::User(UserEvent { asker, code }),
            Meaning::System(control) => Event::System(SystemEvent { control }),
            Meaning::Stop | Meaning::Interrogate => return,
        };
        self.publish(&event);
    }

    fn asker(&mut self, arrival: &Arrival) -> Arc<Asker> {
        let asker = Arc::new(Asker::new(arrival.origin.clone()));
        self.unnamed.push(Arc::clone(&asker));
        asker
    }

    /// Whose names are to be looked up, outside the lock.
    pub(crate) fn take_unnamed(&mut self) -> Vec<Arc<Asker>> {
        std::mem::take(&mut self.unnamed)
    }

    /// What is in the way of telling the host anything, and of which service; to be told outside the lock.
    pub(crate) fn take_trouble(&mut self) -> Option<(String, String)> {
        let what = self.host.take_trouble()?;
        Some((self.settings.name.clone(), what))
    }

    fn publish(&mut self, event: &Event) {
        if let Some(kept) = &mut self.kept {
            // Beyond this a program that does not listen has nothing to gain; a stop always counts.
            if kept.len() < CAPACITY || matches!(event, Event::Stop(_)) {
                kept.push(event.clone());
            }
        }
        self.subscribers.retain(|queue| match queue.upgrade() {
            Some(queue) => {
                queue.push(event.clone());
                true
            }
            None => false,
        });
    }

    fn begin_stop(&mut self, runtime: &Arc<Runtime>, arrival: Option<&Arrival>) {
        let now = runtime.now();
        let asker = match arrival {
            Some(arrival) => self.asker(arrival),
            None => Arc::new(Asker::new(Origin::of(Mechanism::Finished))),
        };
        let start = arrival.map_or(now, |arrival| arrival.at.min(now));
        let limit = self.limit_of(asker.mechanism());
        self.stop = Some(StopUnderWay {
            asker,
            also: Vec::new(),
            budget: Budget::new(start, limit),
            limit,
            interactive: arrival.is_some_and(|arrival| arrival.interactive),
        });
        if let Some(stop) = self.stop(runtime) {
            self.publish(&Event::Stop(stop));
        }
        runtime.set_stopping();
        self.lease = Lease::new(self.settings.lease);
        self.host.stopping(self.settings.lease.min(limit));
    }

    fn join_stop(&mut self, runtime: &Arc<Runtime>, arrival: Option<&Arrival>) {
        let Some(arrival) = arrival else { return };
        let deadline = runtime.now() + self.limit_of(&arrival.origin.mechanism);
        let asker = self.asker(arrival);
        if let Some(stop) = &mut self.stop {
            if stop.also.len() < MOST_ASKED {
                stop.also.push(asker);
            }
            stop.budget.tighten(deadline);
        }
    }

    /// How long a stop may take that was asked for in this way (WD-30).
    fn limit_of(&self, mechanism: &Mechanism) -> Duration {
        let hosts = self.host.limit(mechanism).map(host_share);
        hosts.map_or(self.settings.stop_within, |limit| {
            limit.min(self.settings.stop_within)
        })
    }

    /// Does what is due. Only the thread of the runtime calls this.
    pub(crate) fn tick(&mut self, runtime: &Arc<Runtime>) -> Next {
        let now = runtime.now();
        // Taken before anything is looked at: of what advances from here on this thread hears again.
        if runtime.take_progress() {
            self.lease.progress(now);
        }
        let mut next = Timestamp::NEVER;
        if self.state == State::Stopping {
            next = next.min(self.step(runtime, now));
        }
        if matches!(self.state, State::Starting | State::Stopping) {
            next = next.min(self.extend(now));
        }
        next = next.min(self.feed_watchdog(runtime, now));
        if self.finishing {
            return Next::Finished(self.finish(runtime, now));
        }
        Next::At(next)
    }

    /// Walks the phases; when to look again.
    fn step(&mut self, runtime: &Arc<Runtime>, now: Timestamp) -> Timestamp {
        let Some(budget) = self.stop.as_ref().map(|stop| stop.budget) else {
            return Timestamp::NEVER;
        };
        if now >= budget.deadline() {
            self.input(runtime, Input::Expired);
            return now;
        }
        loop {
            let in_flight = InFlight {
                guards: runtime.guards.held(),
                body: matches!(self.body, Body::Running),
            };
            match self.sequence.step(now, &budget, in_flight) {
                Step::Run { hook, deadline } => self.run_hook(runtime, hook, deadline, now),
                Step::Wait(until) => return until.min(budget.deadline()),
                Step::Finished => {
                    self.input(runtime, Input::Drained);
                    return now;
                }
            }
        }
    }

    fn run_hook(
        &mut self,
        runtime: &Arc<Runtime>,
        id: HookId,
        deadline: Timestamp,
        now: Timestamp,
    ) {
        let Some(hook) = self.hooks[id.0].take() else {
            return;
        };
        let Some(mut stop) = self.stop(runtime) else {
            return;
        };
        stop.deadline = deadline;
        if self.worker.as_ref().is_none_or(Worker::is_busy) {
            self.worker = Worker::start(runtime).ok();
        }
        match &mut self.worker {
            Some(worker) => worker.run(id, hook, stop),
            None => {
                let why = "no thread could be started for it".to_owned();
                self.sequence.finished(id, now, HookOutcome::Failed(why));
            }
        }
    }

    /// Notes that a hook returned.
    pub(crate) fn hook_finished(
        &mut self,
        id: HookId,
        now: Timestamp,
        outcome: HookOutcome,
        code: Option<u8>,
    ) {
        self.hook_failure = self.hook_failure.or(code);
        self.sequence.finished(id, now, outcome);
        if let Some(worker) = &mut self.worker {
            worker.finished(id);
        }
    }

    /// Passes progress on to the host; when to look again.
    fn extend(&mut self, now: Timestamp) -> Timestamp {
        let deadline = self.stop_deadline().unwrap_or(Timestamp::NEVER);
        if let Some(extension) = self.lease.tell(now, deadline) {
            match self.state {
                State::Starting => self.host.extend_start(extension),
                _ => self.host.extend_stop(extension),
            }
        }
        self.lease.due().unwrap_or(Timestamp::NEVER)
    }

    /// WD-58: feeds the host's watchdog at half its period, while the program is alive; when to look again.
    fn feed_watchdog(&mut self, runtime: &Arc<Runtime>, now: Timestamp) -> Timestamp {
        let Some(period) = self.host.watchdog() else {
            return Timestamp::NEVER;
        };
        let due = self.watchdog_due.unwrap_or(now);
        if now < due {
            return due;
        }
        if runtime.take_alive() {
            self.host.alive();
        }
        for queue in self.subscribers.iter().filter_map(Weak::upgrade) {
            queue.ask();
        }
        let due = now + period / 2;
        self.watchdog_due = Some(due);
        due
    }
}

/// Whether a body gave this error because a stop came before it was done starting, which is no failure of its own (WD-3).
fn tells_of_stop(error: &BoxError) -> bool {
    matches!(
        error.downcast_ref(),
        Some(Error::Stopping | Error::TooLate { .. })
    )
}

/// The text of a panic.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}
