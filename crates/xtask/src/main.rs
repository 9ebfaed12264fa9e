//! Test lanes, benchmarks and generated files of winddown: `cargo xtask`.
//!
//! Runs on Linux and other Unix systems; it is never published.

mod bench;
mod census;
mod command;
mod debian_rust;
mod error;
mod generate;
mod interrupt;
mod lane;
mod need;
mod session;
mod setup;
mod tally;
mod targets;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;

/// Run the test lanes of winddown and write its generated files.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run test lanes, all of them when none is named.
    ///
    /// A lane whose tools are missing is skipped with the command that installs them. With
    /// CI=true each lane is set up first, and a lane that cannot run is a failure.
    Test {
        /// Lanes to run; see `cargo xtask lanes`.
        lanes: Vec<String>,
    },
    /// Install what lanes need, for all lanes when none is named.
    Setup {
        /// Lanes to set up, see `cargo xtask lanes`; or `bench` for the peers of the benchmarks.
        lanes: Vec<String>,
    },
    /// Write the documents that are made from the code.
    Generate {
        /// Change nothing; fail when one is stale, as the test lane `unit` does.
        #[arg(long)]
        check: bool,
    },
    /// List the lanes, what each shows and whether it can run here.
    Lanes,
    /// Measure winddown beside its peers.
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    match run(Cli::parse().verb) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<ExitCode, Error> {
    interrupt::attach()?;
    match verb {
        Verb::Test { lanes } => lane::test(&lane::named(&lanes)?),
        Verb::Setup { lanes } if lanes == ["bench"] => {
            bench::setup()?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Setup { lanes } => {
            for lane in lane::named(&lanes)? {
                setup::lane(lane)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Verb::Generate { check } => {
            generate::documents(check)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Lanes => {
            lane::list();
            Ok(ExitCode::SUCCESS)
        }
        Verb::Bench(bench) => {
            bench::run(&bench)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
