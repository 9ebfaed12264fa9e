//! The command line.

mod control;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use winddown_core::{Signal, exit::EXIT_CODES, parse_duration};

use winddown_run::{SignalMap, service_name};

pub(crate) use control::{
    ControlArgs, LogsArgs, OperationArgs, ReloadArgs, RestartArgs, RotateLogsArgs, StatusArgs,
};
use control::{
    LOGS_ABOUT, RELOAD_ABOUT, RESTART_ABOUT, ROTATE_LOGS_ABOUT, START_ABOUT, STATUS_ABOUT,
    STOP_ABOUT,
};

/// Make every stop request reach a program, bound the stop, prove that nothing is left, and say what happened.
#[derive(Debug, Parser)]
#[command(name = "winddown", version, after_long_help = exit_codes(), propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// Write results for people or as JSON
    #[arg(long, global = true, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub(crate) output: Output,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

impl Cli {
    /// `winddown run -- PROGRAM...`, as it stands in most images, needs no parser: to make one takes 0.2 ms of a start.
    pub(crate) fn without_flags(words: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut words = words.into_iter().skip(1);
        if words.next()? != "run" || words.next()? != "--" {
            return None;
        }
        let run = RunArgs {
            command: words.collect(),
            ..RunArgs::default()
        };
        (!run.command.is_empty()).then_some(Self {
            output: Output::Text,
            verb: Verb::Run(run),
        })
    }
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// One JSON document, of a stable form.
    Json,
}

#[derive(Debug, Subcommand)]
// Only the verb that is asked for is made. What a flattened struct says of itself would be its verb's text then: it is no doc comment.
#[command(defer = true)]
pub(crate) enum Verb {
    /// Run a program so that every stop request reaches it and nothing of it is left behind
    #[command(long_about = RUN_ABOUT)]
    Run(RunArgs),
    /// Start a program, ask it to stop, and judge how it did: for your own CI
    #[command(long_about = REHEARSE_ABOUT)]
    Rehearse(RehearseArgs),
    /// Show how the services of a running winddown stand
    #[command(long_about = STATUS_ABOUT)]
    Status(StatusArgs),
    /// Start a service of a running winddown
    #[command(long_about = START_ABOUT)]
    Start(OperationArgs),
    /// Stop a service of a running winddown
    #[command(long_about = STOP_ABOUT)]
    Stop(OperationArgs),
    /// Stop a service of a running winddown and start it again
    #[command(long_about = RESTART_ABOUT)]
    Restart(RestartArgs),
    /// Have a running winddown read its definition again
    #[command(long_about = RELOAD_ABOUT)]
    Reload(ReloadArgs),
    /// Show what a service of a running winddown writes
    #[command(long_about = LOGS_ABOUT)]
    Logs(LogsArgs),
    /// Begin new log files for a service of a running winddown
    #[command(long_about = ROTATE_LOGS_ABOUT)]
    RotateLogs(RotateLogsArgs),
    /// Show the reports of the last stops
    #[command(long_about = HISTORY_ABOUT)]
    History(HistoryArgs),
    /// Say what started this process, and by which evidence
    Host,
    /// Check a definition file without running anything
    Check(CheckArgs),
    /// Write a completion script for a shell to standard output
    Completions(CompletionsArgs),
    /// Write the manual page of winddown, or of one of its verbs, to standard output
    Man(ManArgs),
}

const RUN_ABOUT: &str = "\
Run a program so that every stop request reaches it and nothing of it is left behind.

The same command works in a console, as PID 1 of a container, under systemd and other managers, and as a Windows service. \
A stop request (SIGTERM, SIGINT, SIGQUIT, the closing of the terminal, a service control, a console event) is passed on to \
the program. If it has not ended after the stop timeout, it is killed with everything that descends from it. Other signals \
are forwarded. Afterwards winddown exits as the program did.

Without --stop-signal a program is asked by the signal that asked winddown.

With --output json the program's standard output goes to standard error, and standard output is the report's.";

const REHEARSE_ABOUT: &str = "\
Start a program, wait until it is ready, ask it to stop, and judge how it did.

