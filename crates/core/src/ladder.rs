//! The stop of a program from outside: a ladder of rungs, climbed within one deadline.

use std::fmt;
use std::time::Duration;

use crate::{Signal, Timestamp, format_duration};

/// What a rung does to the program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rung {
    /// Ask by this signal; on Windows by the console event that stands for it.
    Signal(Signal),
    /// Ask all processes of its tree by this signal.
    SignalTree(Signal),
    /// Ask by Ctrl+C on the program's console (Windows).
    CtrlC,
    /// Ask by Ctrl+Break on the program's console (Windows).
    CtrlBreak,
    /// Ask its windows to close by `WM_CLOSE` (Windows).
    CloseWindows,
    /// End the message loops of its threads by `WM_QUIT` (Windows).
    QuitThreads,
    /// Close its standard input.
    CloseStdin,
    /// Ask by an HTTP request (`POST`) to this URL.
    Http(String),
    /// Ask by running this program with its arguments.
    Command(Vec<String>),
    /// Ask by setting the named event of this name (Windows).
    Event(String),
    /// Write down what its processes are doing.
    Capture,
    /// Kill all of it.
    KillTree,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::SignalTree(signal) => write!(f, "signal {signal} to the tree"),
            Self::CtrlC => f.write_str("ctrl-c"),
            Self::CtrlBreak => f.write_str("ctrl-break"),
            Self::CloseWindows => f.write_str("close windows"),
            Self::QuitThreads => f.write_str("quit threads"),
            Self::CloseStdin => f.write_str("close stdin"),
            Self::Http(url) => write!(f, "POST {url}"),
            Self::Command(command) => write!(f, "command {}", command.join(" ")),
            Self::Event(name) => write!(f, "event {name}"),
            Self::Capture => f.write_str("capture"),
            Self::KillTree => f.write_str("kill tree"),
        }
    }
}

/// How a program is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopPolicy {
    /// The whole stop, everything included (WD-90): the kill comes at this time at the latest.
    pub timeout: Duration,
    /// What is done, in order, and how long each rung waits before the next; `None` waits for all the time that is left.
    pub ladder: Vec<(Rung, Option<Duration>)>,
}

impl StopPolicy {
    /// Asks by `signal`, waits, writes down what hangs, and kills the tree after `timeout`.
    #[must_use]
    pub fn new(signal: Signal, timeout: Duration) -> Self {
        Self {
            timeout,
            ladder: vec![
                (Rung::Signal(signal), None),
                (Rung::Capture, Some(Duration::ZERO)),
                (Rung::KillTree, None),
            ],
        }
    }
}

impl StopPolicy {
    /// The signal of the first rung that sends one; `TERM` where none does.
    #[must_use]
    pub fn signal(&self) -> Signal {
        let signals = self.ladder.iter().filter_map(|(rung, _)| match rung {
            Rung::Signal(signal) | Rung::SignalTree(signal) => Some(*signal),
            _ => None,
        });
        signals.into_iter().next().unwrap_or(Signal::Term)
    }

    /// Asks by `signal` where the first rung that sends one would have sent another.
    pub fn pass_on(&mut self, signal: Signal) {
        let first = self.ladder.iter_mut().find_map(|(rung, _)| match rung {
            Rung::Signal(signal) | Rung::SignalTree(signal) => Some(signal),
            _ => None,
        });
        if let Some(first) = first {
            *first = signal;
        }
    }
}

/// What the climber should do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Climb {
    /// Do this rung, then ask again.
    Do(Rung),
    /// Wait until something ends, or until this point.
    Wait(Timestamp),
    /// Every rung has been used.
    Exhausted,
}

/// A stop under way from outside.
#[derive(Clone, Debug)]
pub struct Ladder {
    rungs: Vec<(Rung, Option<Duration>)>,
    next: usize,
    resume_at: Timestamp,
    deadline: Timestamp,
}

impl Ladder {
    /// Begins to climb at `now`.
    ///
    /// A ladder without a kill gets one at its end: a stop is always bounded.
    #[must_use]
    pub fn new(policy: &StopPolicy, now: Timestamp) -> Self {
        let mut rungs = policy.ladder.clone();
        if !rungs.iter().any(|(rung, _)| *rung == Rung::KillTree) {
            rungs.push((Rung::KillTree, None));
        }
        Self {
            rungs,
            next: 0,
            resume_at: now,
            deadline: now + policy.timeout,
        }
    }

    /// When the tree is killed at the latest.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// When it is climbed on.
    #[must_use]
    pub fn next_at(&self) -> Timestamp {
        self.resume_at.min(self.deadline)
    }

    /// The rung that is next, if any is left.
    #[must_use]
    pub fn next_rung(&self) -> Option<&Rung> {
        self.rungs.get(self.next).map(|(rung, _)| rung)
    }

    /// Moves the deadline to `deadline` if that is earlier; never later (WD-13).
    pub fn tighten(&mut self, deadline: Timestamp) {
        self.deadline = self.deadline.min(deadline);
        self.resume_at = self.resume_at.min(self.deadline);
    }

