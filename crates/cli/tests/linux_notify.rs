//! `winddown run`: what programs say by `sd_notify`, who is heard, and what the host hears of it.
#![cfg(target_os = "linux")]

mod support;

use std::ffi::OsString;
use std::fs;
use std::process::Child;
use std::time::Duration;

use support::services::Running;
use support::{End, Place, Signal, find, read_until, report_file, send, until};
use winddown_core::notify::{Lifecycle, Notification, WatchdogWord};
use winddown_core::report::Verdict;
use winddown_sys::notify::{Notifier, NotifyServer};
use winddown_testkit::stubborn_program;

/// What the programs have: `say` and `asked`, which waits for a stop request.
const PRELUDE: &str = r#"
import os, signal, socket, subprocess, sys, time
place = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
address = os.environ["NOTIFY_SOCKET"]
def say(text, to=address):
    place.sendto(text.encode(), to.replace("@", "\0"))
def asked():
    signal.sigwait([signal.SIGTERM])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGHUP])
def until(file):
    while not os.path.exists(file): time.sleep(0.01)
"#;

/// A place with a program of this body; `None` where there is no Python.
fn place(body: &str) -> Option<Place> {
    find("python3")?;
    let place = Place::new();
    place.write("program.py", &format!("{PRELUDE}{body}"));
    Some(place)
}

/// `winddown run` of it with these keys, and a host that listens.
fn run(place: &Place, keys: &str) -> (Child, NotifyServer) {
    let definition = format!("name = \"it\"\ncommand = [\"python3\", \"program.py\"]\n{keys}");
    place.write("winddown.toml", &definition);
    let host = NotifyServer::bind().unwrap();
    let mut command = place.winddown(["run", "--config", "winddown.toml"]);
    command.args(["--report", "report.json"]);
    command.env("NOTIFY_SOCKET", host.address());
    (command.spawn().unwrap(), host)
}

/// What the host hears until `last` is among it.
fn heard(host: &mut NotifyServer, last: impl Fn(&Notification) -> bool) -> Vec<Notification> {
    let mut all = Vec::new();
    until("a notification", || {
        let received = host.receive().unwrap();
        all.extend(received.into_iter().map(|it| it.notification));
        all.iter().any(&last).then_some(())
    });
    all
}

fn is_ready(said: &Notification) -> bool {
    said.lifecycle == Some(Lifecycle::Ready)
}

#[test]
fn wd_125_strangers_are_not_heard() {
    let Some(place) = place("") else { return };
    let program = |body: &str| format!("{PRELUDE}{body}");
    place.write(
        "a.py",
        &program(
            r#"
open("address.new", "w").write(address); os.rename("address.new", "address")
until("go"); say("READY=1\nSTATUS=mine"); asked()
"#,
        ),
    );
    // A neighbour, which winddown started too.
    place.write(
        "b.py",
        &program(
            r#"
until("address"); to = open("address").read()
for n in range(200): say("READY=1\nSTATUS=not mine", to)
open("spoken", "w").close()
asked()
"#,
        ),
    );
    place.write(
        "winddown.toml",
        r#"
        control = "control/socket"
        [service.a]
        command = ["python3", "a.py"]
        ready = { when = "notify" }
        [service.b]
        command = ["python3", "b.py"]
        ready = { when = "auto" }
        "#,
    );
    let running = Running::start_in(place, &["--config", "winddown.toml"]);
    until("the neighbour", || {
        running.place.path("spoken").exists().then_some(())
    });
    let address: OsString = fs::read_to_string(running.place.path("address"))
        .unwrap()
        .into();
    let stranger = Notifier::to(&address).unwrap();
    until("room", || {
        let sent = stranger.ready() && stranger.status("not mine");
        (sent && stranger.watchdog_trigger() && stranger.main_pid(1)).then_some(())
    });
    running.said("a: ignored what pid ");
    let status = running.ask(&["status", "a", "--output", "json"]).stdout;
    assert!(status.contains("\"starting\""), "{status}");
    assert!(!status.contains("not mine"), "{status}");

    running.place.write("go", "");
    until("its own words", || {
        let status = running.ask(&["status", "a"]).stdout;
        (status.contains("a: ready") && status.contains("says       mine")).then_some(())
    });
    let over = running.stop();
    assert_eq!(over.code, Some(0), "{over:#?}");
    assert_eq!(over.said.matches("ignored what").count(), 1, "{over:#?}");
}