The verdict is `graceful` (a handler ran and all of it ended in time), `unhandled` (the signal's default action ended it: \
nothing was cleaned up), `forced` (it had to be killed) or `failed` (it ended with an error). The exit code is 0 only if every \
stop was graceful.

A program is ready when it sends READY=1 to its NOTIFY_SOCKET, or listens on a TCP port and has come to rest, or has come to \
rest for half a second. One that sends nothing there and never rests counts as ready after 20 s.

With --output json the program's standard output goes to standard error.

Example: winddown rehearse --repeat 5 -- nginx -g 'daemon off;'";

const HISTORY_ABOUT: &str = "\
Show the reports of the last stops, the newest first.

`winddown run` keeps the newest reports of each service, 256 KiB of them or some more, in its state directory: `winddown` in the directory that systemd \
gives (StateDirectory=); else /var/lib/winddown for root (/var/db/winddown outside of Linux) and \
~/.local/state/winddown for other users; on Windows %ProgramData%\\winddown for services and administrators and \
%LocalAppData%\\winddown for other users. WINDDOWN_STATE_DIRECTORY names another one, or, empty, none: then no report is kept.

Times are in UTC.";

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RunArgs {
    /// Read the definition of the program from this file; flags given here win over it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) stop: StopArgs,

    #[command(flatten)]
    pub(crate) process: ProcessArgs,

    /// Write the report of the stop to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) state: StateArgs,

    /// Hand the terminal to the program: Ctrl+C, Ctrl+Z and changes of the window are its own affair then
    #[arg(long, short)]
    pub(crate) interactive: bool,

    /// Write the program's output to this file, which never makes the program wait; see [logs] of a definition for rotation
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,

    /// Show the program's output with the name of its service in front of each line
    #[arg(long)]
    pub(crate) log_prefix: bool,

    /// Pass a signal that winddown receives on as another: HUP=USR1; or USR2=ignore; or, with --config, USR1=reload; repeatable
    ///
    /// What is said of TERM, INT or QUIT is by which signal the program is asked to stop then. With --config, HUP means reload unless
    /// something else is said of it.
    #[arg(long, value_name = "SIGNAL=ACTION")]
    pub(crate) signal_map: Vec<SignalMap>,

    /// Listen at this control socket, see `winddown status --help`; on Windows a pipe's name
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,

    /// When the program counts as ready, which is when the host is told so
    #[arg(long, value_enum, value_name = "WHEN")]
    pub(crate) ready: Option<Ready>,

    /// Start the program again after which ends; back-off and limits are set in [restart] of a definition [default: never]
    #[arg(long, value_enum, value_name = "WHEN")]
    pub(crate) restart: Option<Restart>,

    /// The name in reports; under the Windows SCM the service's name [default: the program's file name]
    #[arg(long, value_name = "NAME", value_parser = service_name)]
    pub(crate) name: Option<String>,

    /// The program and its arguments
    #[arg(
        last = true,
        value_name = "PROGRAM",
        required_unless_present = "config"
    )]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct RehearseArgs {
    /// The signal that asks the program; on Windows the console event that stands for it [default: TERM]
    #[arg(long, value_name = "SIGNAL", value_parser = rehearsed)]
    pub(crate) signal: Option<Signal>,

    /// How long the stop may take before the program is killed
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub(crate) timeout: Duration,

    /// How often to start and stop the program
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) repeat: u32,

    /// When to ask: right after the start, when the program is ready, or a duration after the start
    #[arg(long, value_name = "start|ready|DURATION", value_parser = when, default_value = "ready")]
    pub(crate) when: When,

    /// How long the program may take to become ready
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s")]
    pub(crate) ready_timeout: Duration,

    /// The program and its arguments
    #[arg(last = true, value_name = "PROGRAM", required = true)]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Only the stops of this service
    pub(crate) name: Option<String>,

    /// How many stops to show
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) last: u32,

    /// Show each report in full
    #[arg(long)]
    pub(crate) full: bool,

    /// Show the report of this ID in full
    #[arg(long, value_name = "ID", conflicts_with_all = ["full", "last"])]
    pub(crate) id: Option<String>,

    #[command(flatten)]
    pub(crate) state: StateArgs,
}

