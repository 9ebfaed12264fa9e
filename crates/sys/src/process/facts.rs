//! What the system says about any process: how it treats signals, what it runs on, what it is doing.

use std::fmt;
use std::fs::File;

use winddown_core::Signal;

#[cfg_attr(target_os = "linux", path = "facts_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "facts_none.rs")]
mod imp;

/// What a process or thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// On a processor, or ready for one.
    Running,
    /// Waiting for something that a signal interrupts.
    Sleeping,
    /// Waiting for something that a signal does not interrupt, usually a device.
    Uninterruptible,
    /// Stopped by a signal; goes on after `SIGCONT`.
    Stopped,
    /// Held by a debugger.
    Traced,
    /// Ended, and not waited for by its parent.
    Zombie,
    /// The system does not say, or says something else.
    Unknown,
}

impl State {
    /// Of the letter in `proc_pid_stat(5)` and `ps(1)`.
    #[cfg(target_os = "linux")]
    pub(crate) fn of_letter(letter: &str) -> Self {
        match letter {
            "R" => Self::Running,
            "S" | "I" => Self::Sleeping,
            "D" => Self::Uninterruptible,
            "T" => Self::Stopped,
            "t" => Self::Traced,
            "Z" | "X" | "x" => Self::Zombie,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Sleeping => "sleeping",
            Self::Uninterruptible => "in an uninterruptible sleep",
            Self::Stopped => "stopped",
            Self::Traced => "held by a debugger",
            Self::Zombie => "zombie",
            Self::Unknown => "in an unknown state",
        })
    }
}

/// The language runtime of a process, as far as it changes what signal masks mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Runtime {
    /// Go: catches nearly every signal itself, whether the program asked for it or not.
    Go,
    /// Node.js: a listener takes the place of the default exit.
    Node,
    /// Java: catches `TERM`, `INT` and `HUP` for its shutdown hooks, even if there are none.
    Java,
    /// Python: catches `INT` itself; handlers run in the main thread between bytecodes.
    Python,
}

/// How a process treats signals, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Signals for which it has a handler.
    pub caught: Vec<Signal>,
    /// Signals that it ignores.
    pub ignored: Vec<Signal>,
    /// Signals that every one of its threads blocks. A thread in `sigwait(3)` or `ppoll(2)` shows the mask of that call.
    pub blocked: Vec<Signal>,
    /// Signals that one of its threads takes with `sigwait(3)` at this moment. Empty where this user may not know.
    pub awaited: Vec<Signal>,
    /// It is PID 1 of its pid namespace: signals that it does not catch have no default action.
    pub init: bool,
    /// What it is doing.
    pub state: State,
    /// What it runs on, if that is known.
    pub runtime: Option<Runtime>,
}

impl Facts {
    /// Whether `signal` would now have its default action: no handler, not ignored, not blocked, not waited for, and not PID 1.
    ///
    /// With a runtime that catches signals on its own ([`Runtime::Go`], [`Runtime::Java`]), `false` does not say that the
    /// program itself handles it.
    #[must_use]
    pub fn takes_default(&self, signal: Signal) -> bool {
        let sets = [&self.caught, &self.ignored, &self.blocked, &self.awaited];
        !self.init && sets.iter().all(|set| !set.contains(&signal))
    }
}

/// How a process treats signals. `None` if there is no such process, it may not be looked at, or the system does not say
/// (any but Linux).
///
/// Source: `proc_pid_status(5)`: `SigCgt`, `SigIgn`, `SigBlk`, `NSpid`; `proc_pid_syscall(5)`.
#[must_use]
pub fn facts(pid: u32) -> Option<Facts> {
    imp::facts(pid)
}

/// What was seen of a process just before it was asked by a signal. What its executable file tells is looked at in
/// [`Glance::into_facts`], also after the process has ended, so that the process does not wait for it.
#[derive(Debug)]
pub struct Glance {
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    facts: Facts,
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    executable: Option<File>,
}

/// Looks at a process that is about to be asked by one of `signals`. `None` as for [`facts()`].
///
/// Where it has handlers for all of them, nobody asks what its other threads block or wait for: the sets are those of its first
/// thread.
#[must_use]
pub fn glance(pid: u32, signals: &[Signal]) -> Option<Glance> {
    imp::glance(pid, signals)
}

impl Glance {
    /// All that is known.
    #[must_use]
    pub fn into_facts(self) -> Facts {
        Facts {
            runtime: self.executable.as_ref().and_then(imp::runtime),
            ..self.facts
        }
    }
}

/// What a process that does not end was doing, taken before it is killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The process.
    pub pid: u32,
    /// Its command line, at most 4096 bytes of it; bytes that are no UTF-8 are replaced.
    pub command: String,
    /// How it treats signals.
    pub facts: Option<Facts>,
    /// The number of its open descriptors; `None` if this user may not count them.
    pub open_files: Option<usize>,
    /// Its threads, at most 64 of them.
    pub threads: Vec<ThreadEvidence>,
    /// How many threads there are.
    pub thread_count: usize,
}

/// What one thread was doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadEvidence {
    /// Its id.
    pub tid: u32,
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: State,
    /// The kernel function that it waits in; `None` if this user may not know, or it does not wait.
    pub waits_in: Option<String>,
    /// The kernel's stack, innermost first, at most 32 lines; empty if this user may not read it (root may).
    pub kernel_stack: Vec<String>,
}

/// What a process is doing now. Bounded in size, and in time by what `/proc` takes; does not stop the process.
///
/// `None` if there is no such process, or the system does not say (any but Linux).
#[must_use]
pub fn evidence(pid: u32) -> Option<Evidence> {
    imp::evidence(pid)
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "process {}: {}", self.pid, self.command)?;
        if let Some(facts) = &self.facts {
            writeln!(f, "  {}", facts.state)?;
            for (what, signals) in [
                ("catches", &facts.caught),
                ("ignores", &facts.ignored),
                ("blocks", &facts.blocked),
            ] {
                if !signals.is_empty() {
                    let names: Vec<String> = signals.iter().map(Signal::to_string).collect();
                    writeln!(f, "  {what} {}", names.join(" "))?;
                }
            }
        }
        if let Some(count) = self.open_files {
            writeln!(f, "  open files: {count}")?;
        }
        for thread in &self.threads {
            write!(
                f,
                "  thread {} {}: {}",
                thread.tid, thread.name, thread.state
            )?;
            match &thread.waits_in {
                Some(function) => writeln!(f, " in {function}")?,
                None => writeln!(f)?,
            }
            for frame in &thread.kernel_stack {
                writeln!(f, "    {frame}")?;
            }
        }
        match self.thread_count - self.threads.len() {
            0 => Ok(()),
            more => writeln!(f, "  and {more} more threads"),
        }
    }
}
