#![expect(
    clippy::zombie_processes,
    reason = "to leave children behind is what some of these programs are for"
)]

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use winddown_core::Mechanism;
use winddown_sys::testing;

use crate::{Arguments, Program, limit_life, say, usage};

const fn program(
    name: &'static str,
    arguments: &'static str,
    what: &'static str,
    run: fn(&Arguments) -> !,
) -> Program {
    Program {
        name,
        arguments,
        what,
        run,
    }
}

pub(crate) const PROGRAMS: &[Program] = &[
    program(
        "graceful",
        "[MARKER]",
        "stops properly: writes `stopped` to the file MARKER, prints it, exits 0",
        graceful,
    ),
    program(
        "never-ready",
        "",
        "stops properly, but never says that it is ready",
        never_ready,
    ),
    program(
        "unhandled",
        "",
        "handles nothing: dies of the default action",
        unhandled,
    ),
    program(
        "term-then-reraise",
        "",
        "cleans up, prints `stopped`, then dies of the request itself",
        term_then_reraise,
    ),
    program(
        "ignores-term",
        "",
        "ignores every stop request",
        ignores_term,
    ),
    program(
        "blocks-term",
        "",
        "has every stop request blocked and never takes one",
        blocks_term,
    ),
    program(
        "exits-late",
        "DURATION",
        "takes DURATION to stop, then exits 0",
        exits_late,
    ),
    program(
        "exits-on-stop",
        "CODE",
        "exits with CODE when asked to stop",
        exits_on_stop,
    ),
    program(
        "crashes-on-stop",
        "",
        "aborts when asked to stop",
        crashes_on_stop,
    ),
    program(
        "exits",
        "CODE [DURATION]",
        "exits with CODE on its own, after DURATION",
        exits,
    ),
    program(
        "crashes",
        "[DURATION]",
        "aborts on its own, after DURATION",
        crashes,
    ),
    program(
        "floods",
        "",
        "prints without end until asked to stop",
        floods,
    ),
    program(
        "floods-on-stop",
        "[MEGABYTES]",
        "prints that much (10), part of it no UTF-8, then `last line`, when asked to stop",
        floods_on_stop,
    ),
    program(
        "stops-itself",
        "",
        "stops itself with SIGSTOP (Unix); stops properly once it is continued",
        stops_itself,
    ),
    program(
        "closes-stdin-stops",
        "",
        "ignores every stop request, and exits 0 at the end of its standard input",
        closes_stdin_stops,
    ),
    program(
        "heeds-its-window",
        "[MARKER]",
        "ignores every stop request, and exits 0 on WM_CLOSE or WM_QUIT (Windows), writing which to the file MARKER",
        heeds_its_window,
    ),
    program(
        "heeds-its-event",
        "NAME",
        "ignores every stop request, and exits 0 once the named event NAME is set (Windows)",
        heeds_its_event,
    ),
    program(
        "fork-ignores-term",
        "",
        "stops properly, but leaves a child that ignores every stop request",
        fork_ignores_term,
    ),
    program(
        "setsid-child",
        "[BEHAVIOUR...]",
        "stops properly, but leaves a child in a session or console of its own (ignores-term)",
        setsid_child,
    ),
    program(
        "double-forks",
        "[BEHAVIOUR...]",
        "stops properly, but leaves a daemon that has lost its parent too (ignores-term)",
        double_forks,
    ),
    program(
        "daemonizes",
        "[BEHAVIOUR...]",
        "exits 0 as soon as its daemon is ready (graceful)",
        daemonizes,
    ),
    program(
        "deep-tree",
        "DEPTH [BEHAVIOUR...]",
        "stops properly, and so does each of a chain of DEPTH children; the last is another (ignores-term)",
        deep_tree,
    ),
    program(
        "refork",
        "",
        "stops properly, but leaves a process that keeps moving on to a new one in a new session",
        refork,
    ),
    program("refork-step", "STEPS", "one step of `refork`", refork_step),
];

const REFORK_PAUSE: Duration = Duration::from_millis(20);

