//! The loop: one thread that waits for requests, for the program and for the time, all at once.

use std::time::Duration;

use winddown::host::Host;
use winddown_core::report::{ExitRecord, Proof, StopReport, Verdict, rounded};
use winddown_core::{
    Arrival, Clock, Effect, Input, Mechanism, Origin, Rung, Signal, State, Timestamp, exit,
    format_duration, transition,
};
use winddown_sys::notify::MANAGER_VARIABLES;
use winddown_sys::process::{self, Child, EnvChange, Exit, SpawnOptions, Stream};
use winddown_sys::tree::{self, Tree};
use winddown_sys::{Monotonic, Waitable, memory, signal, wait_any};

use crate::error::Error;
use crate::judge::{Evidence, judge};
use crate::options::{RunOptions, StopWhen};
use crate::ready::Readiness;
use crate::requests::{Request, Requests};
use crate::stopping::Stopping;
use crate::timeline::{Moment, Observer, Timeline};

/// The least time between two key presses for the second to force (WD-14).
const FORCE_GAP: Duration = Duration::from_millis(500);
/// How often emptiness is looked at once the leader has gone, where the system does not tell of it.
const LOOK_FOR_EMPTY: Duration = Duration::from_millis(10);

/// What became of a program.
#[derive(Debug)]
pub struct Outcome {
    /// The report of its stop.
    pub report: StopReport,
    /// What happened when.
    pub moments: Vec<Moment>,
    /// How the program ended.
    pub exit: Exit,
}

impl Outcome {
    /// The code that winddown exits with: the program's own, 128 + n for a signal, 124 where it was forced (WD-72), 1 where it
    /// failed and exited with 0 all the same.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match (self.report.verdict, self.exit) {
            (Verdict::Forced, _) => i32::from(exit::FORCED.code),
            (Verdict::Failed, Exit::Code(0)) => i32::from(exit::FAILED.code),
            (_, Exit::Code(code)) => code,
            (_, Exit::Signal { number, .. }) => 128 + number,
        }
    }

    /// The signal that the program died of and that winddown should die of too, so that whoever started it sees the same.
    #[must_use]
    pub fn died_of(&self) -> Option<Signal> {
        match (self.report.verdict, self.exit) {
            (Verdict::Forced, _) => None,
            (_, Exit::Signal { signal, .. }) => signal,
            _ => None,
        }
    }
}

/// Supervises one program, from its start until nothing of it is left.
pub(crate) struct Supervisor {
    options: RunOptions,
    host: Box<dyn Host>,
    timeline: Timeline,
    state: State,
    ready: Readiness,
    tree: Tree,
    child: Child,
    started: Timestamp,
    exit: Option<Exit>,
    empty: bool,
    stop: Option<Stopping>,
    rehearsed: bool,
    never_ready: bool,
}

impl Supervisor {
    /// Runs a program until nothing of it is left, and tells `host` and `observer` about it.
    ///
    /// # Errors
    /// [`Error::System`] when the program cannot be started, or when the system refuses what supervision needs.
    pub(crate) fn run(
        options: RunOptions,
        host: Box<dyn Host>,
        requests: &Requests,
        observer: Box<dyn Observer>,
    ) -> Result<Outcome, Error> {
        let ready = Readiness::new(options.ready)?;
        let tree = Tree::new()?;
        let child = tree.spawn(&spawn_options(&options, &ready)?)?;
        let started = Monotonic.now();
        let mut timeline = Timeline::default();
        timeline.begin(started);
        timeline.observe(observer);
        timeline.add(started, format!("started as pid {}", child.pid()));
        let mut supervisor = Self {
            options,
            host,
            timeline,
            state: State::Starting,
            ready,
            tree,
            child,
            started,
            exit: None,
            empty: false,
            stop: None,
            rehearsed: false,
            never_ready: false,
        };
        supervisor.supervise(requests)?;
        Ok(supervisor.conclude())
    }

