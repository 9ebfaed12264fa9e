//! A program that does what programs do wrong, and right, when they are asked to stop.

mod programs;

use std::env;
use std::fs;
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
    /// What is sent before `READY=1`.
    tell: Vec<String>,
    notify: bool,
    ready_file: Option<String>,
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
        let ready = self.notify.then_some("READY=1");
        for text in self.tell.iter().map(String::as_str).chain(ready) {
            if let Err(error) = testing::notify(text) {
                eprintln!("error: cannot notify the supervisor: {error}");
            }
        }
        if let Some(file) = &self.ready_file {
            if let Err(error) = fs::write(file, "ready\n") {
                eprintln!("error: cannot write {file}: {error}");
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
    say(
        "Usage: winddown-stubborn [--tell TEXT] [--notify] [--ready-file FILE] BEHAVIOUR [ARGUMENTS]\n",
    );
    say("It prints `ready` once it is set up, after `child PID` for each process that it started.");
    say("  --tell TEXT        sends this to NOTIFY_SOCKET, once it is set up");
    say("  --notify           also sends READY=1 to NOTIFY_SOCKET");
    say("  --ready-file FILE  also writes this file, for who cannot read its output\n");
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
    let mut words = env::args().skip(1);
    let (mut tell, mut notify, mut ready_file) = (Vec::new(), false, None);
    let name = loop {
        match words.next().as_deref() {
            None => usage("no behaviour is named"),
            Some("--help") => help(),
            Some("--tell") => tell.push(words.next().unwrap_or_else(|| usage("nothing to tell"))),
            Some("--notify") => notify = true,
            Some("--ready-file") => {
                ready_file = words.next().or_else(|| usage("no file is named"));
            }
            Some(name) => break name.to_owned(),
        }
    };
    let arguments = Arguments {
        words: words.collect(),
        tell,
        notify,
        ready_file,
    };
    match PROGRAMS.iter().find(|program| program.name == name) {
        Some(program) => (program.run)(&arguments),
        None => usage(&format!("there is no behaviour `{name}`")),
    }
}
