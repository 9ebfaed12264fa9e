//! One run of a service's program: from its start until nothing of it is left.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use winddown_core::{
    Clock, Effect, Input, Mechanism, Origin, Rung, Signal, State, Timestamp, format_duration,
    transition,
};
use winddown_sys::process::{self, Child, EnvChange, Exit, Group, SpawnOptions, Stream};
use winddown_sys::terminal::Terminal;
use winddown_sys::tree::{Tree, TreeOptions};
use winddown_sys::{Monotonic, Waitable};

use super::health::HealthWatch;
use super::hook::{Event, Hook};
use super::ready::Readiness;
use super::request::StopRequest;
use super::saying::Sayings;
use super::sockets::Sockets;
use super::stopping::Stopping;
use crate::error::Error;
use crate::logs::{Capture, Captured, Subscription};
use crate::options::{ReadyWhen, ServiceOptions};
use crate::process::program_of;
use crate::timeline::Timeline;

/// How often emptiness is looked at once the leader has gone, where the system does not tell of it.
const LOOK_FOR_EMPTY: Duration = Duration::from_millis(10);

/// How long something that is no program may stay after the last one: the host of a Windows console, a process that is about to end.
const SETTLE: Duration = Duration::from_secs(1);

/// How long the last of the output may take at least where the time of the stop is over.
const LEAST_DRAIN: Duration = Duration::from_millis(90);

/// How many of those who ask again are named in a report.
const MOST_ASKED: usize = 100;

/// A program that runs, is becoming ready, or is being stopped.
pub(crate) struct Run {
    pub(super) options: Rc<ServiceOptions>,
    pub(super) timeline: Timeline,
    state: State,
    pub(super) ready: Readiness,
    pub(super) health: Option<HealthWatch>,
    pub(super) sayings: Sayings,
    ready_by: Option<String>,
    pub(super) tree: Tree,
    pub(super) child: Child,
    started: Timestamp,
    started_at: SystemTime,
    pub(super) exit: Option<Exit>,
    empty: bool,
    /// Boxed, as whatever only few services have, or none most of the time.
    pub(super) stop: Option<Box<Stopping>>,
    pub(super) capture: Option<Capture>,
    /// Its lines, while one of them is to tell that it is ready.
    lines: Option<Subscription>,
    is_draining: bool,
    terminal: Option<Terminal>,
    /// Why winddown stopped it by itself.
    pub(super) failure: Option<String>,
    pub(super) rehearsal: bool,
}

impl Run {
    pub(super) fn start(
        options: &Rc<ServiceOptions>,
        sockets: &Sockets,
        captured: Option<&Captured>,
        timeline: &Timeline,
        rehearsal: bool,
    ) -> Result<Self, Error> {
        let started_at = SystemTime::now();
        let ready = Readiness::new(options, started_at, Monotonic.now())?;
        let tree = Tree::new(TreeOptions {
            name: options.name.clone(),
            outlive: options.outlive.clone(),
        })?;
        let mut spawn = spawn_options(options, &ready)?;
        sockets.pass(&mut spawn)?;
        let capture = match captured {
            Some(captured) => {
                let (streams, capture) = captured.begin()?;
                spawn.stdout = streams.stdout;
                spawn.stderr = streams.stderr;
                Some(capture)
            }
            None => None,
        };
        let lines = match (&options.ready, &capture) {
            (ReadyWhen::Line(_), Some(capture)) => Some(capture.subscribe()?),
            _ => None,
        };
        let terminal = match options.interactive {
            true => Terminal::of_this_process(),
            false => None,
        };
        if options.interactive {
            spawn.group = Group::Own;
        }
        let child = tree.spawn(&spawn)?;
        if let Some(terminal) = &terminal {
            terminal.give_to(&child)?;
        }
        // The program has its streams; its output ends when it has.
        drop(spawn);
        let started = Monotonic.now();
        timeline.add(started, format!("started as pid {}", child.pid()));
        Ok(Self {
            options: Rc::clone(options),
            timeline: timeline.clone(),
            state: State::Starting,
            ready,
            health: None,
            sayings: Sayings::default(),
            ready_by: None,
            tree,
            child,
            started,
            started_at,
            exit: None,
            empty: false,
            stop: None,
            capture,
            lines,
            is_draining: false,
            terminal,
            failure: None,
            rehearsal,
        })
    }

