//! A stop under way: climbs the ladder on a real tree, and writes down what it does.

use std::time::Duration;

use jiff::Timestamp as WallTime;
use winddown_core::report::{RungRecord, Straggler, rounded};
use winddown_core::{Climb, Clock, Ladder, Origin, Rung, Signal, StopPolicy, Timestamp};
use winddown_sys::process::{Child, Facts, Glance};
use winddown_sys::tree::Tree;
use winddown_sys::{Monotonic, Waitable, event};

use super::asking::Asking;
use super::evidence;
use super::hook::Hook;
use super::status::countdown;
use crate::error::Error;
use crate::options::ServiceOptions;
use crate::timeline::Timeline;

/// How long a kill waits for the kernel to take the processes away.
const KILL_CONFIRM: Duration = Duration::from_secs(2);
/// How long it waits at least before it kills what the tree started meanwhile.
const KILL_AGAIN: Duration = Duration::from_millis(5);

/// A stop under way.
pub(crate) struct Stopping {
    pub(crate) origin: Origin,
    pub(crate) also: Vec<Origin>,
    pub(crate) begun: Timestamp,
    pub(crate) at: WallTime,
    /// The signal that asks the program.
    pub(crate) signal: Signal,
    /// The process that it named as its main one.
    pub(super) main: Option<u32>,
    /// What was seen of the program before it was asked.
    pub(crate) glance: Option<Glance>,
    /// The same, once it was asked.
    facts: Option<Facts>,
    pub(crate) rungs: Vec<RungRecord>,
    pub(crate) stragglers: Vec<Straggler>,
    pub(crate) evidence: Vec<String>,
    /// What must be done before the program is asked.
    pub(super) hook: Option<Box<Hook>>,
    /// The part of the time that is kept for what comes after the end.
    pub(super) reserve: Duration,
    /// A request that is under way.
    asking: Option<Asking>,
    ladder: Ladder,
    /// Until when the kill goes on, once it has begun.
    killing_until: Option<Timestamp>,
    kill_again: Timestamp,
    rest_asked: bool,
    /// Whether the timeline has who asked, or need not have it.
    pub(super) told: bool,
}

impl Stopping {
    pub(crate) fn new(
        policy: &StopPolicy,
        origin: Origin,
        begun: Timestamp,
        signal: Signal,
        reserve: Duration,
    ) -> Self {
        Self {
            origin,
            also: Vec::new(),
            begun,
            at: WallTime::now(),
            signal,
            main: None,
            glance: None,
            facts: None,
            rungs: Vec::new(),
            stragglers: Vec::new(),
            evidence: Vec::new(),
            hook: None,
            reserve,
            asking: None,
            ladder: Ladder::new(policy, begun),
            killing_until: None,
            kill_again: Timestamp::NEVER,
            rest_asked: false,
            told: false,
        }
    }

    pub(crate) const fn deadline(&self) -> Timestamp {
        self.ladder.deadline()
    }

    /// Waits longer before the next rung (WD-43).
    pub(super) fn extend(&mut self, until: Timestamp) {
        self.ladder.extend(until);
    }

    pub(crate) fn tighten(&mut self, deadline: Timestamp) {
        let begun = self.begun;
        self.reserve = self.reserve.min(deadline.since(begun) / 4);
        self.ladder.tighten(deadline - self.reserve);
        if let Some(hook) = &mut self.hook {
            hook.tighten(begun + self.ladder.deadline().since(begun) / 2);
        }
    }

    /// What it waits for.
    pub(super) fn sources(&self) -> Vec<&dyn Waitable> {
        let hook = self.hook.iter().flat_map(|hook| hook.sources());
        hook.chain(self.asking.iter().flat_map(Asking::sources))
            .collect()
    }

    /// While the hook before the ladder runs: when to look again.
    pub(super) fn wait_for_hook(
        &mut self,
        timeline: &Timeline,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let hook = self.hook.as_mut()?;
        let Some(end) = hook.advance(now) else {
            return Some(hook.due());
        };
        self.hook = None;
        end.tell(timeline, now);
        self.rungs.push(end.record(self.begun, now));
        None
    }

