//! Benchmarks beside the peers: each measures all of them in one run, and prints what was measured and nothing else.

mod idle;
mod stop_latency;
mod subject;
mod table;

use clap::{Subcommand, ValueEnum};

use crate::error::Error;
use crate::session::Session;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Measure how long SIGTERM takes from kill(2) to the program's own code.
    ///
    /// The programs take turns, so that whatever else the machine does meets them all. Each is
    /// started anew for each round and asked once it waits.
    StopLatency {
        /// How often each program is stopped.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        rounds: u32,
        /// How to print the result.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Measure what supervisors of an idle program cost: memory, threads, wake-ups and time.
    Idle {
        /// How long to watch them, all at once.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        seconds: u64,
        /// How to print the result.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    #[default]
    Text,
    Json,
}

/// Runs a benchmark and makes sure that it left nothing running.
pub(crate) fn run(bench: &Bench) -> Result<(), Error> {
    let result = match *bench {
        Bench::StopLatency { rounds, output } => stop_latency::run(rounds, output),
        Bench::Idle { seconds, output } => idle::run(seconds, output),
    };
    let mut session = Session::default();
    session.take_census();
    result?;
    match session.failures.is_empty() {
        true => Ok(()),
        false => Err(Error::Unusable(session.failures.join("; "))),
    }
}