    fn supervise(&mut self, requests: &Requests) -> Result<(), Error> {
        loop {
            let now = Monotonic.now();
            for request in requests.take() {
                self.take(request, now);
            }
            self.look_at_child(now)?;
            self.ready.receive();
            let next = self
                .look_at_ready(now)
                .min(self.rehearse(now))
                .min(self.climb(now));
            if self.state == State::Stopped {
                return Ok(());
            }
            self.wait(requests, next);
        }
    }

    fn wait(&self, requests: &Requests, until: Timestamp) {
        let mut sources: Vec<&dyn Waitable> = requests.waitables().collect();
        if self.exit.is_none() {
            sources.push(&self.child);
        }
        if let Some(server) = &self.ready.server {
            sources.push(server);
        }
        let until = match (self.exit, self.empty) {
            (Some(_), false) => until.min(Monotonic.now() + LOOK_FOR_EMPTY),
            _ => until,
        };
        let _ = wait_any(&sources, Monotonic.sleep_until(until));
    }

    fn take(&mut self, request: Request, now: Timestamp) {
        match request {
            Request::Stop(arrival) => {
                let input = if self.forces(&arrival) {
                    Input::Force
                } else {
                    Input::Stop
                };
                self.apply(input, Some(arrival), now);
            }
            Request::Reap => {
                self.tree.reap();
            }
            Request::Forward(signal) => {
                if self.exit.is_none() {
                    // The program may end at this very moment; then there is nobody to tell.
                    let _ = self.child.signal(signal);
                }
            }
        }
    }

    /// WD-14: a second key press, not right after the first.
    fn forces(&self, arrival: &Arrival) -> bool {
        self.stop.as_ref().is_some_and(|stop| {
            stop.interactive && arrival.interactive && arrival.at.since(stop.begun) >= FORCE_GAP
        })
    }

    fn look_at_child(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.exit.is_none() {
            if let Some(exit) = self.child.try_wait()? {
                self.exit = Some(exit);
                self.timeline.add(now, format!("the program ended: {exit}"));
                self.apply(Input::Returned, None, now);
            }
        }
        if self.exit.is_some() && !self.empty {
            let (proof, survivors) = proof_of(self.tree.proof());
            self.empty = !matches!(proof, Proof::Unproven(_));
            if let Some(stop) = &mut self.stop {
                stop.proof = Some((proof, survivors));
                if self.empty {
                    self.apply(Input::Drained, None, now);
                } else {
                    let before = stop.rungs.len();
                    stop.ask_the_rest(now, &self.tree);
                    self.timeline.add_rungs(now, &stop.rungs[before..]);
                }
            }
        }
        Ok(())
    }

    fn look_at_ready(&mut self, now: Timestamp) -> Timestamp {
        if self.state != State::Starting {
            return Timestamp::NEVER;
        }
        if let Some(why) = self.ready.check(now, &self.tree) {
            self.timeline.add(now, format!("ready: {why}"));
            self.apply(Input::Ready, None, now);
            return now;
        }
        let patience = self.started + self.options.ready_timeout;
        if now >= patience {
            let limit = format_duration(self.options.ready_timeout);
            self.timeline.add(now, format!("not ready within {limit}"));
            self.never_ready = true;
            self.request(now, "it did not become ready");
            return now;
        }
        self.ready.due().min(patience)
    }

    /// Asks for the stop of a rehearsal when it is time.
    fn rehearse(&mut self, now: Timestamp) -> Timestamp {
        let Some(when) = self.options.stop_when.filter(|_| !self.rehearsed) else {
            return Timestamp::NEVER;
        };
        let due = match when {
            StopWhen::Started => self.started,
            StopWhen::Ready if self.state == State::Running => now,
            StopWhen::Ready => Timestamp::NEVER,
            StopWhen::After(delay) => self.started + delay,
        };
        if now < due {
            return due;
        }
        self.rehearsed = true;
        self.request(now, "rehearsal");
        now
    }

    fn request(&mut self, now: Timestamp, name: &str) {
        let origin = Origin {
            name: Some(name.to_owned()),
            ..Origin::of(Mechanism::Own)
        };
        let arrival = Arrival {
            origin,
            at: now,
            interactive: false,
        };
        self.apply(Input::Stop, Some(arrival), now);
    }

