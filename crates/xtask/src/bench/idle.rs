//! `cargo xtask bench idle`: what supervisors of an idle program cost.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::{Output, subject::Subject, table};
use crate::command::Cmd;
use crate::error::Error;
use crate::interrupt;
use crate::need::Need;
use crate::workspace;

/// What a supervisor may take to start its program, and to stop it.
const LIMIT: Duration = Duration::from_secs(20);
/// How long a supervisor may still be busy with a start after its program runs.
const SETTLED: Duration = Duration::from_secs(3);

struct Supervisor {
    name: &'static str,
    need: Option<Need>,
    /// How it runs `sleep 1000`, with a directory of its own.
    command: fn(&Path) -> Result<Cmd, Error>,
}

const fn package(name: &'static str, provides: &'static str) -> Option<Need> {
    Some(Need::Package { name, provides })
}

const SUPERVISORS: [Supervisor; 7] = [
    Supervisor {
        name: "winddown run",
        need: None,
        command: |directory| {
            let winddown = workspace::target("release/winddown");
            let keep = directory.join("state");
            Ok(Cmd::new(winddown)
                .args(["run", "--state-directory"])
                .arg(keep)
                .args(["--", "sleep", "1000"]))
        },
    },
    Supervisor {
        name: "tini -s",
        need: package("tini", "tini"),
        command: |_| Ok(Cmd::new("tini").args(["-s", "--", "sleep", "1000"])),
    },
    Supervisor {
        name: "dumb-init",
        need: package("dumb-init", "dumb-init"),
        command: |_| Ok(Cmd::new("dumb-init").args(["sleep", "1000"])),
    },
    Supervisor {
        name: "catatonit",
        need: package("catatonit", "catatonit"),
        command: |_| Ok(Cmd::new("catatonit").args(["--", "sleep", "1000"])),
    },
    Supervisor {
        name: "s6-supervise",
        need: package("s6", "s6-supervise"),
        command: |directory| {
            run_script(directory)?;
            Ok(Cmd::new("s6-supervise").arg(directory))
        },
    },
    Supervisor {
        name: "runsv",
        need: package("runit", "runsv"),
        command: |directory| {
            run_script(directory)?;
            Ok(Cmd::new("runsv").arg(directory))
        },
    },
    Supervisor {
        name: "supervisord",
        need: package("supervisor", "supervisord"),
        command: |directory| {
            let config = directory.join("supervisord.conf");
            let text = "[supervisord]\nnodaemon=true\nuser=root\nlogfile=/dev/null\nlogfile_maxbytes=0\n\
                        pidfile=supervisord.pid\n[program:sleep]\ncommand=sleep 1000\n";
            fs::write(&config, text).map_err(Error::file(&config))?;
            let supervisord = Cmd::new("supervisord").arg("--configuration").arg(config);
            Ok(supervisord.directory(directory))
        },
    },
];

/// A service directory as s6 and runit read it.
fn run_script(directory: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let script = directory.join("run");
    fs::write(&script, "#!/bin/sh\nexec sleep 1000\n").map_err(Error::file(&script))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).map_err(Error::file(&script))
}

/// What a process has used so far.
#[derive(Clone, Copy, Default)]
struct Usage {
    wake_ups: u64,
    cpu_nanos: u64,
}

struct Row {
    name: &'static str,
    rss_kb: u64,
    pss_kb: u64,
    threads: usize,
    wake_ups: u64,
    cpu_ms: f64,
}

pub(super) fn run(seconds: u64, output: Output) -> Result<(), Error> {
    let winddown = Cmd::cargo()
        .args(["build", "--quiet", "--release", "--package=winddown-cli"])
        .limit_seconds(1_800);
    winddown.run()?.0?;

    let running = start()?;
    pause(SETTLED)?;
    let before: Vec<_> = running.iter().map(|(_, subject)| usage(subject)).collect();
    pause(Duration::from_secs(seconds))?;
    let rows: Vec<_> = running
        .iter()
        .zip(before)
        .map(|((name, subject), before)| row(name, subject, before))
        .collect::<Result<_, _>>()?;
    for (_, subject) in running {
        subject.signal(Signal::TERM)?;
        subject.wait(LIMIT)?;
    }
    print(&rows, seconds, output);
    Ok(())
}

/// Starts what is installed here, and says in a line what is not.
fn start() -> Result<Vec<(&'static str, Subject)>, Error> {
    let mut running = Vec::new();
    for supervisor in &SUPERVISORS {
        if let Some(missing) = supervisor.need.as_ref().filter(|need| !need.is_met()) {
            eprintln!(
                "note: {} is left out: {missing} is not installed",
                supervisor.name
            );
            continue;
        }
        let directory = fresh_directory(supervisor.name)?;
        let subject = Subject::start(supervisor.name, (supervisor.command)(&directory)?)?;
        subject.wait_until("did not start its program", LIMIT, |subject| {
            subject.children().iter().any(|child| child == "sleep")
        })?;
        running.push((supervisor.name, subject));
    }
    Ok(running)
}

fn fresh_directory(name: &str) -> Result<PathBuf, Error> {
    let directory = workspace::target("bench/idle").join(name.replace(' ', "-"));
    if directory.exists() {
        fs::remove_dir_all(&directory).map_err(Error::file(&directory))?;
    }
    fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
    Ok(directory)
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

fn row(name: &'static str, subject: &Subject, before: Usage) -> Result<Row, Error> {
    let after = usage(subject);
    let memory = subject.file("smaps_rollup");
    let memory = fs::read_to_string(&memory).map_err(Error::file(&memory))?;
    Ok(Row {
        name,
        rss_kb: field(&memory, "Rss:"),
        pss_kb: field(&memory, "Pss:"),
        threads: subject.threads().len(),
        wake_ups: after.wake_ups.saturating_sub(before.wake_ups),
        cpu_ms: after.cpu_nanos.saturating_sub(before.cpu_nanos) as f64 / 1e6,
    })
}

/// What all threads of a process have used so far: how often they were switched out, and their time on a CPU.
fn usage(subject: &Subject) -> Usage {
    let mut usage = Usage::default();
    for thread in subject.threads() {
        let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
        usage.wake_ups += field(&status, "voluntary_ctxt_switches:");
        usage.wake_ups += field(&status, "nonvoluntary_ctxt_switches:");
        let schedule = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
        let on_cpu = schedule.split_whitespace().next();
        usage.cpu_nanos += on_cpu.and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
    }
    usage
}

/// The number in the line that begins with `name`; 0 where there is none.
fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

fn print(rows: &[Row], seconds: u64, output: Output) {
    if output == Output::Json {
        let supervisors: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({
                    "supervisor": row.name,
                    "rss_kb": row.rss_kb,
                    "pss_kb": row.pss_kb,
                    "threads": row.threads,
                    "wake_ups": row.wake_ups,
                    "cpu_ms": row.cpu_ms,
                })
            })
            .collect();
        println!(
            "{:#}",
            json!({ "seconds": seconds, "supervisors": supervisors })
        );
        return;
    }
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            [
                row.name.to_owned(),
                row.rss_kb.to_string(),
                row.pss_kb.to_string(),
                row.threads.to_string(),
                row.wake_ups.to_string(),
                format!("{:.2}", row.cpu_ms),
            ]
        })
        .collect();
    println!("Each runs `sleep 1000`; wake-ups and CPU time in {seconds} s, all at once:\n");
    let head = [
        "supervisor",
        "RSS kB",
        "PSS kB",
        "threads",
        "wake-ups",
        "CPU ms",
    ];
    table::print(head, &cells);
}
