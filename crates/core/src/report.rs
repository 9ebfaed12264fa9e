//! The stop report: who asked, what was done, what was cut, what is left, and the verdict.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp as WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AskedBy, Phase, format_duration};

/// How a stop ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A handler ran, and all of it finished in time.
    Graceful,
    /// The program died of the request's default action: nothing was cleaned up.
    Unhandled,
    /// Something had to be cut: it did not end in time.
    Forced,
    /// It ended in time, and with an error.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Graceful => "graceful",
            Self::Unhandled => "unhandled",
            Self::Forced => "forced",
            Self::Failed => "failed",
        })
    }
}

/// By what it is known that nothing, or how much, is left running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "by", content = "why")]
#[non_exhaustive]
pub enum Proof {
    /// The kernel says that the program's own cgroup is empty (`cgroup.events`: `populated 0`).
    CgroupEmpty,
    /// The kernel says that this process, a subreaper, has no child left (`waitid`: `ECHILD`), hence no descendant.
    NoChildren,
    /// The Windows job object counts no process, and every process handle that was kept has ended.
    JobEmpty,
    /// The process itself ends, and with it all of its threads; it started no other.
    ProcessExit,
    /// It could not be proven.
    Unproven(String),
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CgroupEmpty => f.write_str("the kernel reports its cgroup empty"),
            Self::NoChildren => f.write_str("the kernel reports no child and no descendant left"),
            Self::JobEmpty => f.write_str("its job object is empty"),
            Self::ProcessExit => f.write_str("the process itself ends"),
            Self::Unproven(why) => write!(f, "not proven: {why}"),
        }
    }
}

/// How a hook of a phase ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HookOutcome {
    /// It returned.
    Done,
    /// It returned this error.
    Failed(String),
    /// It panicked with this message.
    Panicked(String),
    /// It had not returned by the end of its phase, and the next hook was run beside it.
    Overran,
    /// It was never begun: the deadline came first.
    Skipped,
}

/// What a hook of a phase did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HookRecord {
    /// The name that it was registered under.
    pub name: String,
    /// The place in the source that registered it, as `file:line:column`.
    pub registered_at: String,
    /// How it ended.
    pub outcome: HookOutcome,
    /// How long it ran, in seconds.
    pub seconds: f64,
}

/// What a phase of the stop did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseRecord {
    /// Which phase.
    pub phase: Phase,
    /// When it began, in seconds after the stop was asked for.
    pub at: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Its hooks in the order in which they ran.
    pub hooks: Vec<HookRecord>,
}

/// What a rung of the ladder did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RungRecord {
    /// What was done, such as `signal TERM` or `kill tree`.
    pub rung: String,
    /// When, in seconds after the stop was asked for.
    pub at: f64,
    /// What came of it: `sent`, `the program ended`, or why it could not be done.
    pub outcome: String,
}

/// Something that had not ended by itself when it was cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Straggler {
    /// What it is: `guard`, `hook`, `body` or `process`.
    pub kind: String,
    /// Its name: the guard's or hook's, or the process's.
    pub name: String,
    /// Where it came from: a place in the source, or a pid.
    pub origin: String,
    /// How many of the same name and origin there were.
    pub count: u32,
}

/// How the program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExitRecord {
    /// With this code.
    Code(i32),
    /// By this signal, such as `TERM`.
    Signal(String),
}