/// Waits to be asked, says so, and gives the request.
fn asked() -> Mechanism {
    let request = testing::await_stop_request();
    say(&format!("stopping: {request}"));
    request
}

fn stop_properly() -> ! {
    asked();
    say("stopped");
    process::exit(0)
}

fn wait_for_ever() -> ! {
    loop {
        thread::park();
    }
}

fn graceful(arguments: &Arguments) -> ! {
    testing::hold_stop_requests();
    arguments.ready();
    asked();
    mark(arguments, "stopped");
    process::exit(0)
}

/// Says `what`, and writes it to the file that the first argument names.
fn mark(arguments: &Arguments, what: &str) {
    if let Some(marker) = arguments.text(0) {
        if let Err(error) = fs::write(marker, format!("{what}\n")) {
            eprintln!("error: cannot write {marker}: {error}");
            process::exit(1);
        }
    }
    say(what);
}

fn never_ready(_: &Arguments) -> ! {
    testing::hold_stop_requests();
    limit_life();
    stop_properly()
}

fn unhandled(arguments: &Arguments) -> ! {
    arguments.ready();
    wait_for_ever()
}

fn term_then_reraise(arguments: &Arguments) -> ! {
    testing::hold_stop_requests();
    arguments.ready();
    let request = asked();
    say("stopped");
    testing::die_of(&request)
}

fn ignores_term(arguments: &Arguments) -> ! {
    testing::ignore_stop_requests();
    arguments.ready();
    wait_for_ever()
}

fn blocks_term(arguments: &Arguments) -> ! {
    testing::hold_stop_requests();
    arguments.ready();
    wait_for_ever()
}

fn exits_late(arguments: &Arguments) -> ! {
    let late = arguments.duration(0, Duration::from_secs(1));
    testing::hold_stop_requests();
    arguments.ready();
    asked();
    thread::sleep(late);
    say("stopped");
    process::exit(0)
}

fn exits_on_stop(arguments: &Arguments) -> ! {
    let code = exit_code(arguments);
    testing::hold_stop_requests();
    arguments.ready();
    asked();
    process::exit(code)
}

fn crashes_on_stop(arguments: &Arguments) -> ! {
    testing::hold_stop_requests();
    arguments.ready();
    asked();
    process::abort()
}

fn exits(arguments: &Arguments) -> ! {
    let (code, after) = (exit_code(arguments), arguments.duration(1, Duration::ZERO));
    arguments.ready();
    thread::sleep(after);
    process::exit(code)
}

fn exit_code(arguments: &Arguments) -> i32 {
    arguments.number(0, 1) as i32
}

fn crashes(arguments: &Arguments) -> ! {
    let after = arguments.duration(0, Duration::ZERO);
    arguments.ready();
    thread::sleep(after);
    process::abort()
}

fn floods(arguments: &Arguments) -> ! {
    testing::hold_stop_requests();
    arguments.ready();
    thread::spawn(|| {
        let mut out = io::stdout().lock();
        let line = [b'x'; 79];
        while writeln!(out, "{}", String::from_utf8_lossy(&line)).is_ok() {}
    });
    testing::await_stop_request();
    process::exit(0)
}

fn floods_on_stop(arguments: &Arguments) -> ! {
    let megabytes = arguments.number(0, 10);
    testing::hold_stop_requests();
    arguments.ready();
    asked();
    let mut line = [b'x'; 1024];
    line[1022] = 0xff;
    line[1023] = b'\n';
    let mut out = io::stdout().lock();
    for _ in 0..megabytes * 1024 {
        if out.write_all(&line).is_err() {
            process::exit(1);
        }
    }
    drop(out);
    say("last line");
    process::exit(0)
}

fn stops_itself(arguments: &Arguments) -> ! {
    testing::hold_stop_requests();
    arguments.ready();
    if let Err(error) = testing::pause_self() {
        eprintln!("error: cannot stop itself: {error}");
        process::exit(1);
    }
    stop_properly()
}

fn closes_stdin_stops(arguments: &Arguments) -> ! {
    testing::ignore_stop_requests();
    arguments.ready();
    let mut rest = Vec::new();
    let _ = io::stdin().read_to_end(&mut rest);
    say("stopped");
    process::exit(0)
}