#[test]
fn wd_125_only_a_process_of_its_own_can_be_the_main_one() {
    let Some(place) = place(
        r#"
for n in range(200): say("MAINPID=1")
child = subprocess.Popen([sys.executable, "-c", """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
open("child", "w").close()
signal.sigwait([signal.SIGTERM])
open("asked", "w").close()
"""])
until("child")
say(f"MAINPID={child.pid}\nREADY=1")
sys.exit(child.wait())
"#,
    ) else {
        return;
    };
    let (child, mut host) = run(&place, "ready = { when = \"notify\" }");
    heard(&mut host, is_ready);
    send(&child, Signal::TERM);
    let end = End::of(child);
    // The program itself holds the signal back: only its child can have ended it.
    assert_eq!(end.code(), Some(0), "{end:#?}");
    assert!(place.path("asked").exists());
    // Told once, however often it is said.
    assert_eq!(
        end.stderr.matches("ignored MAINPID=1").count(),
        1,
        "{end:#?}"
    );
    let report = report_file(&place.path("report.json"));
    let asked = &report.ladder[0].outcome;
    assert!(asked.starts_with("sent to pid "), "{report:#?}");
    place.census.assert_empty();
}

#[test]
fn wd_126_what_a_program_says_it_does_is_shown_and_passed_on_as_one_line() {
    let Some(place) = place(
        r#"
say("STATUS=loading\x1b[2J 1/2"); say("READY=1\nSTATUS=" + "x" * 600); asked()
"#,
    ) else {
        return;
    };
    let (child, mut host) = run(&place, "ready = { when = \"notify\" }");
    let long = |said: &Notification| said.status.as_ref().is_some_and(|text| text.len() == 512);
    let all = heard(&mut host, long);
    let first = all.iter().find_map(|said| said.status.as_deref());
    // In one turn only the last counts.
    let last = all.iter().rev().find_map(|said| said.status.clone());
    assert!(
        first == Some("loading [2J 1/2") || first == last.as_deref(),
        "{all:?}"
    );
    send(&child, Signal::TERM);
    assert_eq!(End::of(child).code(), Some(0));
    place.census.assert_empty();
}

#[test]
fn wd_126_of_several_services_the_host_hears_who_says_it() {
    let Some(place) = place("say('READY=1'); say('STATUS=busy'); asked()") else {
        return;
    };
    place.write(
        "winddown.toml",
        r#"
        [service.a]
        command = ["python3", "program.py"]
        ready = { when = "notify" }
        [service.b]
        command = ["sleep", "60"]
        "#,
    );
    let mut host = NotifyServer::bind().unwrap();
    let mut command = place.winddown(["run", "--config", "winddown.toml"]);
    let child = command
        .env("NOTIFY_SOCKET", host.address())
        .spawn()
        .unwrap();
    heard(&mut host, |said| said.status.as_deref() == Some("a: busy"));
    send(&child, Signal::TERM);
    End::of(child);
    place.census.assert_empty();
}

#[test]
fn wd_126_a_reload_of_the_only_program_is_the_hosts_affair_too() {
    let Some(place) = place(
        r#"
say("READY=1")
signal.sigwait([signal.SIGHUP])
say("RELOADING=1\nMONOTONIC_USEC=1"); until("go"); say("READY=1")
asked()
"#,
    ) else {
        return;
    };
    let mut host = NotifyServer::bind().unwrap();
    let mut command = place.winddown(["run", "--ready=notify", "--", "python3", "program.py"]);
    let child = command
        .env("NOTIFY_SOCKET", host.address())
        .spawn()
        .unwrap();
    heard(&mut host, is_ready);
    send(&child, Signal::HUP);
    let reloading =
        |said: &Notification| matches!(said.lifecycle, Some(Lifecycle::Reloading { .. }));
    heard(&mut host, reloading);
    place.write("go", "");
    heard(&mut host, is_ready);
    send(&child, Signal::TERM);
    assert_eq!(End::of(child).code(), Some(0));
    place.census.assert_empty();
}

#[test]
fn wd_43_a_program_that_says_so_delays_the_next_rung_and_the_host_hears_it() {
    let Some(place) = place(
        r#"
say("READY=1"); asked()
say("EXTEND_TIMEOUT_USEC=60000000"); time.sleep(1)
"#,
    ) else {
        return;
    };
    let keys = r#"
        ready = { when = "notify" }
        [stop]
        timeout = "1h"
        ladder = [{ signal = "TERM", wait = "500ms" }, { kill = "tree" }]
        "#;
    let (child, mut host) = run(&place, keys);
    heard(&mut host, is_ready);
    send(&child, Signal::TERM);
    let longest = extension(&mut host);
    assert!(longest > Duration::from_secs(50), "{longest:?}");
    let end = End::of(child);
    assert_eq!(end.code(), Some(0), "{end:#?}");
    let report = report_file(&place.path("report.json"));
    assert_eq!(report.verdict, Verdict::Graceful, "{report:#?}");
    place.census.assert_empty();
}