    fn apply(&mut self, input: Input, arrival: Option<Arrival>, now: Timestamp) {
        let (next, effects) = transition(self.state, input);
        self.state = next;
        for effect in effects {
            match effect {
                Effect::TellRunning => {
                    self.host.running();
                    // From here on it mostly waits.
                    memory::give_back_code();
                }
                Effect::BeginStop => self.begin_stop(arrival.clone(), now),
                Effect::JoinStop => self.join_stop(arrival.as_ref(), now),
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

    fn begin_stop(&mut self, arrival: Option<Arrival>, now: Timestamp) {
        let interactive = arrival.as_ref().is_some_and(|arrival| arrival.interactive);
        let origin =
            arrival.map_or_else(|| Origin::of(Mechanism::Finished), |arrival| arrival.origin);
        let mut policy = self.options.policy.clone();
        if let (false, Mechanism::Signal(asked)) = (self.options.signal_chosen, &origin.mechanism) {
            policy.pass_on(*asked);
        }
        let mut stop = Stopping::new(&policy, origin, now, policy.signal(), interactive);
        if let Some(limit) = self.host.limit(&stop.origin.mechanism) {
            stop.tighten(now + (limit - limit / 20));
        }
        if self.exit.is_none() {
            stop.facts = process::facts(self.child.pid());
            self.timeline
                .add(now, format!("asked to stop by {}", stop.origin));
        }
        self.host.stopping(stop.deadline().since(now));
        self.stop = Some(stop);
    }

    fn join_stop(&mut self, arrival: Option<&Arrival>, now: Timestamp) {
        let (Some(stop), Some(arrival)) = (&mut self.stop, arrival) else {
            return;
        };
        self.timeline
            .add(now, format!("asked again by {}", arrival.origin));
        if let Some(limit) = self.host.limit(&arrival.origin.mechanism) {
            stop.tighten(now + (limit - limit / 20));
        }
        stop.also.push(arrival.origin.clone());
    }

    fn climb(&mut self, now: Timestamp) -> Timestamp {
        let Some(stop) = &mut self.stop else {
            return Timestamp::NEVER;
        };
        if self.empty {
            return Timestamp::NEVER;
        }
        let before = stop.rungs.len();
        let next = stop.climb(now, &mut self.child, self.exit.is_none(), &self.tree);
        self.timeline.add_rungs(now, &stop.rungs[before..]);
        if next == Timestamp::NEVER && self.exit.is_some() {
            // The last rung was the kill, and it waited for the end as long as it may.
            self.apply(Input::Expired, None, now);
            return now;
        }
        next
    }

    fn conclude(mut self) -> Outcome {
        let now = Monotonic.now();
        let mut stop = self.stop.take().expect("only a stop ends the loop");
        let exit = self
            .exit
            .unwrap_or(Exit::Code(i32::from(exit::FORCED.code)));
        let asked = stop.origin.mechanism != Mechanism::Finished;
        let (verdict, note) = if asked {
            judge(&Evidence {
                exit,
                signal: stop.signal,
                number: signal::number(stop.signal),
                facts: stop.facts.as_ref(),
                said_stopping: self.ready.said_stopping,
                killed: stop.has_killed(),
            })
        } else {
            ended_by_itself(exit, stop.has_killed(), self.options.stop_when.is_some())
        };
        let mut notes: Vec<String> = note.into_iter().collect();
        if !asked && stop.has_asked_the_rest() {
            notes.push(
                "it left processes behind, which were asked to stop too: keep it in the foreground"
                    .to_owned(),
            );
        }
        let verdict = match verdict {
            Verdict::Graceful if self.never_ready => {
                let limit = format_duration(self.options.ready_timeout);
                notes.push(format!("it had not become ready within {limit}"));
                Verdict::Failed
            }
            verdict => verdict,
        };
        let (proof, survivors) = stop
            .proof
            .take()
            .unwrap_or_else(|| proof_of(self.tree.proof()));
        let what = match survivors {
            0 => format!("nothing is left: {proof}"),
            left => format!("{left} left: {proof}"),
        };
        self.timeline.add(now, what);
        let report = StopReport {
            service: self.options.name.clone(),
            pid: self.child.pid(),
            verdict,
            asked_by: (&stop.origin).into(),
            also_asked: stop.also.iter().map(Into::into).collect(),
            at: stop.at,
            deadline: rounded(stop.deadline().since(stop.begun)),
            seconds: rounded(now.since(stop.begun)),
            phases: Vec::new(),
            ladder: stop.rungs,
            stragglers: stop.stragglers,
            survivors,
            proof,
            exit: Some(match exit {
                Exit::Code(code) => ExitRecord::Code(code),
                Exit::Signal {
                    signal: Some(signal),
                    ..
                } => ExitRecord::Signal(signal.to_string()),
                Exit::Signal { number, .. } => ExitRecord::Signal(number.to_string()),
            }),
            evidence: stop.evidence,
            notes,
        };
        self.timeline.report(&report);
        let outcome = Outcome {
            report,
            moments: self.timeline.into_moments(),
            exit,
        };
        self.host.stopped(match outcome.report.verdict {
            Verdict::Graceful | Verdict::Unhandled if asked => winddown::Exit::Clean,
            Verdict::Forced => winddown::Exit::Forced,
            _ => match u8::try_from(outcome.exit_code()) {
                Ok(0) => winddown::Exit::Clean,
                Ok(code) => winddown::Exit::Failed(code),
                Err(_) => winddown::Exit::Failed(exit::FAILED.code),
            },
        });
        outcome
    }
}

/// The verdict on a program that nobody asked to stop: in a rehearsal, that it did not wait for it is a failure.
fn ended_by_itself(exit: Exit, killed: bool, rehearsal: bool) -> (Verdict, Option<String>) {
    let note = match rehearsal {
        true => format!("it ended before it was asked to stop: {exit}"),
        false => format!("it ended by itself: {exit}"),
    };
    let verdict = match exit {
        _ if killed => Verdict::Forced,
        Exit::Code(0) if !rehearsal => Verdict::Graceful,
        _ => Verdict::Failed,
    };
    (verdict, Some(note))
}

fn spawn_options(options: &RunOptions, ready: &Readiness) -> Result<SpawnOptions, Error> {
    let mut command = options.command.iter().cloned();
    let program = command.next().unwrap_or_default();
    let mut spawn = SpawnOptions::new(program, command);
    spawn.env = MANAGER_VARIABLES
        .iter()
        .map(|name| (name.into(), EnvChange::Remove))
        .collect();
    let set = |(name, value): &(String, String)| (name.into(), EnvChange::Set(value.into()));
    spawn.env.extend(options.environment.iter().map(set));
    spawn.directory.clone_from(&options.directory);
    if let Some(server) = &ready.server {
        spawn.env.push((
            "NOTIFY_SOCKET".into(),
            EnvChange::Set(server.address().into()),
        ));
    }
    // Closing it is a way to ask; a program that is not asked so keeps winddown's own.
    if options
        .policy
        .ladder
        .iter()
        .any(|(rung, _)| *rung == Rung::CloseStdin)
    {
        spawn.stdin = Stream::Pipe;
    }
    if options.output_to_stderr {
        spawn.stdout = Stream::standard_error()?;
    }
    Ok(spawn)
}

/// The proof as reports write it, with the number of survivors.
pub(crate) fn proof_of(proof: tree::Proof) -> (Proof, u32) {
    let survivors = u32::try_from(proof.survivors()).unwrap_or(u32::MAX);
    let proof = match proof {
        tree::Proof::CgroupEmpty => Proof::CgroupEmpty,
        tree::Proof::NoChildren => Proof::NoChildren,
        tree::Proof::JobEmpty => Proof::JobEmpty,
        other => Proof::Unproven(other.to_string()),
    };
    (proof, survivors)
}
