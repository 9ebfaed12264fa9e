//! A program that does what programs do wrong, and right, when they are asked to stop.

mod programs;

use std::env;
use std::io::{self, Write};
use std::process;
use std::thread;
use std::time::Duration;

use winddown_core::parse_duration;
use winddown_sys::testing;

use programs::PROGRAMS;

const LIFE: &str = "WINDDOWN_STUBBORN_LIFE";
const LIFE_ENDED: i32 = 99;
const USAGE: i32 = 2;

/// One behaviour: its name, its arguments, what it does, and its body, which never returns.
struct Program {
    name: &'static str,
    arguments: &'static str,
    what: &'static str,
    run: fn(&Arguments) -> !,
}

/// The words after the name of the behaviour.
struct Arguments {
    words: Vec<String>,
    notify: bool,
}

impl Arguments {
    fn text(&self, index: usize) -> Option<&str> {
        self.words.get(index).map(String::as_str)
    }

    fn number(&self, index: usize, default: u32) -> u32 {
        self.text(index).map_or(default, |text| {
            text.parse()
                .unwrap_or_else(|_| usage(&format!("`{text}` is no number")))
        })
    }

    fn duration(&self, index: usize, default: Duration) -> Duration {
        self.text(index).map_or(default, |text| {
            parse_duration(text).unwrap_or_else(|error| usage(&error.to_string()))
        })
    }

    /// Says that everything is set up. Masks must be set before: this starts the first thread.
    fn ready(&self) {
        limit_life();
        if self.notify {
            if let Err(error) = testing::notify_ready() {
                eprintln!("error: cannot notify the supervisor: {error}");
            }
        }
        say("ready");
    }
}

/// Prints a line; that nobody reads it is no reason to stop.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Ends this process after a while, so that no test can leave it running for ever.
fn limit_life() {
    let life = env::var(LIFE).map_or(Duration::from_secs(120), |text| {
        parse_duration(&text).unwrap_or_else(|error| usage(&format!("{LIFE}: {error}")))
    });
    thread::spawn(move || {
        thread::sleep(life);
        process::exit(LIFE_ENDED);
    });
}

fn usage(problem: &str) -> ! {
    eprintln!("error: {problem}\nhint: see winddown-stubborn --help");
    process::exit(USAGE)
}

fn help() -> ! {
    say("Does what programs do wrong, and right, when they are asked to stop.\n");
    say("Usage: winddown-stubborn [--notify] BEHAVIOUR [ARGUMENTS]\n");
    say("It prints `ready` once it is set up, after `child PID` for each process that it started.");
    say("  --notify  also sends READY=1 to NOTIFY_SOCKET\n");
    say("Stop requests are TERM, INT, HUP and QUIT on Unix, console events on Windows.");
    say("Durations are written as 500ms or 3s. No process of it lives longer than 2m, or");
    say(&format!("{LIFE}; then it exits with {LIFE_ENDED}.\n"));
    for program in PROGRAMS {
        say(format!("  {} {}", program.name, program.arguments).trim_end());
        say(&format!("      {}", program.what));
    }
    process::exit(0)
}

fn main() {
    let mut words: Vec<String> = env::args().skip(1).collect();
    let notify = words.first().is_some_and(|word| word == "--notify");
    if notify {
        words.remove(0);
    }
    let name = match words.first().map(String::as_str) {
        None => usage("no behaviour is named"),
        Some("--help") => help(),
        Some(_) => words.remove(0),
    };
    match PROGRAMS.iter().find(|program| program.name == name) {
        Some(program) => (program.run)(&Arguments { words, notify }),
        None => usage(&format!("there is no behaviour `{name}`")),
    }
}
