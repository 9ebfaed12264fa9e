//! The `winddown` command: one file for each verb.

mod args;
#[cfg(test)]
mod generated;
mod output;
mod verb;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Verb};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.verb {
        Verb::Run(args) => verb::run::main(args, cli.output),
        Verb::Rehearse(args) => verb::rehearse::main(args, cli.output),
        Verb::Host => verb::host::main(cli.output),
        Verb::Check(args) => verb::check::main(&args, cli.output),
        Verb::Completions(args) => verb::completions::main(&args),
        Verb::Man(args) => verb::man::main(&args),
    };
    match result {
        Ok(code) => code,
        Err(problem) => problem.report(),
    }
}
