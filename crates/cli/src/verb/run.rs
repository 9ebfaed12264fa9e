//! `winddown run`.

use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use winddown_core::exit;
use winddown_core::report::{StopReport, Verdict};
use winddown_run::{Definition, Outcome, ReadyWhen, RunOptions};

use crate::args::{Output, Ready, RunArgs};
use crate::output::{Problem, print_json};
use crate::verb::check;

/// How long a stop may take unless somebody says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn main(args: RunArgs, output: Output) -> Result<ExitCode, Problem> {
    let report_file = args.report.clone();
    let options = options(args)?;
    let outcome = winddown_run::run(options, None)?;
    report(&outcome.report, report_file.as_deref(), output)?;
    Ok(end_as(&outcome))
}

fn options(args: RunArgs) -> Result<RunOptions, Problem> {
    let mut options = match &args.config {
        Some(file) => {
            let mut options = Definition::into_options(check::load(file)?, DEFAULT_TIMEOUT);
            if !args.command.is_empty() {
                options.command = args.command;
            }
            options
        }
        None => RunOptions::new(args.command, DEFAULT_TIMEOUT),
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

/// A plain and graceful stop needs no words on a terminal-less standard error; everything else does.
fn report(report: &StopReport, file: Option<&Path>, output: Output) -> Result<(), Problem> {
    if let Some(file) = file {
        let json = serde_json::to_string_pretty(report).expect("reports are plain data");
        std::fs::write(file, json + "\n").map_err(|error| {
            Problem::new(
                exit::OWN_FAILURE,
                format!(
                    "cannot write the stop report to {}: {error}",
                    file.display()
                ),
            )
        })?;
    }
    if output == Output::Json {
        return print_json(report);
    }
    if stderr().is_terminal() || report.verdict != Verdict::Graceful {
        eprintln!("winddown: {report}");
    }
    Ok(())
}

/// Ends as the program did: by its signal, or with its code.
fn end_as(outcome: &Outcome) -> ExitCode {
    if let Some(signal) = outcome.died_of() {
        winddown_sys::signal::die_of(signal);
    }
    // The whole code where the system has room for more than a byte.
    std::process::exit(outcome.exit_code())
}
