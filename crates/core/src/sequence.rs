//! Which stop hook runs when: [`Sequence`] walks a stop through its phases.
//!
//! It decides only; its owner runs the hooks, one at a time, and reports back. A hook is handed out once, whatever the
//! owner's threads do (WD-21).

use std::panic::Location;
use std::time::Duration;

use crate::report::{HookOutcome, HookRecord, PhaseRecord, rounded};
use crate::{Budget, Phase, Timestamp};

/// Which hook: its place in the order of registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HookId(pub usize);

/// What the owner should do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Run this hook, which must have ended by `deadline`; then call [`Sequence::finished`].
    Run {
        /// Which hook.
        hook: HookId,
        /// When its phase ends.
        deadline: Timestamp,
    },
    /// Nothing to do until something ends, or until this point: call [`Sequence::step`] again then.
    Wait(Timestamp),
    /// Every phase has ended.
    Finished,
}

/// What still holds the drain phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// How many guards are held.
    pub guards: usize,
    /// Whether the program's body has not returned yet.
    pub body: bool,
}

/// The stop hooks of a service, and how far its stop has come.
#[derive(Debug, Default)]
pub struct Sequence {
    hooks: Vec<Hook>,
    /// The phases that have ended, and when each began.
    phases: Vec<(Timestamp, PhaseRecord)>,
    current: Option<Current>,
}

#[derive(Debug)]
struct Hook {
    phase: Phase,
    name: String,
    registered_at: &'static Location<'static>,
    state: HookState,
}

#[derive(Debug, PartialEq, Eq)]
enum HookState {
    Waiting,
    Running { since: Timestamp },
    Overran,
    Ended,
}

#[derive(Debug)]
struct Current {
    phase: Phase,
    since: Timestamp,
    hooks: Vec<HookRecord>,
    /// The hook that runs, and when it must have ended.
    running: Option<(HookId, Timestamp)>,
}

