//! `winddown start`, `stop`, `restart`, `reload` and `rotate-logs`.

use std::process::ExitCode;

use winddown_run::control::{Answer, Operation, Request, Restart};

use crate::args::{ControlArgs, OperationArgs, Output, ReloadArgs, RestartArgs, RotateLogsArgs};
use crate::output::{Problem, print, print_json};
use crate::verb::control::ask;
use crate::verb::status::table;

pub(crate) fn start(args: OperationArgs, output: Output) -> Result<ExitCode, Problem> {
    let (control, operation) = operation(args);
    carry_out(&control, &Request::Start(operation), output)
}

pub(crate) fn stop(args: OperationArgs, output: Output) -> Result<ExitCode, Problem> {
    let (control, operation) = operation(args);
    carry_out(&control, &Request::Stop(operation), output)
}

pub(crate) fn restart(args: RestartArgs, output: Output) -> Result<ExitCode, Problem> {
    let (control, Operation { service, wait }) = operation(args.operation);
    let restart = Restart {
        service,
        overlap: args.overlap,
        wait,
    };
    carry_out(&control, &Request::Restart(restart), output)
}

pub(crate) fn reload(args: &ReloadArgs, output: Output) -> Result<ExitCode, Problem> {
    carry_out(&args.control, &Request::Reload {}, output)
}

pub(crate) fn rotate_logs(args: RotateLogsArgs, output: Output) -> Result<ExitCode, Problem> {
    let service = args.service;
    carry_out(&args.control, &Request::RotateLogs { service }, output)
}

fn operation(args: OperationArgs) -> (ControlArgs, Operation) {
    let operation = Operation {
        service: args.service,
        wait: !args.no_wait,
    };
    (args.control, operation)
}

fn carry_out(args: &ControlArgs, request: &Request, output: Output) -> Result<ExitCode, Problem> {
    let answer = ask(args, request, output)?;
    match (output, &answer) {
        (Output::Json, _) => print_json(&answer)?,
        (Output::Text, Answer::Done { changes, .. }) if *request == (Request::Reload {}) => {
            print(&match changes.as_slice() {
                [] => "nothing has changed\n".to_owned(),
                changes => changes.join("\n") + "\n",
            })?;
        }
        (Output::Text, Answer::Done { services, .. }) => print(&table(services))?,
        (Output::Text, _) => {}
    }
    Ok(ExitCode::SUCCESS)
}
