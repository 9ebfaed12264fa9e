//! `winddown rehearse`.

use std::process::ExitCode;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use winddown_core::exit;
use winddown_core::report::{StopReport, Verdict};
use winddown_core::{Signal, StopPolicy, format_duration, one_line};
use winddown_run::{Moment, Observer, ReadyWhen, RunOptions, ServiceOptions, StopWhen};
use winddown_sys::guard::Guard;

use crate::args::{Output, RehearseArgs, When};
use crate::output::{Problem, print, print_in_time, print_json};
use crate::verb::{hold_late_requests, with_a_program};

/// The most bytes that a line has: the program's own words are in some.
const LONGEST_LINE: usize = 4096;

/// What `winddown rehearse --output json` writes.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Rehearsal {
    /// Whether every stop was graceful.
    pub(crate) graceful: bool,
    /// Each start and stop, in order.
    pub(crate) runs: Vec<Run>,
}

/// One start and stop.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Run {
    /// What happened when.
    pub(crate) timeline: Vec<Moment>,
    /// The stop report.
    pub(crate) report: StopReport,
}

pub(crate) fn main(args: RehearseArgs, output: Output) -> Result<ExitCode, Problem> {
    let mut service = ServiceOptions::new(with_a_program(args.command)?, args.timeout);
    service.policy = StopPolicy::new(args.signal.unwrap_or(Signal::Term), args.timeout);
    service.signal_chosen = args.signal.is_some();
    service.ready = ReadyWhen::Auto;
    service.ready_timeout = args.ready_timeout;
    service.output_to_stderr = output == Output::Json;
    let mut options = RunOptions::single(service);
    options.stop_when = Some(match args.when {
        When::Start => StopWhen::Started,
        When::Ready => StopWhen::Ready,
        When::After(delay) => StopWhen::After(delay),
    });

    hold_late_requests();
    let mut runs = Vec::new();
    for number in 1..=args.repeat {
        if output == Output::Text && args.repeat > 1 {
            print(&format!("run {number} of {}\n", args.repeat))?;
        }
        let (sender, told) = mpsc::channel();
        let printer = Printer { output, sender };
        let guard = Guard::start().map_err(winddown_run::Error::from)?;
        let outcome = winddown_run::run(guard, options.clone(), Box::new(printer))?;
        let Some(report) = outcome.reports().next().cloned() else {
            break;
        };
        if output == Output::Text {
            print(&verdict(&report))?;
        }
        let interrupted = is_interrupted(&report);
        runs.push(Run {
            timeline: told.into_iter().collect(),
            report,
        });
        if interrupted {
            break;
        }
    }
    let graceful = runs
        .iter()
        .all(|run| run.report.verdict == Verdict::Graceful && !is_interrupted(&run.report));
    let code = match graceful {
        true => exit::OK,
        false => exit::FAILED,
    };
    let rehearsal = Rehearsal { graceful, runs };
    match output {
        Output::Json => print_json(&rehearsal)?,
        Output::Text if args.repeat > 1 => print(&summary(&rehearsal))?,
        Output::Text => {}
    }
    Ok(ExitCode::from(code.code))
}

/// Whether the stop was asked for by somebody else than the rehearsal: the user wants its end.
fn is_interrupted(report: &StopReport) -> bool {
    !matches!(report.asked_by.mechanism.as_str(), "own" | "finished")
}

/// Keeps each moment, and prints it as it happens, for people.
struct Printer {
    output: Output,
    sender: Sender<Moment>,
}

impl Observer for Printer {
    fn moment(&mut self, _service: &str, moment: &Moment) {
        // The receiver outlives the run.
        let _ = self.sender.send(moment.clone());
        if self.output == Output::Text {
            // The rehearsal goes on where nobody reads along.
            let what = one_line(&moment.what, LONGEST_LINE);
            let _ = print_in_time(&format!("{:>+9.3}s  {what}\n", moment.at));
        }
    }
}

fn verdict(report: &StopReport) -> String {
    let deadline = Duration::try_from_secs_f64(report.deadline).unwrap_or_default();
    let mut text = format!(
        "verdict: {} in {:.3}s of {}\n",
        report.verdict,
        report.seconds,
        format_duration(deadline)
    );
    let mut line = |line: &str| text += &format!("  {}\n", one_line(line, LONGEST_LINE));
    for note in &report.notes {
        line(&format!("because {note}"));
    }
    if is_interrupted(report) {
        line(&format!("interrupted by {}", report.asked_by));
    }
    for straggler in &report.stragglers {
        line(&format!(
            "killed: {} ({})",
            straggler.name, straggler.origin
        ));
    }
    text
}

fn summary(rehearsal: &Rehearsal) -> String {
    let count = |verdict| {
        rehearsal
            .runs
            .iter()
            .filter(|run| run.report.verdict == verdict)
            .count()
    };
    let verdicts = [
        Verdict::Graceful,
        Verdict::Unhandled,
        Verdict::Forced,
        Verdict::Failed,
    ];
    let counts: Vec<_> = verdicts
        .into_iter()
        .map(|verdict| (verdict, count(verdict)))
        .filter(|(_, count)| *count > 0)
        .map(|(verdict, count)| format!("{count} {verdict}"))
        .collect();
    format!("{} stops: {}\n", rehearsal.runs.len(), counts.join(", "))
}