impl fmt::Display for ExitRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// One stop, from the first request to the end. Its JSON form is stable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "winddown stop report")]
pub struct StopReport {
    /// The service's or program's name.
    pub service: String,
    /// The process that was stopped.
    pub pid: u32,
    /// How the stop ended.
    pub verdict: Verdict,
    /// Who asked first.
    pub asked_by: AskedBy,
    /// Who asked after that, in order.
    pub also_asked: Vec<AskedBy>,
    /// When the first request arrived.
    pub at: WallTime,
    /// How long the stop was allowed to take, in seconds.
    pub deadline: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The phases in order; of a program that does not use the library, none are known.
    pub phases: Vec<PhaseRecord>,
    /// The rungs of the ladder that were used; none inside a program that stops itself.
    pub ladder: Vec<RungRecord>,
    /// What was cut.
    pub stragglers: Vec<Straggler>,
    /// How many processes are left running.
    pub survivors: u32,
    /// By what that number is known.
    pub proof: Proof,
    /// How the program ended.
    pub exit: Option<ExitRecord>,
    /// What was seen of stuck processes before they were killed.
    pub evidence: Vec<String>,
    /// What else the reader should know.
    pub notes: Vec<String>,
}

impl StopReport {
    /// The report in one line, for logs.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut line = format!(
            "{} stop in {} of {}, asked by {}",
            self.verdict,
            seconds(self.seconds),
            seconds(self.deadline),
            self.asked_by
        );
        for straggler in &self.stragglers {
            line += &format!(
                "; cut {} {} {} ({})",
                straggler.count, straggler.kind, straggler.name, straggler.origin
            );
        }
        for note in &self.notes {
            line += &format!("; {note}");
        }
        line
    }
}

impl fmt::Display for StopReport {
    /// The report for people, several lines without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} stop of {} (pid {}) in {} of {}",
            self.verdict,
            self.service,
            self.pid,
            seconds(self.seconds),
            seconds(self.deadline)
        )?;
        write!(f, "\n  asked by   {}", self.asked_by)?;
        for later in &self.also_asked {
            write!(f, "\n  also by    {later}")?;
        }
        for phase in &self.phases {
            write!(
                f,
                "\n  {:10} {:>8}  at +{}",
                phase.phase,
                seconds(phase.seconds),
                seconds(phase.at)
            )?;
            for hook in &phase.hooks {
                let outcome = match &hook.outcome {
                    HookOutcome::Done => String::new(),
                    HookOutcome::Failed(message) => format!("  failed: {message}"),
                    HookOutcome::Panicked(message) => format!("  panicked: {message}"),
                    HookOutcome::Overran => {
                        format!("  overran (registered at {})", hook.registered_at)
                    }
                    HookOutcome::Skipped => {
                        format!("  skipped (registered at {})", hook.registered_at)
                    }
                };
                write!(
                    f,
                    "\n    {:20} {:>8}{outcome}",
                    hook.name,
                    seconds(hook.seconds)
                )?;
            }
        }
        for rung in &self.ladder {
            write!(
                f,
                "\n  +{:<9} {}: {}",
                seconds(rung.at).to_string(),
                rung.rung,
                rung.outcome
            )?;
        }
        for straggler in &self.stragglers {
            let count = if straggler.count > 1 {
                format!("{} x ", straggler.count)
            } else {
                String::new()
            };
            write!(
                f,
                "\n  cut        {count}{} {} ({})",
                straggler.kind, straggler.name, straggler.origin
            )?;
        }
        for note in &self.notes {
            write!(f, "\n  note       {note}")?;
        }
        if let Some(exit) = &self.exit {
            write!(f, "\n  exit       {exit}")?;
        }
        write!(f, "\n  survivors  {}, {}", self.survivors, self.proof)
    }
}

impl fmt::Display for AskedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mechanism)?;
        if let Some(request) = &self.request {
            write!(f, " {request}")?;
        }
        match (&self.name, self.pid) {
            (Some(name), Some(pid)) => write!(f, " from {name} (pid {pid})")?,
            (None, Some(pid)) => write!(f, " from pid {pid}")?,
            (Some(name), None) => write!(f, " from {name}")?,
            (None, None) => {}
        }
        match self.uid {
            Some(uid) => write!(f, " of uid {uid}"),
            None => Ok(()),
        }
    }
}

/// A duration as reports hold it: in seconds, rounded to a microsecond.
#[must_use]
pub fn rounded(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}

fn seconds(seconds: f64) -> impl fmt::Display {
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    format_duration(duration).to_string()
}