    /// What it waits for, for a person who looks on.
    pub(super) fn waits(&self, now: Timestamp) -> String {
        let doing = match (&self.hook, self.rungs.last()) {
            (Some(_), _) => "pre-stop hook",
            (None, Some(last)) => &last.rung,
            (None, None) => "stop",
        };
        let end = countdown(self.deadline(), now);
        match self.ladder.next_rung() {
            None => doing.to_owned(),
            Some(_) if self.hook.is_some() => format!("{doing}, {end} until {}", Rung::KillTree),
            Some(rung) if self.ladder.next_at() < self.deadline() => {
                let next = countdown(self.ladder.next_at(), now);
                format!("{doing}, {rung} in {next}, {end} until {}", Rung::KillTree)
            }
            Some(_) => format!("{doing}, {end} until {}", Rung::KillTree),
        }
    }

    /// Tells who asked, once. Where nothing needs it earlier this comes after the program was asked, which does not wait for it.
    pub(super) fn tell(&mut self, timeline: &Timeline, now: Timestamp) {
        if !self.told {
            self.told = true;
            timeline.add(now, format!("asked to stop by {}", self.origin));
        }
    }

    /// What was known of the program before it was asked. What can be looked at later is looked at now.
    pub(crate) fn facts(&mut self) -> Option<&Facts> {
        if let Some(glance) = self.glance.take() {
            self.facts = Some(glance.into_facts());
        }
        self.facts.as_ref()
    }

    /// Whether something had to be killed.
    pub(crate) fn has_killed(&self) -> bool {
        !self.stragglers.is_empty()
    }

    /// Whether the program ended before others of its tree did.
    pub(crate) const fn has_asked_the_rest(&self) -> bool {
        self.rest_asked
    }

    /// Climbs as far as `now` allows; when to climb on.
    pub(crate) fn climb(
        &mut self,
        now: Timestamp,
        options: &ServiceOptions,
        child: &mut Child,
        alive: bool,
        tree: &Tree,
    ) -> Timestamp {
        self.look_at_answer(now);
        loop {
            match self.ladder.climb(now) {
                Climb::Wait(until) => {
                    let answer = self.asking.as_ref().map_or(Timestamp::NEVER, Asking::due);
                    return until.min(answer);
                }
                Climb::Exhausted => return self.go_on_killing(now, tree),
                Climb::Do(rung) => {
                    // Whoever has not answered by now is not waited for.
                    if let Some(asking) = self.asking.take() {
                        let rung = format!("answer to {}", asking.rung());
                        self.record(now, rung, "none within its wait".to_owned());
                    }
                    let done = self.step(now, &rung, options, child, alive, tree);
                    let (outcome, ok) = match done {
                        Ok(outcome) => (outcome, true),
                        Err(error) => (format!("could not be done: {error}"), false),
                    };
                    self.record(now, rung.to_string(), outcome);
                    if !ok {
                        self.ladder.skip_wait(now);
                    }
                }
            }
        }
    }

    /// The leader has gone and others have not (WD-91): asks them too, once. Before the first rung it is the ladder that
    /// asks them.
    pub(crate) fn ask_the_rest(&mut self, now: Timestamp, tree: &Tree) {
        if self.rungs.is_empty() || self.rest_asked || self.has_killed() {
            return;
        }
        // What is about to end, and the host of a Windows console, cannot be asked.
        if tree.members().is_ok_and(|members| members.is_empty()) {
            return;
        }
        self.rest_asked = true;
        let outcome = match tree.signal(self.signal) {
            Ok(()) => "sent".to_owned(),
            Err(error) => format!("could not be sent: {error}"),
        };
        let _ = tree.signal(Signal::Cont);
        self.record(
            now,
            format!("signal {} to the rest of the tree", self.signal),
            outcome,
        );
    }

    pub(crate) fn record(&mut self, now: Timestamp, rung: String, outcome: String) {
        let at = rounded(now.since(self.begun));
        self.rungs.push(RungRecord { rung, at, outcome });
    }

