//! `cargo xtask bench stop-latency`: from kill(2) to the program's own code.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::json;

use super::measure::{monotonic, percentile};
use super::{Output, install, subject::Subject, table};
use crate::command::Cmd;
use crate::error::Error;
use crate::need::Need;
use crate::workspace;

/// What a program may take for one step.
const LIMIT: Duration = Duration::from_secs(5);
/// A moment of sleep, so that the program is asked out of its sleep and not on the way into it.
const SETTLED: Duration = Duration::from_millis(2);

/// A way to hear SIGTERM.
struct Program {
    name: &'static str,
    needs: &'static [Need],
    build: Build,
}

enum Build {
    /// An example of this package.
    Example(&'static str),
    C(&'static str),
    Go(&'static str),
}

/// The first is what the others are compared with.
const PROGRAMS: [Program; 6] = [
    Program {
        name: "sigwait in C",
        needs: &[Need::Package {
            name: "gcc",
            provides: "gcc",
        }],
        build: Build::C("sigwait"),
    },
    Program {
        name: "winddown",
        needs: &[],
        build: Build::Example("stop_winddown_sync"),
    },
    Program {
        name: "winddown, tokio",
        needs: &[],
        build: Build::Example("stop_winddown_tokio"),
    },
    Program {
        name: "signal-hook",
        needs: &[],
        build: Build::Example("stop_signal_hook"),
    },
    Program {
        name: "tokio::signal",
        needs: &[],
        build: Build::Example("stop_tokio_signal"),
    },
    Program {
        name: "kardianos/service",
        needs: &[
            Need::Package {
                name: "golang-go",
                provides: "go",
            },
            Need::Package {
                name: "golang-github-kardianos-service-dev",
                provides: "/usr/share/gocode/src/github.com/kardianos/service",
            },
        ],
        build: Build::Go("kardianos"),
    },
];

/// A program that can run, and how long each of its stops took.
struct Measured {
    name: &'static str,
    executable: PathBuf,
    nanos: Vec<u64>,
}

pub(super) fn run(rounds: u32, output: Output) -> Result<(), Error> {
    let mut programs = build()?;
    let processors = Processors::find();
    // The first start reads the program from disk.
    for program in &programs {
        stop(program.name, &program.executable, &processors)?;
    }
    for _ in 0..rounds {
        // What ran before leaves its traces in the processor: that must not be the same program each time.
        let mut order: Vec<_> = programs.iter_mut().collect();
        fastrand::shuffle(&mut order);
        for program in order {
            let took = stop(program.name, &program.executable, &processors)?;
            program.nanos.push(took);
        }
    }
    print(&programs, rounds, output);
    Ok(())
}

/// The asker has one processor and the program another: else it is chance, and how many threads a program has, whether they share one.
/// To be woken on another takes twice as long.
struct Processors {
    asker: CpuSet,
    program: CpuSet,
}

impl Processors {
    /// The first two that there are, or the only one.
    fn find() -> Self {
        let all = sched_getaffinity(None).unwrap_or_default();
        let one = |nth| {
            let mut set = CpuSet::new();
            let mut there = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu));
            there.nth(nth).into_iter().for_each(|cpu| set.set(cpu));
            set
        };
        let (asker, program) = (one(0), one(1));
        match program.count() {
            0 => Self {
                asker,
                program: asker,
            },
            _ => Self { asker, program },
        }
    }

    /// Who starts a program is where the program is to be.
    fn be_on_programs(&self) {
        let _ = sched_setaffinity(None, &self.program);
    }

    fn be_on_askers(&self) {
        let _ = sched_setaffinity(None, &self.asker);
    }
}

/// Starts a program, stops it once it waits, and tells how many nanoseconds later it heard.
fn stop(name: &'static str, executable: &PathBuf, processors: &Processors) -> Result<u64, Error> {
    processors.be_on_programs();
    let mut program = Subject::start(name, Cmd::new(executable))?;
    processors.be_on_askers();
    if program.line(LIMIT)? != "ready" {
        return Err(program.failed("did not say that it is ready"));
    }
    program.wait_until("did not come to rest", LIMIT, Subject::sleeps)?;
    thread::sleep(SETTLED);

    let asked = monotonic();
    program.signal(Signal::TERM)?;
    let heard = program.line(LIMIT)?;
    let heard: u64 = heard
        .parse()
        .map_err(|_| program.failed(&format!("said `{heard}`")))?;
    program.wait(LIMIT)?;
    Ok(heard.saturating_sub(asked))
}

/// Builds what can be built here, and says in a line what cannot.
fn build() -> Result<Vec<Measured>, Error> {
    let directory = workspace::target("bench");
    std::fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
    let examples = Cmd::cargo()
        .args(["build", "--quiet", "--release", "--package=xtask"])
        .arg("--examples")
        .limit_seconds(1_800);
    examples.run()?.0?;

    let mut built = Vec::new();
    for program in &PROGRAMS {
        if let Some(missing) = program.needs.iter().find(|need| !need.is_met()) {
            eprintln!(
                "note: {} is left out: {missing} is not installed",
                program.name
            );
            continue;
        }
        built.push(Measured {
            name: program.name,
            executable: install(&program.build.run()?)?,
            nanos: Vec::new(),
        });
    }
    Ok(built)
}

impl Build {
    fn run(&self) -> Result<PathBuf, Error> {
        let asset = |file: String| {
            workspace::root()
                .join("crates/xtask/assets/bench")
                .join(file)
        };
        match self {
            Self::Example(name) => Ok(workspace::target("release/examples").join(name)),
            Self::C(name) => {
                let executable = workspace::target("bench").join(name);
                let gcc = Cmd::new("gcc")
                    .args(["-O2", "-Wall", "-o"])
                    .arg(&executable);
                gcc.arg(asset(format!("{name}.c"))).run()?.0?;
                Ok(executable)
            }
            Self::Go(name) => {
                let executable = workspace::target("bench").join(name);
                // Debian's packages of Go libraries are not modules.
                let go = Cmd::new("go")
                    .env("GO111MODULE", "off")
                    .env("GOPATH", "/usr/share/gocode")
                    .env("GOCACHE", workspace::target("bench/go-cache"))
                    .args(["build", "-o"])
                    .arg(&executable);
                go.arg(asset(format!("{name}.go"))).run()?.0?;
                Ok(executable)
            }
        }
    }
}

fn print(programs: &[Measured], rounds: u32, output: Output) {
    let reference = programs
        .first()
        .map_or(0, |first| percentile(&first.nanos, 50));
    let ratio = |nanos: u64| nanos as f64 / reference as f64;
    if output == Output::Json {
        let programs: Vec<_> = programs
            .iter()
            .map(|program| {
                let median = percentile(&program.nanos, 50);
                json!({
                    "program": program.name,
                    "median_ns": median,
                    "p99_ns": percentile(&program.nanos, 99),
                    "min_ns": percentile(&program.nanos, 0),
                    "ratio": ratio(median),
                })
            })
            .collect();
        println!("{:#}", json!({ "rounds": rounds, "programs": programs }));
        return;
    }
    let micros = |nanos: u64| format!("{:.1}", nanos as f64 / 1_000.0);
    let rows: Vec<_> = programs
        .iter()
        .map(|program| {
            let median = percentile(&program.nanos, 50);
            [
                program.name.to_owned(),
                micros(median),
                micros(percentile(&program.nanos, 99)),
                format!("{:.2}", ratio(median)),
            ]
        })
        .collect();
    println!("kill(TERM) to the program's own code, {rounds} rounds in turn:\n");
    table::print(&["program", "median µs", "p99 µs", "× first"], &rows);
}