#[test]
fn wd_43_no_program_delays_the_end_of_a_stop() {
    let Some(place) =
        place("say('READY=1'); asked(); say('EXTEND_TIMEOUT_USEC=3600000000'); asked()")
    else {
        return;
    };
    let keys = "ready = { when = \"notify\" }\nstop = { timeout = \"500ms\" }";
    let (child, mut host) = run(&place, keys);
    heard(&mut host, is_ready);
    send(&child, Signal::TERM);
    let end = End::of(child);
    assert_eq!(end.code(), Some(124), "{end:#?}");
    let longest = extension(&mut host);
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    place.census.assert_empty();
}

#[test]
fn wd_43_a_start_takes_up_to_ten_times_its_time_where_the_program_says_so() {
    let place = Place::new();
    let mut host = NotifyServer::bind().unwrap();
    let definition = format!(
        "command = ['{}', '--tell', 'EXTEND_TIMEOUT_USEC=3600000000', 'graceful']\n\
         ready = {{ when = 'notify', timeout = '200ms' }}",
        stubborn_program().display()
    );
    place.write("winddown.toml", &definition);
    let mut command = place.winddown(["run", "--config", "winddown.toml"]);
    let child = command
        .env("NOTIFY_SOCKET", host.address())
        .spawn()
        .unwrap();
    let end = End::of(child);
    assert_eq!(end.code(), Some(1), "{end:#?}");
    assert!(end.stderr.contains("not ready within 2s"), "{end:#?}");
    let longest = extension(&mut host);
    // What is left then of 2 s, and not of an hour.
    assert!(longest < Duration::from_secs(3), "{longest:?}");
    place.census.assert_empty();
}

/// For how long the host is asked to wait, at the most.
fn extension(host: &mut NotifyServer) -> Duration {
    let told = heard(host, |said| said.extend_timeout.is_some());
    told.iter()
        .filter_map(|said| said.extend_timeout)
        .max()
        .unwrap()
}

#[test]
fn wd_122_a_program_that_finds_itself_broken_is_stopped_at_once() {
    let Some(place) = place("say('READY=1'); say('WATCHDOG=trigger'); asked()") else {
        return;
    };
    let (child, _host) = run(&place, "ready = { when = \"notify\" }");
    let end = End::of(child);
    assert_eq!(end.code(), Some(1), "{end:#?}");
    let report = report_file(&place.path("report.json"));
    let why = report.asked_by.name.unwrap();
    assert_eq!(why, "it was unhealthy: it sent WATCHDOG=trigger");
    place.census.assert_empty();
}

/// Else a unit with `WatchdogSec=` would be killed for a program that knows nothing of it.
#[test]
fn wd_124_the_hosts_watchdog_is_fed() {
    let place = Place::new();
    let mut host = NotifyServer::bind().unwrap();
    let mut command = place.winddown(["run", "--", "sh", "-c", "echo up; exec sleep 60"]);
    command
        .env("NOTIFY_SOCKET", host.address())
        .env("WATCHDOG_USEC", "100000");
    let mut child = command.spawn().unwrap();
    read_until(child.stdout.as_mut().unwrap(), "up\n");
    for _ in 0..3 {
        heard(&mut host, |said| said.watchdog == Some(WatchdogWord::Alive));
    }
    send(&child, Signal::TERM);
    End::of(child);
    place.census.assert_empty();
}

/// WD-59: whatever its own notify socket is, `winddown run` runs the program, and tells the operator once.
#[test]
fn wd_59_a_host_that_cannot_be_told_is_no_reason_not_to_run() {
    let trouble = "winddown: its manager does not hear how it stands: ";
    for (address, told) in [
        ("", None),
        ("/nonexistent/x", Some("\"/nonexistent/x\" failed: No such")),
        ("run/notify", Some("\"run/notify\" is neither a path")),
    ] {
        let place = Place::new();
        let mut run = place.winddown(["run", "--", "true"]);
        let end = End::of(run.env("NOTIFY_SOCKET", address).spawn().unwrap());
        assert_eq!(end.code(), Some(0), "{address}: {end:#?}");
        let lines: Vec<&str> = end.stderr.lines().collect();
        assert_eq!(lines.len(), usize::from(told.is_some()), "{end:#?}");
        for (line, told) in lines.iter().zip(told) {
            let why = line.strip_prefix(trouble).unwrap_or_default();
            assert!(why.contains(told), "{address}: {end:#?}");
        }
        place.census.assert_empty();
    }
}