    /// Kills what has appeared since the last round; when to do so again.
    fn go_on_killing(&mut self, now: Timestamp, tree: &Tree) -> Timestamp {
        match self.killing_until {
            Some(until) if now < until => {
                if self.kill_again <= now {
                    // The proof tells what the system refused to kill.
                    let _ = self.kill(|| tree.kill());
                }
                until.min(self.kill_again)
            }
            _ => Timestamp::NEVER,
        }
    }

    /// Does `kill`. Those killed have as long to go as that took, since of large trees every look takes its time.
    fn kill<T>(&mut self, kill: impl FnOnce() -> T) -> T {
        let begun = Monotonic.now();
        let killed = kill();
        let done = Monotonic.now();
        self.kill_again = done + done.since(begun).max(KILL_AGAIN);
        killed
    }

    /// Goes on to the next rung where nobody heard the request.
    fn look_at_answer(&mut self, now: Timestamp) {
        let Some(asking) = &mut self.asking else {
            return;
        };
        if let Some(answer) = asking.advance(now) {
            let rung = format!("answer to {}", asking.rung());
            if answer.is_err() {
                self.ladder.skip_wait(now);
            }
            self.asking = None;
            self.record(now, rung, answer.unwrap_or_else(|error| error));
        }
    }

    fn step(
        &mut self,
        now: Timestamp,
        rung: &Rung,
        options: &ServiceOptions,
        child: &mut Child,
        alive: bool,
        tree: &Tree,
    ) -> Result<String, Error> {
        match rung {
            Rung::Signal(signal) => {
                self.signal = *signal;
                if let Some(main) = self.main.filter(|_| alive) {
                    if tree.signal_member(main, *signal)? {
                        let _ = tree.signal_member(main, Signal::Cont);
                        return Ok(format!("sent to pid {main}"));
                    }
                }
                if alive {
                    child.signal(*signal)?;
                    // A stopped program takes the signal only once it goes on (WD-94).
                    let _ = child.signal(Signal::Cont);
                } else {
                    self.rest_asked = true;
                    tree.signal(*signal)?;
                    let _ = tree.signal(Signal::Cont);
                }
                Ok("sent".to_owned())
            }
            Rung::Capture => {
                let (evidence, outcome) = evidence::gather(tree)?;
                self.evidence.extend(evidence);
                Ok(outcome)
            }
            Rung::KillTree => {
                self.killing_until = Some(now + KILL_CONFIRM);
                let (members, killed) = self.kill(|| tree.kill_and_name());
                for member in members {
                    self.stragglers.push(Straggler {
                        kind: "process".to_owned(),
                        name: member.name,
                        origin: format!("pid {}", member.pid),
                        count: 1,
                    });
                }
                killed?;
                Ok("killed".to_owned())
            }
            Rung::CtrlC => {
                child.signal(Signal::Int)?;
                Ok("sent".to_owned())
            }
            Rung::CtrlBreak => {
                child.signal(Signal::Quit)?;
                Ok("sent".to_owned())
            }
            Rung::CloseStdin => {
                child.stdin = None;
                Ok("closed".to_owned())
            }
            Rung::SignalTree(signal) => {
                self.signal = *signal;
                self.rest_asked = true;
                tree.signal(*signal)?;
                let _ = tree.signal(Signal::Cont);
                Ok("sent".to_owned())
            }
            Rung::CloseWindows => {
                child.close_windows()?;
                Ok("sent".to_owned())
            }
            Rung::QuitThreads => {
                child.quit_threads()?;
                Ok("sent".to_owned())
            }
            Rung::Event(name) => {
                event::set(name)?;
                Ok("set".to_owned())
            }
            other => {
                let timeout = self.ladder.next_at().since(now);
                self.asking =
                    Asking::begin(other, options, alive.then(|| child.pid()), timeout, now)?;
                match self.asking {
                    Some(_) => Ok("asked".to_owned()),
                    None => Err(Error::System(winddown_sys::Error::Unsupported {
                        what: other.to_string(),
                        instead: "use a signal",
                    })),
                }
            }
        }
    }
}
