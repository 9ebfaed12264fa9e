//! The stop report: who asked, what was done, what was cut, what is left, and the verdict.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp as WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exit::OtherCode;
use crate::time::nearest;
use crate::{AskedBy, Phase, format_duration, one_line};

/// The most bytes that a line of a report for people has.
const LONGEST_LINE: usize = 4096;

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
    /// Every child of this process, a subreaper, was looked at, and each is known to be of another tree, or was there before.
    OthersOnly,
    /// The Windows job object counts no process, and every process handle that was kept has ended.
    JobEmpty,
    /// The process itself ends, and with it all of its threads; it started no other.
    ProcessExit,
    /// Nothing is left but processes that are meant to outlive it, which are named here.
    Outlived(String),
    /// No program was running when the stop was asked for.
    NothingRan,
    /// It could not be proven.
    Unproven(String),
}

impl Proof {
    /// Whether it shows that nothing is left that should not be.
    #[must_use]
    pub const fn is_proven(&self) -> bool {
        !matches!(self, Self::Unproven(_))
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CgroupEmpty => f.write_str("the kernel reports its cgroup empty"),
            Self::NoChildren => f.write_str("the kernel reports no child and no descendant left"),
            Self::OthersOnly => f.write_str("every child of this process belongs to another tree"),
            Self::JobEmpty => f.write_str("its job object is empty"),
            Self::NothingRan => f.write_str("nothing was running"),
            Self::ProcessExit => f.write_str("the process itself ends"),
            Self::Outlived(which) => write!(f, "only what may outlive it: {which}"),
            Self::Unproven(why) => write!(f, "not proven: {why}"),
        }
    }
}

/// How many processes of a tree are left running, and by what that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remains {
    /// How many are known; 0 also where they cannot be counted, which the proof then says.
    pub survivors: u32,
    /// By what that number is known.
    pub proof: Proof,
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
            Self::Code(code) => write!(f, "code {}", OtherCode(*code)),
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
    /// Who asked after that, in order; the first 100.
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
    /// Whether it is about a stop, or about an end that nobody had asked for.
    fn what(&self) -> &'static str {
        match self.asked_by.mechanism.as_str() {
            "finished" => "end",
            _ => "stop",
        }
    }

    /// The report in one line, for logs.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut line = format!(
            "{} {} in {} of {}, asked by {}",
            self.verdict,
            self.what(),
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
        one_line(&line, LONGEST_LINE)
    }
}

impl fmt::Display for StopReport {
    /// The report for people, several lines without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} of {} (pid {}) in {} of {}",
            self.verdict,
            self.what(),
            one_line(&self.service, LONGEST_LINE),
            self.pid,
            seconds(self.seconds),
            seconds(self.deadline)
        )?;
        line(f, format_args!("asked by   {}", self.asked_by))?;
        for later in &self.also_asked {
            line(f, format_args!("also by    {later}"))?;
        }
        for phase in &self.phases {
            let (took, at) = (seconds(phase.seconds), seconds(phase.at));
            line(f, format_args!("{:10} {took:>8}  at +{at}", phase.phase))?;
            for hook in &phase.hooks {
                let took = seconds(hook.seconds);
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
                line(f, format_args!("  {:20} {took:>8}{outcome}", hook.name))?;
            }
        }
        for rung in &self.ladder {
            let at = seconds(rung.at);
            line(f, format_args!("+{at:<9} {}: {}", rung.rung, rung.outcome))?;
        }
        for straggler in &self.stragglers {
            let count = match straggler.count {
                0 | 1 => String::new(),
                count => format!("{count} x "),
            };
            let Straggler {
                kind, name, origin, ..
            } = straggler;
            line(
                f,
                format_args!("cut        {count}{kind} {name} ({origin})"),
            )?;
        }
        for note in &self.notes {
            line(f, format_args!("note       {note}"))?;
        }
        if let Some(exit) = &self.exit {
            line(f, format_args!("exit       {exit}"))?;
        }
        let (survivors, proof) = (self.survivors, &self.proof);
        line(f, format_args!("survivors  {survivors}, {proof}"))
    }
}

/// Writes a line of a report, indented: nobody's name or message can begin a line of its own or control the terminal.
fn line(f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>) -> fmt::Result {
    write!(f, "\n  {}", one_line(&text.to_string(), LONGEST_LINE))
}

/// A duration as reports hold it: in seconds, rounded to a microsecond.
#[must_use]
pub fn rounded(duration: Duration) -> f64 {
    nearest(duration, 1_000) as f64 / 1e6
}