// Where state is kept.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct StateArgs {
    /// Where the reports of stops are kept [default: the system's place, see `winddown history --help`]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) state_directory: Option<PathBuf>,
}

// What the program is started with.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ProcessArgs {
    /// The directory to start the program in; its own relative path begins there
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) directory: Option<PathBuf>,

    /// Set a variable in the program's environment, also over a file; may be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,

    /// Read variables for the program's environment from this file; may be given again
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,

    /// Run the program as this user, by name or number, with its groups and home (Unix)
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
}

// How to stop.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct StopArgs {
    /// How long the whole stop may take before the program is killed [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) stop_timeout: Option<Duration>,

    /// The signal that asks the program to stop, whatever asked winddown
    #[arg(long, value_name = "SIGNAL", value_parser = stopping)]
    pub(crate) stop_signal: Option<Signal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ready {
    /// As soon as it runs.
    Spawned,
    /// When it sends READY=1 to its NOTIFY_SOCKET.
    Notify,
    /// As `rehearse` judges it.
    Auto,
}

/// After which ends a program is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Restart {
    /// After every end that nobody asked for.
    Always,
    /// After an end that is a failure.
    OnFailure,
    /// After none.
    Never,
}

/// When a rehearsal asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Start,
    Ready,
    After(Duration),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The definition file
    #[arg(value_name = "FILE", required_unless_present = "schema")]
    pub(crate) file: Option<PathBuf>,

    /// Write the JSON Schema of definition files to standard output instead
    #[arg(long, conflicts_with = "file")]
    pub(crate) schema: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The verb, such as `run`; without it, the page of winddown itself
    pub(crate) verb: Option<String>,

    /// Write every page into this directory instead
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "verb")]
    pub(crate) directory: Option<PathBuf>,
}

fn variable(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        None => Err("there is no `=`"),
        Some(("", _)) => Err("there is no name before the `=`"),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// A signal that asks a program to stop.
fn stopping(text: &str) -> Result<Signal, String> {
    match text.parse() {
        Ok(Signal::Stop) => Err(
            "STOP asks nothing, it makes a program stand still: use TERM, INT or another"
                .to_owned(),
        ),
        Ok(signal) => Ok(signal),
        Err(error) => Err(error.to_string()),
    }
}

/// A signal by which a stop can be rehearsed.
fn rehearsed(text: &str) -> Result<Signal, String> {
    match stopping(text)? {
        Signal::Kill => Err(
            "no program can handle KILL, so there is nothing to rehearse: use TERM, INT or another"
                .to_owned(),
        ),
        signal => Ok(signal),
    }
}

fn when(text: &str) -> Result<When, String> {
    match text {
        "start" => Ok(When::Start),
        "ready" => Ok(When::Ready),
        _ => duration(text)
            .map(When::After)
            .map_err(|error| format!("neither start nor ready, and no duration: {error}")),
    }
}

/// The table of exit codes, as `--help` and the manual show it.
fn exit_codes() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for code in EXIT_CODES {
        text += &format!("  {:>3}  {}\n", code.code, code.meaning);
    }
    text + "  `run` ends as its program did: with its code, or by its signal, which shells show as 128 + n."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_flags_it_is_as_the_parser_has_it() {
        let plain = |words: &[&str]| Cli::without_flags(words.iter().map(Into::into));
        for command in [&["true"][..], &["sh", "-c", "--", "--output", ""], &[""]] {
            let words = [&["winddown", "run", "--"], command].concat();
            let parsed = Cli::try_parse_from(&words).unwrap();
            assert_eq!(
                format!("{:?}", plain(&words).unwrap()),
                format!("{parsed:?}")
            );
        }
        for words in [
            &["winddown"][..],
            &["winddown", "run"],
            &["winddown", "run", "--"],
            &["winddown", "run", "true"],
            &["winddown", "run", "-i", "--", "true"],
            &["winddown", "rehearse", "--", "true"],
        ] {
            assert!(plain(words).is_none(), "{words:?}");
        }
    }
}