fn heeds_its_window(arguments: &Arguments) -> ! {
    testing::ignore_stop_requests();
    match testing::await_window_message(|| arguments.ready()) {
        Ok(message) => {
            mark(arguments, message);
            process::exit(0)
        }
        Err(error) => {
            eprintln!("error: cannot have a window: {error}");
            process::exit(1)
        }
    }
}

fn heeds_its_event(arguments: &Arguments) -> ! {
    testing::ignore_stop_requests();
    let Some(name) = arguments.text(0) else {
        usage("no event is named")
    };
    match testing::await_event(name, || arguments.ready()) {
        Ok(()) => {
            say("stopped");
            process::exit(0)
        }
        Err(error) => {
            eprintln!("error: cannot wait for {name}: {error}");
            process::exit(1)
        }
    }
}

fn fork_ignores_term(arguments: &Arguments) -> ! {
    testing::hold_stop_requests();
    start(&["ignores-term"], false);
    arguments.ready();
    stop_properly()
}

fn setsid_child(arguments: &Arguments) -> ! {
    testing::hold_stop_requests();
    start(&behaviour(arguments, 0, "ignores-term"), true);
    arguments.ready();
    stop_properly()
}

fn double_forks(arguments: &Arguments) -> ! {
    testing::hold_stop_requests();
    let mut between = vec!["daemonizes"];
    between.extend(behaviour(arguments, 0, "ignores-term"));
    let mut between = start(&between, false);
    let _ = between.wait();
    arguments.ready();
    stop_properly()
}

fn daemonizes(arguments: &Arguments) -> ! {
    start(&behaviour(arguments, 0, "graceful"), true);
    arguments.ready();
    process::exit(0)
}

fn deep_tree(arguments: &Arguments) -> ! {
    testing::hold_stop_requests();
    let leaf = behaviour(arguments, 1, "ignores-term");
    match arguments.number(0, 1).saturating_sub(1) {
        0 => start(&leaf, false),
        depth => {
            let depth = depth.to_string();
            let mut below = vec!["deep-tree", &depth];
            below.extend(leaf);
            start(&below, false)
        }
    };
    arguments.ready();
    stop_properly()
}

fn refork(arguments: &Arguments) -> ! {
    testing::hold_stop_requests();
    start(&["refork-step", "3000"], true);
    arguments.ready();
    stop_properly()
}

fn refork_step(arguments: &Arguments) -> ! {
    testing::ignore_stop_requests();
    arguments.ready();
    thread::sleep(REFORK_PAUSE);
    if let Some(left) = arguments.number(0, 0).checked_sub(1) {
        let mut next = command(&["refork-step", &left.to_string()], true);
        if let Err(error) = next.stdout(Stdio::null()).spawn() {
            eprintln!("error: cannot go on: {error}");
        }
    }
    process::exit(0)
}

/// The behaviour that the arguments from `index` on name, or `default`.
fn behaviour<'a>(arguments: &'a Arguments, index: usize, default: &'a str) -> Vec<&'a str> {
    match arguments.words.get(index..) {
        None | Some([]) => vec![default],
        Some(words) => words.iter().map(String::as_str).collect(),
    }
}

fn command(words: &[&str], detached: bool) -> Command {
    let this = env::current_exe().expect("a process knows its own executable");
    let mut command = Command::new(this);
    command.args(words).stdin(Stdio::null());
    if detached {
        testing::detach(&mut command);
    }
    command
}

/// Starts another of these programs, waits until it is ready, and passes on which processes it started.
fn start(words: &[&str], detached: bool) -> Child {
    let child = command(words, detached).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| {
        eprintln!("error: cannot start {words:?}: {error}");
        process::exit(1)
    });
    say(&format!("child {}", child.id()));
    let output = BufReader::new(child.stdout.take().expect("its output is piped"));
    for line in output.lines().map_while(Result::ok) {
        match line.as_str() {
            "ready" => return child,
            line => say(line),
        }
    }
    eprintln!("error: {words:?} ended before it was ready");
    process::exit(1)
}
