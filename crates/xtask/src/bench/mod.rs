//! Benchmarks beside the peers: each measures all of them in one run, and prints what was measured and nothing else.

mod child;
mod ends;
mod idle;
mod logs;
mod measure;
mod peers;
mod processes;
mod section;
mod stop_latency;
mod subject;
mod supervise;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value};

use self::section::Section;
use crate::command::Cmd;
use crate::error::Error;
use crate::interrupt;
use crate::need::Need;
use crate::session::Session;
use crate::{setup, workspace};

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
    /// Measure what it costs to have programs supervised, and how well it is done: start, stop, kill, memory, many programs,
    /// crashes.
    ///
    /// The supervisors take turns; those that take seconds to start are measured in some rounds only.
    Supervise {
        /// What to measure; all of it when nothing is named.
        #[arg(value_enum)]
        what: Vec<supervise::What>,
        /// How often each supervisor is stopped; `true` is run through it twice as often.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        rounds: u32,
        /// How long to watch an idle program, and one that crashes.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        seconds: u64,
        /// The largest number of programs of one supervisor; 1 and 200 are measured as well.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=4_000))]
        children: u16,
        /// How to print the result.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Capture the output of a program that prints at a rate, with rotation and compression, and compare every byte.
    Logs {
        /// How long it prints before it is asked to stop.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        seconds: u64,
        /// How much it prints in a second, in MB.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_000))]
        megabytes: u64,
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
        Bench::Idle { seconds, output } => sections(output, |done| {
            done(idle::measure(&peers::installed(), seconds)?);
            Ok(())
        }),
        Bench::Supervise {
            ref what,
            rounds,
            seconds,
            children,
            output,
        } => sections(output, |done| {
            let children = usize::from(children);
            supervise::run(what, rounds, seconds, children, done)
        }),
        Bench::Logs {
            seconds,
            megabytes,
            output,
        } => logs::run(seconds, megabytes, output),
    };
    let mut session = Session::default();
    session.take_census();
    result?;
    match session.failures.is_empty() {
        true => Ok(()),
        false => Err(Error::Unusable(session.failures.join("; "))),
    }
}

/// Builds what supervisors run, and winddown; then prints what `measure` has done, text as soon as there is any.
fn sections(
    output: Output,
    measure: impl FnOnce(&mut dyn FnMut(Section)) -> Result<(), Error>,
) -> Result<(), Error> {
    let directory = workspace::target("bench");
    fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
    child::build()?;
    let winddown = Cmd::cargo()
        .args(["build", "--quiet", "--release", "--package=winddown-cli"])
        .limit_seconds(1_800);
    winddown.run()?.0?;
    install(&workspace::target("release/winddown"))?;

    let mut all = Map::new();
    measure(&mut |section| match output {
        Output::Text => section.print(),
        Output::Json => {
            all.insert(section.key.to_owned(), section.json());
        }
    })?;
    if output == Output::Json {
        println!("{:#}", Value::Object(all));
    }
    Ok(())
}

/// Copies a program that was just built, as whoever installs it does: the page cache holds a file that was written from beginning to
/// end in larger pieces than one that a linker wrote here and there, and a page fault costs less.
fn install(built: &Path) -> Result<PathBuf, Error> {
    let name = built.file_name().expect("it is a file");
    let installed = installed(name);
    let directory = installed.parent().expect("it is in a directory");
    fs::create_dir_all(directory).map_err(Error::file(directory))?;
    fs::copy(built, &installed).map_err(Error::file(&installed))?;
    Ok(installed)
}

/// Where a program is once it was [installed](install).
fn installed(name: impl AsRef<Path>) -> PathBuf {
    workspace::target("bench/installed").join(name)
}

/// Installs the peers.
pub(crate) fn setup() -> Result<(), Error> {
    let needs: Vec<&Need> = peers::PEERS.iter().flat_map(|peer| peer.needs).collect();
    setup::install("bench", &needs)
}

fn pause(time: Duration) -> Result<(), Error> {
    let until = Instant::now() + time;
    loop {
        if interrupt::requested() {
            return Err(Error::Interrupted);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(Duration::from_millis(100)));
    }
}