    /// Waits until `until` before the next rung if that is later, since the program that was asked says that it needs the time; never
    /// beyond the deadline (WD-43).
    pub fn extend(&mut self, until: Timestamp) {
        if self.next > 0 {
            self.resume_at = self.resume_at.max(until).min(self.deadline);
        }
    }

    /// Goes on to the next rung now, since the last one could not be done or somebody forces.
    pub const fn skip_wait(&mut self, now: Timestamp) {
        self.resume_at = now;
    }

    /// Decides what to do at `now`; the owner stops asking once nothing of the program is left.
    ///
    /// Past the deadline only capture and kill are left of the ladder.
    pub fn climb(&mut self, now: Timestamp) -> Climb {
        while let Some((rung, wait)) = self.rungs.get(self.next).cloned() {
            let late = now >= self.deadline;
            if !late && now < self.resume_at {
                return Climb::Wait(self.resume_at);
            }
            self.next += 1;
            if late && !matches!(rung, Rung::Capture | Rung::KillTree) {
                continue;
            }
            self.resume_at = wait.map_or(self.deadline, |wait| (now + wait).min(self.deadline));
            return Climb::Do(rung);
        }
        Climb::Exhausted
    }
}

impl fmt::Display for StopPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rung, wait) in &self.ladder {
            match wait {
                Some(wait) if wait.is_zero() => write!(f, "{rung} -> ")?,
                Some(wait) => write!(f, "{rung} (wait {}) -> ", format_duration(*wait))?,
                None => write!(f, "{rung} -> ")?,
            }
        }
        write!(f, "within {}", format_duration(self.timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_origin(Duration::from_secs(seconds))
    }

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn wd_90_the_kill_comes_at_the_timeout_whatever_the_rungs_wait_for() {
        let policy = StopPolicy {
            timeout: TEN,
            ladder: vec![
                (Rung::Signal(Signal::Int), Some(Duration::from_secs(4))),
                (Rung::Signal(Signal::Term), Some(Duration::from_secs(60))),
                (Rung::KillTree, None),
            ],
        };
        let mut ladder = Ladder::new(&policy, at(0));
        assert_eq!(ladder.climb(at(0)), Climb::Do(Rung::Signal(Signal::Int)));
        assert_eq!(ladder.climb(at(1)), Climb::Wait(at(4)));
        assert_eq!(ladder.climb(at(4)), Climb::Do(Rung::Signal(Signal::Term)));
        assert_eq!(ladder.climb(at(4)), Climb::Wait(at(10)));
        assert_eq!(ladder.climb(at(10)), Climb::Do(Rung::KillTree));
        assert_eq!(ladder.climb(at(10)), Climb::Exhausted);
    }

    #[test]
    fn a_rung_that_cannot_be_done_is_passed_at_once() {
        let mut ladder = Ladder::new(&StopPolicy::new(Signal::Term, TEN), at(0));
        assert_eq!(ladder.climb(at(0)), Climb::Do(Rung::Signal(Signal::Term)));
        ladder.skip_wait(at(0));
        assert_eq!(ladder.climb(at(0)), Climb::Do(Rung::Capture));
        assert_eq!(ladder.climb(at(0)), Climb::Do(Rung::KillTree));
    }

    #[test]
    fn wd_13_a_second_request_may_tighten() {
        let mut ladder = Ladder::new(&StopPolicy::new(Signal::Term, TEN), at(0));
        assert_eq!(ladder.climb(at(0)), Climb::Do(Rung::Signal(Signal::Term)));
        ladder.tighten(at(3));
        assert_eq!(ladder.climb(at(2)), Climb::Wait(at(3)));
        assert_eq!(ladder.climb(at(3)), Climb::Do(Rung::Capture));
    }

    #[test]
    fn wd_43_a_program_may_delay_the_next_rung_and_not_the_deadline() {
        let policy = StopPolicy {
            timeout: TEN,
            ladder: vec![
                (Rung::Signal(Signal::Term), Some(Duration::from_secs(2))),
                (Rung::Signal(Signal::Int), Some(Duration::from_secs(2))),
            ],
        };
        let mut ladder = Ladder::new(&policy, at(0));
        ladder.extend(at(9));
        assert_eq!(ladder.climb(at(0)), Climb::Do(Rung::Signal(Signal::Term)));
        ladder.extend(at(1));
        assert_eq!(ladder.climb(at(1)), Climb::Wait(at(2)));
        ladder.extend(at(5));
        assert_eq!(ladder.climb(at(2)), Climb::Wait(at(5)));
        assert_eq!(ladder.climb(at(5)), Climb::Do(Rung::Signal(Signal::Int)));
        ladder.extend(at(60));
        assert_eq!(ladder.climb(at(9)), Climb::Wait(at(10)));
        assert_eq!(ladder.climb(at(10)), Climb::Do(Rung::KillTree));
    }

    #[test]
    fn a_ladder_without_a_kill_gets_one() {
        let policy = StopPolicy {
            timeout: TEN,
            ladder: vec![(Rung::CloseStdin, None)],
        };
        let mut ladder = Ladder::new(&policy, at(0));
        assert_eq!(ladder.climb(at(0)), Climb::Do(Rung::CloseStdin));
        assert_eq!(ladder.climb(at(10)), Climb::Do(Rung::KillTree));
    }
}