impl Sequence {
    /// No hooks, and no stop under way.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            hooks: Vec::new(),
            phases: Vec::new(),
            current: None,
        }
    }

    /// Adds a hook to `phase`; `None` where the stop has already left that phase behind (WD-26).
    pub fn register(
        &mut self,
        phase: Phase,
        name: String,
        registered_at: &'static Location<'static>,
    ) -> Option<HookId> {
        let open = match (&self.current, self.phases.last()) {
            (Some(current), _) => phase >= current.phase,
            (None, Some((_, last))) => phase > last.phase,
            (None, None) => true,
        };
        open.then(|| {
            self.hooks.push(Hook {
                phase,
                name,
                registered_at,
                state: HookState::Waiting,
            });
            HookId(self.hooks.len() - 1)
        })
    }

    /// Whether `phase` has anything to do: a hook, or, in the drain, the body and guards.
    fn is_busy(&self, phase: Phase) -> bool {
        phase == Phase::Drain || self.hooks.iter().any(|hook| hook.phase == phase)
    }

    fn next_in(&self, phase: Phase) -> Option<HookId> {
        let mut waiting = self
            .hooks
            .iter()
            .enumerate()
            .filter(|(_, hook)| hook.phase == phase && hook.state == HookState::Waiting)
            .map(|(id, _)| HookId(id));
        if phase.is_reversed() {
            waiting.next_back()
        } else {
            waiting.next()
        }
    }

    /// Decides what to do at `now`. The first call begins the first phase.
    ///
    /// A hook whose phase has run out of time is recorded as overrun here, and the next one is handed out (WD-23).
    pub fn step(&mut self, now: Timestamp, budget: &Budget, in_flight: InFlight) -> Step {
        loop {
            let phase = match &self.current {
                Some(current) => current.phase,
                None => match self.begin_next(now) {
                    Some(phase) => phase,
                    None => return Step::Finished,
                },
            };
            let running = self.current.as_ref().and_then(|current| current.running);
            if let Some((hook, deadline)) = running {
                let deadline = deadline.min(budget.deadline());
                if now < deadline {
                    return Step::Wait(deadline);
                }
                self.overrun(hook, now);
                continue;
            }
            let deadline = budget.phase_deadline(phase, |p| self.is_busy(p));
            if now < budget.deadline() {
                if let Some(hook) = self.next_in(phase) {
                    // A hook that comes late in its phase still gets a moment to do its work.
                    let deadline = deadline
                        .max(now + budget.reserve() / 4)
                        .min(budget.deadline());
                    self.hooks[hook.0].state = HookState::Running { since: now };
                    let current = self.current.as_mut().expect("a phase has begun");
                    current.running = Some((hook, deadline));
                    return Step::Run { hook, deadline };
                }
            }
            let held = phase == Phase::Drain && (in_flight.guards > 0 || in_flight.body);
            if held && now < deadline {
                return Step::Wait(deadline);
            }
            self.end_phase(now);
        }
    }

    fn begin_next(&mut self, now: Timestamp) -> Option<Phase> {
        let phase = *Phase::ALL.get(self.phases.len())?;
        self.current = Some(Current {
            phase,
            since: now,
            hooks: Vec::new(),
            running: None,
        });
        Some(phase)
    }

    fn end_phase(&mut self, now: Timestamp) {
        let mut current = self.current.take().expect("a phase has begun");
        while let Some(hook) = self.next_in(current.phase) {
            current
                .hooks
                .push(self.record(hook, HookOutcome::Skipped, Duration::ZERO));
            self.hooks[hook.0].state = HookState::Ended;
        }
        let record = PhaseRecord {
            phase: current.phase,
            at: 0.0,
            seconds: rounded(now.since(current.since)),
            hooks: current.hooks,
        };
        self.phases.push((current.since, record));
    }

    fn overrun(&mut self, hook: HookId, now: Timestamp) {
        let HookState::Running { since } = self.hooks[hook.0].state else {
            return;
        };
        let record = self.record(hook, HookOutcome::Overran, now.since(since));
        self.hooks[hook.0].state = HookState::Overran;
        if let Some(current) = &mut self.current {
            current.hooks.push(record);
            current.running = None;
        }
    }

    fn record(&self, hook: HookId, outcome: HookOutcome, took: Duration) -> HookRecord {
        let hook = &self.hooks[hook.0];
        HookRecord {
            name: hook.name.clone(),
            registered_at: hook.registered_at.to_string(),
            outcome,
            seconds: rounded(took),
        }
    }

    /// Notes that a hook ended, and how.
    ///
    /// Of a hook that had overrun its phase it is noted that it ended after all.
    pub fn finished(&mut self, hook: HookId, now: Timestamp, outcome: HookOutcome) {
        let HookState::Running { since } = self.hooks[hook.0].state else {
            self.hooks[hook.0].state = HookState::Ended;
            return;
        };
        let record = self.record(hook, outcome, now.since(since));
        self.hooks[hook.0].state = HookState::Ended;
        if let Some(current) = &mut self.current {
            current.hooks.push(record);
            current.running = None;
        }
    }

    /// Ends the stop where it stands: the running hook is recorded as overrun, the others as skipped.
    pub fn cut(&mut self, now: Timestamp) {
        while self.phases.len() < Phase::ALL.len() {
            if self.current.is_none() {
                self.begin_next(now);
            }
            if let Some((hook, _)) = self.current.as_ref().and_then(|current| current.running) {
                self.overrun(hook, now);
            }
            self.end_phase(now);
        }
    }

    /// The hooks that were begun and have not returned: name and place of registration.
    pub fn unfinished(&self) -> impl Iterator<Item = (&str, &'static Location<'static>)> {
        self.hooks
            .iter()
            .filter(|hook| matches!(hook.state, HookState::Running { .. } | HookState::Overran))
            .map(|hook| (hook.name.as_str(), hook.registered_at))
    }

    /// The phases so far, `asked_at` being the zero of their times.
    #[must_use]
    pub fn records(&self, asked_at: Timestamp) -> Vec<PhaseRecord> {
        let from_zero = |(since, record): &(Timestamp, PhaseRecord)| PhaseRecord {
            at: rounded(since.since(asked_at)),
            ..record.clone()
        };
        self.phases.iter().map(from_zero).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: InFlight = InFlight {
        guards: 0,
        body: false,
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_origin(Duration::from_secs(seconds))
    }

    fn budget() -> Budget {
        Budget::new(at(0), Duration::from_secs(20))
    }

    fn register(sequence: &mut Sequence, phase: Phase, name: &str) -> Option<HookId> {
        sequence.register(phase, name.to_owned(), Location::caller())
    }

    /// Runs every hook at once and gives the names in the order in which they ran.
    fn run_all(sequence: &mut Sequence) -> Vec<String> {
        let mut order = Vec::new();
        loop {
            match sequence.step(at(0), &budget(), FREE) {
                Step::Run { hook, .. } => {
                    order.push(sequence.hooks[hook.0].name.clone());
                    sequence.finished(hook, at(0), HookOutcome::Done);
                }
                Step::Finished => return order,
                Step::Wait(_) => panic!("nothing is in flight"),
            }
        }
    }

    #[test]
    fn wd_20_phases_run_in_order_and_wd_24_close_runs_backwards() {
        let mut sequence = Sequence::new();
        for (phase, name) in [
            (Phase::Flush, "logs"),
            (Phase::Close, "database"),
            (Phase::Close, "cache"),
            (Phase::Refuse, "http"),
            (Phase::Refuse, "grpc"),
            (Phase::Unready, "balancer"),
        ] {
            register(&mut sequence, phase, name);
        }
        assert_eq!(
            run_all(&mut sequence),
            ["balancer", "http", "grpc", "cache", "database", "logs"]
        );
        assert_eq!(sequence.step(at(0), &budget(), FREE), Step::Finished);
    }

    #[test]
    fn wd_21_a_hook_is_handed_out_once() {
        let mut sequence = Sequence::new();
        register(&mut sequence, Phase::Refuse, "once");
        assert!(matches!(
            sequence.step(at(0), &budget(), FREE),
            Step::Run { .. }
        ));
        assert!(matches!(
            sequence.step(at(0), &budget(), FREE),
            Step::Wait(_)
        ));
    }

    #[test]
    fn wd_22_a_panic_is_recorded_and_the_next_hook_runs() {
        let mut sequence = Sequence::new();
        let first = register(&mut sequence, Phase::Close, "last").unwrap();
        let second = register(&mut sequence, Phase::Close, "first").unwrap();
        assert!(
            matches!(sequence.step(at(0), &budget(), FREE), Step::Run { hook, .. } if hook == second)
        );
        sequence.finished(second, at(1), HookOutcome::Panicked("boom".to_owned()));
        assert!(
            matches!(sequence.step(at(1), &budget(), FREE), Step::Run { hook, .. } if hook == first)
        );
        sequence.finished(first, at(1), HookOutcome::Done);
        assert_eq!(sequence.step(at(1), &budget(), FREE), Step::Finished);
        let close = &sequence.records(at(0))[Phase::Close as usize];
        assert_eq!(
            close.hooks[0].outcome,
            HookOutcome::Panicked("boom".to_owned())
        );
        assert_eq!(close.hooks[1].outcome, HookOutcome::Done);
    }

    #[test]
    fn wd_23_a_hook_that_overruns_is_recorded_and_the_next_runs() {
        let mut sequence = Sequence::new();
        let stuck = register(&mut sequence, Phase::Refuse, "stuck").unwrap();
        let next = register(&mut sequence, Phase::Refuse, "next").unwrap();
        let Step::Run { hook, deadline } = sequence.step(at(0), &budget(), FREE) else {
            panic!("a hook is waiting");
        };
        assert_eq!(hook, stuck);
        assert_eq!(sequence.step(at(0), &budget(), FREE), Step::Wait(deadline));
        assert!(
            matches!(sequence.step(deadline, &budget(), FREE), Step::Run { hook, .. } if hook == next)
        );
        sequence.finished(next, deadline, HookOutcome::Done);
        assert_eq!(sequence.unfinished().count(), 1);
        sequence.finished(stuck, at(9), HookOutcome::Done);
        assert_eq!(sequence.unfinished().count(), 0);
        assert_eq!(sequence.step(at(9), &budget(), FREE), Step::Finished);
    }

    #[test]
    fn wd_25_the_drain_waits_for_guards_and_the_body_until_its_deadline() {
        let mut sequence = Sequence::new();
        let busy = InFlight {
            guards: 1,
            body: true,
        };
        assert_eq!(sequence.step(at(0), &budget(), busy), Step::Wait(at(19)));
        assert_eq!(
            sequence.step(
                at(1),
                &budget(),
                InFlight {
                    guards: 0,
                    body: true
                }
            ),
            Step::Wait(at(19))
        );
        assert_eq!(sequence.step(at(19), &budget(), busy), Step::Finished);
    }

    #[test]
    fn wd_26_a_phase_that_has_gone_takes_no_hook() {
        let mut sequence = Sequence::new();
        register(&mut sequence, Phase::Close, "opens the close phase");
        assert!(matches!(
            sequence.step(at(0), &budget(), FREE),
            Step::Run { .. }
        ));
        assert_eq!(register(&mut sequence, Phase::Refuse, "late"), None);
        assert!(register(&mut sequence, Phase::Close, "in time").is_some());
        assert!(register(&mut sequence, Phase::Flush, "in time").is_some());
    }

    #[test]
    fn a_cut_records_what_ran_and_what_did_not() {
        let mut sequence = Sequence::new();
        register(&mut sequence, Phase::Refuse, "stuck");
        register(&mut sequence, Phase::Flush, "never");
        assert!(matches!(
            sequence.step(at(0), &budget(), FREE),
            Step::Run { .. }
        ));
        sequence.cut(at(3));
        let records = sequence.records(at(0));
        assert_eq!(records.len(), 5);
        assert_eq!(records[1].hooks[0].outcome, HookOutcome::Overran);
        assert_eq!(records[4].hooks[0].outcome, HookOutcome::Skipped);
    }
}