    pub(super) const fn state(&self) -> State {
        self.state
    }

    pub(super) fn stop_deadline(&self) -> Option<Timestamp> {
        self.stop.as_ref().map(|stop| stop.deadline())
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// By what it is known to be ready.
    pub(super) fn ready_by(&self) -> Option<&str> {
        self.ready_by.as_deref()
    }

    pub(super) const fn started(&self) -> Timestamp {
        self.started
    }

    /// What it waits for.
    pub(super) fn sources<'a>(&'a self, sources: &mut Vec<&'a dyn Waitable>) {
        if self.exit.is_none() {
            sources.push(&self.child);
        }
        sources.extend(self.ready.sources());
        if let Some(health) = &self.health {
            sources.extend(health.sources());
        }
        if let Some(lines) = &self.lines {
            sources.push(lines);
        }
        if let Some(stop) = &self.stop {
            sources.extend(stop.sources());
        }
    }

    /// Goes as far as it can; when to call again at the latest.
    pub(super) fn advance(&mut self, now: Timestamp) -> Result<Timestamp, Error> {
        self.look_at_child(now)?;
        self.hear(now);
        let next = self
            .look_at_ready(now)
            .min(self.look_at_health(now))
            .min(self.climb(now));
        self.drain(now);
        Ok(match (self.exit, self.empty) {
            (Some(_), false) => next.min(now + LOOK_FOR_EMPTY),
            _ => next,
        })
    }

    /// From now on these are its options, as far as they matter to a program that runs.
    pub(super) fn amend(&mut self, options: &Rc<ServiceOptions>) {
        if self.health.is_some() && options.health != self.options.health {
            self.watch_health(options, Monotonic.now());
        }
        self.options = Rc::clone(options);
    }

    /// Passes a signal on to the program.
    pub(super) fn forward(&self, signal: Signal) {
        if self.exit.is_none() && !self.signal_main(signal) {
            // The program may end at this very moment; then there is nobody to tell.
            let _ = self.child.signal(signal);
        }
    }

    pub(super) fn request_stop(&mut self, request: &StopRequest, now: Timestamp) {
        let input = match request.force {
            true => Input::Force,
            false => Input::Stop,
        };
        self.apply(input, Some(request), now);
    }

    /// Stops it, since it has failed though it runs. A stop that is under way already is no failure.
    pub(super) fn fail(&mut self, why: &str, now: Timestamp) {
        if self.stop.is_some() {
            return;
        }
        self.failure.get_or_insert_with(|| why.to_owned());
        self.request_stop(&StopRequest::own(now, why), now);
    }

    /// Whether nothing of it is left, and nothing remains to be done.
    pub(super) fn is_over(&self) -> bool {
        let hook = self.stop.as_ref().is_some_and(|stop| stop.hook.is_some());
        let drained = self.capture.as_ref().is_none_or(Capture::is_drained);
        self.state == State::Stopped && !hook && drained
    }

    /// Whether it is known that nothing of it is left.
    pub(super) const fn is_empty(&self) -> bool {
        self.empty
    }

    /// Whether the last of its output is being written.
    pub(super) const fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// Has the last of its output written once nothing of it is left.
    fn drain(&mut self, now: Timestamp) {
        let (State::Stopped, false) = (self.state, self.is_draining) else {
            return;
        };
        if let (Some(capture), Some(stop)) = (&mut self.capture, &self.stop) {
            self.is_draining = true;
            let left = (stop.deadline() + stop.reserve).since(now);
            capture.drain(left.max(LEAST_DRAIN));
        }
    }

