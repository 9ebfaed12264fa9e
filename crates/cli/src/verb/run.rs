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
    let outcome = winddown_run::run(options(args)?, Box::new(writer))?;
    Ok(end_as(&outcome))
}

fn options(mut args: RunArgs) -> Result<RunOptions, Problem> {
    let command = std::mem::take(&mut args.command);
    let mut options = match &args.config {
        Some(file) => Definition::into_options(check::load(file)?, DEFAULT_TIMEOUT),
        None => RunOptions::single(ServiceOptions::new(command.clone(), DEFAULT_TIMEOUT)),
    };
    if let Some(name) = args.name.take() {
        options.name = name;
    }
    match options.services.as_mut_slice() {
        [only] => {
            only.name.clone_from(&options.name);
            if !command.is_empty() {
                only.command = command;
            }
            amend(only, &args);
        }
        _ if !command.is_empty() => {
            let what = "the definition has several services, and a program was given as well";
            return Err(Problem::new(exit::USAGE, what).hint("leave out the program"));
        }
        all => {
            for service in all {
                amend(service, &args);
            }
        }
    }
    Ok(options)
}

/// Flags win over the definition.
fn amend(service: &mut ServiceOptions, args: &RunArgs) {
    if let Some(timeout) = args.stop.stop_timeout {
        service.policy.timeout = timeout;
    }
    if let Some(signal) = args.stop.stop_signal {
        service.policy.pass_on(signal);
        service.signal_chosen = true;
    }
    if let Some(ready) = args.ready {
        service.ready = match ready {
            Ready::Spawned => ReadyWhen::Spawned,
            Ready::Notify => ReadyWhen::Notify,
            Ready::Auto => ReadyWhen::Auto,
        };
    }
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