fn seconds(seconds: f64) -> impl fmt::Display {
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mechanism, Origin};

    /// A report with something of everything.
    fn report() -> StopReport {
        let asked_by = AskedBy {
            mechanism: "signal".to_owned(),
            request: Some("TERM".to_owned()),
            pid: Some(812),
            uid: Some(0),
            name: Some("bash".to_owned()),
        };
        let hook = |name: &str, outcome| HookRecord {
            name: name.to_owned(),
            registered_at: "src/main.rs:7:9".to_owned(),
            outcome,
            seconds: 0.0125,
        };
        StopReport {
            service: "orders".to_owned(),
            pid: 4711,
            verdict: Verdict::Forced,
            also_asked: vec![asked_by.clone()],
            asked_by,
            at: WallTime::UNIX_EPOCH,
            deadline: 30.0,
            seconds: 1.5,
            phases: vec![PhaseRecord {
                phase: Phase::Close,
                at: 0.25,
                seconds: 0.75,
                hooks: vec![
                    hook("cache", HookOutcome::Done),
                    hook("database", HookOutcome::Failed("no room".to_owned())),
                    hook("queue", HookOutcome::Overran),
                ],
            }],
            ladder: vec![RungRecord {
                rung: "signal TERM".to_owned(),
                at: 0.0,
                outcome: "sent".to_owned(),
            }],
            stragglers: vec![Straggler {
                kind: "guard".to_owned(),
                name: "request".to_owned(),
                origin: "src/main.rs:9:1".to_owned(),
                count: 3,
            }],
            survivors: 1,
            proof: Proof::Unproven("it said so itself".to_owned()),
            exit: Some(ExitRecord::Code(124)),
            evidence: Vec::new(),
            notes: vec!["a note".to_owned()],
        }
    }

    #[test]
    fn a_report_reads_so() {
        let text = "\
forced stop of orders (pid 4711) in 1.5s of 30s
  asked by   signal TERM from bash (pid 812, uid 0)
  also by    signal TERM from bash (pid 812, uid 0)
  close         750ms  at +250ms
    cache                    13ms
    database                 13ms  failed: no room
    queue                    13ms  overran (registered at src/main.rs:7:9)
  +0s        signal TERM: sent
  cut        3 x guard request (src/main.rs:9:1)
  note       a note
  exit       code 124
  survivors  1, not proven: it said so itself";
        assert_eq!(report().to_string(), text);
        assert_eq!(
            report().summary(),
            "forced stop in 1.5s of 30s, asked by signal TERM from bash (pid 812, uid 0); \
             cut 3 guard request (src/main.rs:9:1); a note"
        );
    }

    /// A program that crashes was not stopped by anybody.
    #[test]
    fn an_end_that_nobody_asked_for_is_no_stop() {
        let mut report = report();
        report.asked_by = (&Origin::of(Mechanism::Finished)).into();
        let text = report.to_string();
        let begin = "forced end of orders (pid 4711) in 1.5s of 30s\n  asked by   nobody\n";
        assert!(text.starts_with(begin), "{text}");
        let summary = report.summary();
        let begin = "forced end in 1.5s of 30s, asked by nobody; ";
        assert!(summary.starts_with(begin), "{summary}");
    }

    /// A process chooses its own name, and a log must not believe it.
    #[test]
    fn no_name_begins_a_line_or_controls_the_terminal() {
        let plain = report();
        let evil = |text: &mut String| text.push_str("\n  exit  code 0\u{1b}[2J");
        let mut report = report();
        evil(&mut report.service);
        evil(report.asked_by.name.as_mut().unwrap());
        evil(report.also_asked[0].name.as_mut().unwrap());
        evil(&mut report.phases[0].hooks[0].name);
        evil(&mut report.ladder[0].outcome);
        evil(&mut report.stragglers[0].name);
        evil(&mut report.notes[0]);
        report.proof = Proof::Unproven("\n  exit  code 0".to_owned());
        let text = report.to_string();
        assert_eq!(text.lines().count(), plain.to_string().lines().count());
        let plain = |c: char| c == '\n' || !c.is_control();
        assert!(text.chars().all(plain), "{text:?}");
        assert!(!report.summary().contains(char::is_control));
    }

    #[test]
    fn times_are_rounded_and_not_cut() {
        assert_eq!(rounded(Duration::from_nanos(1_499)), 0.000_001);
        assert_eq!(rounded(Duration::from_nanos(1_500)), 0.000_002);
    }
}