    fn look_at_child(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.exit.is_none() {
            if let Some(terminal) = &self.terminal {
                terminal.follow(&self.child)?;
            }
            if let Some(exit) = self.child.try_wait()? {
                // Its last words, while its number is known to be its own.
                self.hear(now);
                self.terminal = None;
                self.exit = Some(exit);
                self.timeline.add(now, format!("the program ended: {exit}"));
                self.apply(Input::Returned, None, now);
            }
        }
        if self.exit.is_some() && !self.empty {
            self.empty = self.tree.is_empty()?;
            if let Some(stop) = &mut self.stop {
                if self.empty {
                    self.apply(Input::Drained, None, now);
                } else {
                    let before = stop.rungs.len();
                    stop.ask_the_rest(now, &self.tree);
                    self.timeline
                        .add_rungs(now, &stop.rungs[before..], stop.deadline());
                }
            }
        }
        Ok(())
    }

    fn look_at_ready(&mut self, now: Timestamp) -> Timestamp {
        if self.state != State::Starting {
            self.lines = None;
            return Timestamp::NEVER;
        }
        if let Some(lines) = &self.lines {
            for line in lines.take().lines {
                self.ready.hear(&line.text);
            }
        }
        if let Some(why) = self.ready.check(now, &self.tree) {
            self.timeline.add(now, format!("ready: {why}"));
            self.ready_by = Some(why);
            self.apply(Input::Ready, None, now);
            self.watch_health(&Rc::clone(&self.options), now);
            return now;
        }
        if let Some(what) = self.ready.tell_work(now) {
            self.timeline.add(now, what);
        }
        let patience = self.ready_deadline();
        if now >= patience {
            let limit = format_duration(patience.since(self.started));
            let awaited = self.ready.awaited();
            let awaited = awaited.map_or(String::new(), |awaited| format!(": {awaited}"));
            self.timeline
                .notice(now, format!("not ready within {limit}{awaited}"));
            self.fail(
                &format!("it had not become ready within {limit}{awaited}"),
                now,
            );
            return now;
        }
        self.ready.due().min(patience)
    }

    fn watch_health(&mut self, options: &ServiceOptions, now: Timestamp) {
        match HealthWatch::new(options, self.started, self.started_at, now) {
            Ok(health) => self.health = Some(health),
            Err(error) => self.fail(&format!("its health cannot be checked: {error}"), now),
        }
    }

    fn look_at_health(&mut self, now: Timestamp) -> Timestamp {
        let Some(health) = self
            .health
            .as_mut()
            .filter(|_| self.state == State::Running)
        else {
            return Timestamp::NEVER;
        };
        match health.advance(now, &self.timeline) {
            Some(why) => {
                self.timeline.add(now, why.clone());
                self.fail(&why, now);
                now
            }
            None => health.due(),
        }
    }

    fn apply(&mut self, input: Input, request: Option<&StopRequest>, now: Timestamp) {
        let (next, effects) = transition(self.state, input);
        self.state = next;
        for effect in effects {
            match effect {
                Effect::BeginStop => self.begin_stop(request, now),
                Effect::JoinStop => self.join_stop(request, now),
                Effect::CutShort => {
                    if let Some(stop) = &mut self.stop {
                        stop.tighten(now);
                    }
                }
                // The rest is about a program that uses the library itself.
                _ => {}
            }
        }
    }

