//! The `winddown` command: one file for each verb.

mod args;
#[cfg(test)]
mod generated;
mod live;
mod output;
mod verb;

use std::env;
use std::process::ExitCode;

use clap::Parser;
use winddown_core::exit;

use crate::args::{Cli, Output, Verb};
use crate::output::{Problem, refuse};

fn main() -> ExitCode {
    winddown_sys::courier::serve();
    let cli = Cli::without_flags(env::args_os())
        .unwrap_or_else(|| Cli::try_parse().unwrap_or_else(|error| refuse(&error)));
    let result = match cli.verb {
        Verb::Run(args) => verb::run::main(args, cli.output),
        Verb::Rehearse(args) => verb::rehearse::main(args, cli.output),
        Verb::Status(args) => verb::status::main(&args, cli.output),
        Verb::Start(args) => verb::operation::start(args, cli.output),
        Verb::Stop(args) => verb::operation::stop(args, cli.output),
        Verb::Restart(args) => verb::operation::restart(args, cli.output),
        Verb::Reload(args) => verb::operation::reload(&args, cli.output),
        Verb::Logs(args) => verb::logs::main(args, cli.output),
        Verb::RotateLogs(args) => verb::operation::rotate_logs(args, cli.output),
        Verb::History(args) => verb::history::main(&args, cli.output),
        Verb::Host => verb::host::main(cli.output),
        Verb::Check(args) => verb::check::main(&args, cli.output),
        Verb::Completions(_) | Verb::Man(_) if cli.output == Output::Json => Err(Problem::new(
            exit::USAGE,
            "completions and manual pages have no JSON form",
        )),
        Verb::Completions(args) => verb::completions::main(&args),
        Verb::Man(args) => verb::man::main(&args),
    };
    match result {
        Ok(code) => code,
        Err(problem) => problem.report(),
    }
}
