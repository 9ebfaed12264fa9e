//! `winddown run`: what it tells its host, and how an end that is no plain stop is told.
#![cfg(target_os = "linux")]

mod support;

use support::program::{start, stop, until_ready, written};
use support::{End, Place, Signal, send, until};
use winddown_core::notify::Lifecycle;
use winddown_core::report::Verdict;
use winddown_sys::notify::{MANAGER_VARIABLES, NotifyServer};
use winddown_testkit::stubborn_program;

/// WD-50, WD-51, WD-57: the host hears it from winddown; the program has nothing of the host's.
#[test]
fn wd_50_the_host_is_told_and_the_program_talks_to_winddown() {
    let place = Place::new();
    let mut host = NotifyServer::bind().unwrap();
    let mut run = place.winddown(["run", "--ready=notify", "--"]);
    run.arg(stubborn_program()).args(["--notify", "graceful"]);
    run.env("NOTIFY_SOCKET", host.address());
    let child = until_ready(&mut run);
    assert_eq!(told(&mut host), Lifecycle::Ready);
    let end = stop(child, Signal::TERM);
    assert_eq!(end.code(), Some(0), "{end:#?}");
    assert_eq!(told(&mut host), Lifecycle::Stopping);
    assert!(host.receive().unwrap().is_empty(), "those were all");

    let mut run = place.winddown(["run", "--", "env"]);
    for name in MANAGER_VARIABLES {
        run.env(name, "0");
    }
    let end = End::of(run.env("NOTIFY_SOCKET", host.address()).spawn().unwrap());
    assert_eq!(end.code(), Some(0), "{end:#?}");
    for name in MANAGER_VARIABLES {
        let start = format!("{name}=");
        assert!(
            !end.stdout.lines().any(|it| it.starts_with(&start)),
            "{end:#?}"
        );
    }
}

/// What the host is told next of the life of the service.
fn told(host: &mut NotifyServer) -> Lifecycle {
    until("a notification", || {
        let received = host.receive().unwrap();
        let mut lives = received.iter().filter_map(|it| it.notification.lifecycle);
        let life = lives.next();
        assert_eq!(lives.next(), None, "one at a time");
        life
    })
}

/// WD-95: it is not said of a program that it should have handled what cannot be handled; what is no request is refused.
#[test]
fn wd_95_a_stop_by_kill_is_told_as_what_it_is() {
    let place = Place::new();
    let end = stop(
        start(&place, &["--stop-signal", "KILL"], "graceful"),
        Signal::TERM,
    );
    assert_eq!(end.code(), None, "{end:#?}");
    let report = written(&place);
    assert_eq!(report.verdict, Verdict::Unhandled);
    let note = "SIGKILL, which no program can handle, ended it";
    assert_eq!(report.notes, [note]);

    let end = End::of(
        place
            .winddown(["run", "--stop-signal=STOP", "--", "true"])
            .spawn()
            .unwrap(),
    );
    assert_eq!(end.code(), Some(2), "{end:#?}");
    assert!(end.stderr.contains("STOP asks nothing"), "{end:#?}");
    place.census.assert_empty();
}

/// WD-12: the sender has ended and was waited for when its request is read. It is still told by its number and user, and as what it is.
#[test]
fn wd_12_an_asker_that_has_ended_is_told_by_its_pid() {
    let place = Place::new();
    let run = start(&place, &[], "graceful");
    send(&run, Signal::STOP);
    let mut kill = std::process::Command::new("kill");
    let mut asker = kill.arg(run.id().to_string()).spawn().unwrap();
    assert!(asker.wait().unwrap().success());
    send(&run, Signal::CONT);
    let end = End::of(run);
    assert_eq!(end.code(), Some(0), "{end:#?}");
    let asked_by = written(&place).asked_by;
    assert_eq!(asked_by.pid, Some(asker.id()));
    assert_eq!(asked_by.name, None);
    let uid = rustix::process::getuid().as_raw();
    let pid = asker.id();
    let told = format!("signal TERM from an ended or hidden process (pid {pid}, uid {uid})");
    assert_eq!(asked_by.to_string(), told);
    place.census.assert_empty();
}

/// Nobody is said to have asked where a program ends by itself, and its end is not called a stop.
#[test]
fn wd_70_an_end_that_nobody_asked_for_reads_so() {
    let place = Place::new();
    let mut run = place.winddown(["run", "--", "sh", "-c", "exit 3"]);
    let end = End::of(run.spawn().unwrap());
    assert_eq!(end.code(), Some(3), "{end:#?}");
    assert!(end.stderr.contains("failed end of sh"), "{end:#?}");
    assert!(end.stderr.contains("asked by   nobody\n"), "{end:#?}");
    assert!(
        end.stderr.contains("it ended by itself: exit code 3"),
        "{end:#?}"
    );
    place.census.assert_empty();
}

/// A program that was to say that it is ready, and did not, has failed, however well it stops.
#[test]
fn a_program_that_is_never_ready_fails() {
    let place = Place::new();
    place.write(
        "winddown.toml",
        "command = [\"sh\"]\n[ready]\nwhen = \"notify\"\ntimeout = \"300ms\"\n",
    );
    let mut command = place.winddown([
        "run",
        "--config",
        "winddown.toml",
        "--report",
        "report.json",
        "--",
    ]);
    command.arg(stubborn_program()).arg("graceful");
    let end = End::of(command.spawn().unwrap());
    assert_eq!(end.code(), Some(1), "{end:#?}");
    let report = written(&place);
    assert_eq!(report.verdict, Verdict::Failed);
    assert_eq!(report.notes, ["it had not become ready within 300ms"]);
    place.census.assert_empty();
}