    fn begin_stop(&mut self, request: Option<&StopRequest>, now: Timestamp) {
        let origin = request.map_or_else(
            || Origin::of(Mechanism::Finished),
            |request| request.arrival.origin.clone(),
        );
        let mut policy = self.options.policy.clone();
        match (request.and_then(|it| it.ask_by), &origin.mechanism) {
            (Some(asked), _) => policy.pass_on(asked),
            (None, Mechanism::Signal(asked)) if !self.options.signal_chosen => {
                policy.pass_on(*asked);
            }
            _ => {}
        }
        let signal = policy.signal();
        let asked_by: Vec<Signal> = policy
            .ladder
            .iter()
            .filter_map(|(rung, _)| match rung {
                Rung::Signal(signal) | Rung::SignalTree(signal) => Some(*signal),
                _ => None,
            })
            .collect();
        let reserve = Event::PostStop.time(&self.options).min(policy.timeout / 4);
        policy.timeout -= reserve;
        let mut stop = Stopping::new(&policy, origin, now, signal, reserve);
        stop.main = self.sayings.main;
        if let Some(until) = request.and_then(|request| request.until) {
            stop.tighten(until);
        }
        if self.exit.is_none() {
            if self.options.hooks.pre_stop.is_some() {
                stop.tell(&self.timeline, now);
                let mut facts = vec![("WINDDOWN_PID".to_owned(), self.child.pid().to_string())];
                facts.push(("WINDDOWN_ASKED_BY".to_owned(), stop.origin.to_string()));
                let limit = now + stop.deadline().since(now) / 2;
                stop.hook = Hook::start(Event::PreStop, &self.options, facts, limit, now);
            }
            stop.glance = process::glance(self.child.pid(), &asked_by);
        } else {
            stop.told = true;
        }
        self.stop = Some(Box::new(stop));
        self.health = None;
    }

    fn join_stop(&mut self, request: Option<&StopRequest>, now: Timestamp) {
        let (Some(stop), Some(request)) = (&mut self.stop, request) else {
            return;
        };
        if let Some(until) = request.until {
            stop.tighten(until);
        }
        if stop.also.len() < MOST_ASKED {
            let origin = request.arrival.origin.clone();
            self.timeline.add(now, format!("asked again by {origin}"));
            stop.also.push(origin);
        }
    }

    fn climb(&mut self, now: Timestamp) -> Timestamp {
        let Some(stop) = &mut self.stop else {
            return Timestamp::NEVER;
        };
        if let Some(due) = stop.wait_for_hook(&self.timeline, now) {
            return due;
        }
        if self.empty {
            return Timestamp::NEVER;
        }
        let settled = stop.begun + SETTLE;
        let may_settle = self.exit.is_some() && stop.rungs.is_empty() && now < settled;
        if may_settle && self.tree.members().is_ok_and(|members| members.is_empty()) {
            return settled;
        }
        let before = stop.rungs.len();
        let next = stop.climb(
            now,
            &self.options,
            &mut self.child,
            self.exit.is_none(),
            &self.tree,
        );
        // It has been asked, and does not wait for this.
        stop.tell(&self.timeline, now);
        self.timeline
            .add_rungs(now, &stop.rungs[before..], stop.deadline());
        stop.facts();
        if next == Timestamp::NEVER && self.exit.is_some() {
            // The last rung was the kill, which has gone on for as long as it may.
            self.apply(Input::Expired, None, now);
            return now;
        }
        next
    }
}

fn spawn_options(options: &ServiceOptions, ready: &Readiness) -> Result<SpawnOptions, Error> {
    let mut spawn = program_of(options)?;
    if let Some(server) = &ready.server {
        spawn.env.push((
            "NOTIFY_SOCKET".into(),
            EnvChange::Set(server.address().into()),
        ));
    }
    let health = options.health.as_ref();
    if let Some(every) = health.and_then(|health| health.watchdog) {
        let micros = every.as_micros().to_string();
        let usec = ("WATCHDOG_USEC".into(), EnvChange::Set(micros.into()));
        let pid = ("WATCHDOG_PID".into(), EnvChange::OwnPid);
        spawn.env.extend([usec, pid]);
    }
    // Closing it is a way to ask.
    let rungs = &options.policy.ladder;
    if rungs.iter().any(|(rung, _)| *rung == Rung::CloseStdin) {
        spawn.stdin = Stream::Pipe;
    }
    if options.output_to_stderr {
        spawn.stdout = Stream::standard_error()?;
    }
    Ok(spawn)
}
