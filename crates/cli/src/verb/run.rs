//! `winddown run`.

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use winddown_core::exit;
use winddown_core::report::{StopReport, Verdict};
use winddown_run::{Definition, Observer, Outcome, ReadyWhen, RunOptions, ServiceOptions};

use crate::args::{Output, Ready, RunArgs};
use crate::output::{Problem, print};
use crate::verb::check;

/// How long a stop may take unless somebody says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn main(args: RunArgs, output: Output) -> Result<ExitCode, Problem> {
    let writer = ReportWriter {
        file: args.report.clone(),
        output,
    };
    let outcome = winddown_run::run(RunOptions::single(options(args)?), Box::new(writer))?;
    Ok(end_as(&outcome))
}

fn options(args: RunArgs) -> Result<ServiceOptions, Problem> {
    let mut options = match &args.config {
        Some(file) => {
            let mut options = Definition::into_options(check::load(file)?, DEFAULT_TIMEOUT);
            if !args.command.is_empty() {
                options.command = args.command;
            }
            options
        }
        None => ServiceOptions::new(args.command, DEFAULT_TIMEOUT),
    };
    if let Some(name) = args.name {
        options.name = name;
    }
    if let Some(timeout) = args.stop.stop_timeout {
        options.policy.timeout = timeout;
    }
    if let Some(signal) = args.stop.stop_signal {
        options.policy.pass_on(signal);
        options.signal_chosen = true;
    }
    if let Some(ready) = args.ready {
        options.ready = match ready {
            Ready::Spawned => ReadyWhen::Spawned,
            Ready::Notify => ReadyWhen::Notify,
            Ready::Auto => ReadyWhen::Auto,
        };
    }
    Ok(options)
}

/// Writes the report where it was asked for, and on standard error. A plain and graceful stop needs no words there, unless
/// somebody sits at a terminal.
struct ReportWriter {
    file: Option<PathBuf>,
    output: Output,
}

impl Observer for ReportWriter {
    fn report(&mut self, report: &StopReport) {
        let json = serde_json::to_string_pretty(report).expect("reports are plain data") + "\n";
        if let Some(file) = &self.file {
            if let Err(error) = std::fs::write(file, &json) {
                let what = format!(
                    "cannot write the stop report to {}: {error}",
                    file.display()
                );
                Problem::new(exit::OWN_FAILURE, what).report();
            }
        }
        if self.output == Output::Json {
            if let Err(problem) = print(&json) {
                problem.report();
            }
        } else if stderr().is_terminal() || report.verdict != Verdict::Graceful {
            eprintln!("winddown: {report}");
        }
    }
}

/// Ends as the program did: by its signal, or with its code.
fn end_as(outcome: &Outcome) -> ExitCode {
    if let Some(signal) = outcome.died_of() {
        winddown_sys::signal::die_of(signal);
    }
    // The whole code where the system has room for more than a byte.
    std::process::exit(outcome.exit_code())
}
