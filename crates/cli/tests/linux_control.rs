//! The control socket of `winddown run`, by the verbs that use it and by clients that abuse it.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::thread;

use serde_json::Value;
use support::control::{PAIR, Running, exchange, run};
use support::{End, Place, report_file, until};
use winddown_core::report::Verdict;
use winddown_testkit::stubborn_program;

/// WD-173: winddown stays, also when nothing runs any more.
#[test]
fn wd_173_what_an_operator_stops_stays_down_until_it_is_started() {
    let running = Running::start(PAIR);
    running.wait_for_state("web", "ready");
    let (db, web) = (running.status("db"), running.status("web"));
    assert_eq!(running.status("extra")["state"], "down");

    let stopped = running.json(&["stop", "db"]);
    let names = stopped["services"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|it| it["service"].as_str().unwrap()).collect();
    assert_eq!(names, ["db", "web"]);
    for service in ["db", "web"] {
        let status = running.status(service);
        assert_eq!(status["state"], "down", "{status:#}");
        assert_eq!(status["last_stop"]["verdict"], "graceful", "{status:#}");
        assert_eq!(running.ask(&["status", service]).code(), Some(3));
    }
    // It is down already.
    running.json(&["stop", "web"]);

    running.json(&["start", "web"]);
    for (service, before) in [("db", db), ("web", web)] {
        let status = running.status(service);
        assert_eq!(status["state"], "ready", "{status:#}");
        assert_eq!(status["restarts"], 1, "{status:#}");
        assert_ne!(status["pid"], before["pid"]);
        assert_eq!(running.ask(&["status", service]).code(), Some(0));
    }
    let (_, end) = running.end();
    assert_eq!(end.code(), Some(0), "{end:#?}");
}

/// WD-174: those that require it come back with it.
#[test]
fn wd_174_a_restart_is_answered_once_all_of_it_is_ready_again() {
    let running = Running::start(PAIR);
    running.wait_for_state("web", "ready");
    let web = running.status("web");
    let answer = running.json(&["restart", "db"]);
    for status in answer["services"].as_array().unwrap() {
        assert_ne!(status["pid"], web["pid"], "{answer:#}");
    }
    assert_eq!(running.status("db")["state"], "ready");
    running.wait_for_state("web", "ready");
    assert_ne!(running.status("web")["pid"], web["pid"]);
    running.end();
}

#[test]
fn a_start_that_fails_is_told_with_the_reason() {
    let running = Running::start(
        r#"
        [service.web]
        command = ["STUBBORN", "--notify", "graceful"]
        ready = { when = "notify" }
        [service.broken]
        command = ["sh", "-c", "exit 3"]
        autostart = false
        ready = { when = "notify" }
        [service.silent]
        command = ["sleep", "60"]
        autostart = false
        ready = { when = "notify", timeout = "100ms" }
        "#,
    );
    for (service, why) in [("broken", "code 3"), ("silent", "")] {
        let end = running.ask(&["start", service]);
        assert_eq!(end.code(), Some(1), "{end:#?}");
        assert!(end.stderr.contains("is not ready"), "{end:#?}");
        assert!(end.stderr.contains(why), "{end:#?}");
    }
    let end = running.ask(&["stop", "wep"]);
    assert_eq!(end.code(), Some(4), "{end:#?}");
    assert!(end.stderr.contains("hint: did you mean `web`?"), "{end:#?}");
    running.end();
}

/// WD-174: the new program is ready before the old one is stopped; where it is not, the old one goes on.
#[test]
fn wd_174_an_overlapping_restart_replaces_what_runs_or_leaves_it() {
    let running = Running::start(
        r#"
        [service.web]
        command = ["sh", "-c", "test -e broken && exit 1; exec sleep 60"]
        ready = { when = "auto" }
        "#,
    );
    running.wait_for_state("web", "ready");
    let first = running.status("web")["pid"].clone();
    let answer = running.json(&["restart", "web", "--overlap"]);
    let second = answer["services"][0]["pid"].clone();
    assert_ne!(first, second);
    assert_eq!(answer["services"][0]["state"], "ready");

    running.place.write("broken", "");
    let end = running.ask(&["restart", "web", "--overlap"]);
    assert_eq!(end.code(), Some(1), "{end:#?}");
    assert!(end.stderr.contains("is not replaced"), "{end:#?}");
    assert_eq!(running.status("web")["pid"], second);
    running.end();
}

/// Whoever starts a service need not wait for its next start.
#[test]
fn a_start_during_back_off_is_at_once() {
    let running = Running::start(
        r#"
        [service.web]
        command = ["sh", "-c", "test -e whole || exit 1; exec sleep 60"]
        restart = { backoff = { initial = "10m", max = "10m" } }
        "#,
    );
    running.wait_for_state("web", "back-off");
    let awaits = running.status("web")["awaits"].clone();
    assert!(
        awaits.as_str().unwrap().contains("next start in"),
        "{awaits}"
    );
    running.place.write("whole", "");
    let answer = running.json(&["start", "web"]);
    assert_eq!(answer["services"][0]["state"], "ready", "{answer:#}");
    running.end();
}

/// WD-175: the report of the stop says who asked.
#[test]
fn wd_175_the_report_says_who_asked() {
    let place = Place::new();
    let stubborn = stubborn_program().display().to_string();
    place.write(
        "services.toml",
        &format!(
            "control = true\nready = {{ when = \"notify\" }}\ncommand = [\"{stubborn}\", \"--notify\", \"graceful\"]"
        ),
    );
    let mut command = run(&place);
    command.args(["--report", "report.json"]);
    let running = Running {
        winddown: command.spawn().unwrap(),
        place,
    };
    until("the control socket", || {
        running.socket().exists().then_some(())
    });
    let name = "winddown-stubborn";
    running.wait_for_state(name, "ready");
    let uid = rustix::process::geteuid().as_raw();
    let mut stop = running.place.winddown(["stop", name]);
    stop.env("WINDDOWN_CONTROL", running.socket());
    let stop = stop.spawn().unwrap();
    let pid = stop.id();
    assert_eq!(End::of(stop).code(), Some(0));
    let report = report_file(&running.place.path("report.json"));
    assert_eq!(report.verdict, Verdict::Graceful);
    assert_eq!(report.asked_by.mechanism, "control-socket");
    assert_eq!(report.asked_by.request.as_deref(), Some("stop"));
    assert_eq!(
        (report.asked_by.pid, report.asked_by.uid),
        (Some(pid), Some(uid))
    );
    running.end();
}

/// WD-174: what is asked for later counts; a client that goes away ends nothing; `--no-wait` does not wait.
#[test]
fn wd_174_a_contradiction_overtakes() {
    let running = Running::start(
        r#"
        [service.late]
        command = ["STUBBORN", "--notify", "exits-late", "2s"]
        ready = { when = "notify" }
        "#,
    );
    running.wait_for_state("late", "ready");
    let mut restart = running.connect();
    restart
        .write_all(b"{\"verb\":\"restart\",\"service\":\"late\"}\n")
        .unwrap();
    running.wait_for_state("late", "stopping");
    assert!(
        running.status("late")["awaits"]
            .as_str()
            .unwrap()
            .contains("end")
    );
    let begun = running.json(&["stop", "late", "--no-wait"]);
    assert_eq!(begun["services"][0]["state"], "stopping", "{begun:#}");
    let mut answers = BufReader::new(restart).lines();
    let last = answers
        .by_ref()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .find(|answer| answer["answer"] != "progress");
    assert_eq!(last.unwrap()["error"], "overtaken");
    // Whoever waits is told what happens on the way.
    let mut stop = running.connect();
    let first = exchange(&mut stop, r#"{"verb":"stop","service":"late"}"#);
    assert_eq!(first["answer"], "progress", "{first:#}");
    drop(stop);
    running.wait_for_state("late", "down");
    running.end();
}

/// A service that takes its time to stop, and one that requires it.
const LATE_PAIR: &str = r#"
    [service.db]
    command = ["STUBBORN", "--notify", "exits-late", "1s"]
    ready = { when = "notify" }
    [service.web]
    command = ["STUBBORN", "--notify", "exits-late", "1s"]
    ready = { when = "notify" }
    requires = ["db"]
"#;

/// WD-174: each of them is answered, and nothing is missing afterwards.
#[test]
fn wd_174_requests_that_meet_during_a_stop_are_all_done() {
    for (first, second) in [
        (["restart", "web"], ["restart", "web"]),
        (["restart", "web"], ["start", "web"]),
        (["restart", "web"], ["restart", "db"]),
        (["restart", "db"], ["restart", "web"]),
    ] {
        let running = Running::start(LATE_PAIR);
        running.wait_for_state("web", "ready");
        let both = meeting(&running, first, second);
        for service in ["db", "web"] {
            let status = running.status(service);
            assert_eq!(status["state"], "ready", "{first:?} {second:?} {status:#}");
        }
        assert_eq!(both.map(|end| end.code()), [Some(0); 2]);
        running.end();
    }
}

/// WD-110: who is started while what it requires is being stopped starts once that can be started again.
#[test]
fn wd_110_a_start_waits_for_the_end_of_what_it_requires() {
    let running = Running::start(LATE_PAIR);
    running.wait_for_state("web", "ready");
    let [stop, start] = meeting(&running, ["stop", "db"], ["start", "web"]);
    assert_eq!(start.code(), Some(0), "{start:#?}");
    assert!(stop.stderr.contains("overtaken"), "{stop:#?}");
    assert_eq!(running.status("db")["state"], "ready");
    assert_eq!(running.status("web")["state"], "ready");
    running.end();
}

/// WD-174: a stop of who merely requires what is being restarted does not keep that down.
#[test]
fn wd_174_a_restart_goes_on_without_those_that_are_stopped() {
    let running = Running::start(LATE_PAIR);
    running.wait_for_state("web", "ready");
    let both = meeting(&running, ["restart", "db"], ["stop", "web"]);
    assert_eq!(both.map(|end| end.code()), [Some(0); 2]);
    assert_eq!(running.status("db")["state"], "ready");
    assert_eq!(running.status("web")["state"], "down");
    running.end();
}

/// WD-173, WD-174: a reload while a service stops neither starts it nor keeps it down, as was asked for.
#[test]
fn wd_173_a_reload_does_not_undo_a_stop() {
    for (verb, state) in [("stop", "down"), ("restart", "ready")] {
        let running = Running::start(LATE_PAIR);
        running.wait_for_state("web", "ready");
        let changed = LATE_PAIR.replace("1s", "900ms");
        let stubborn = stubborn_program().display().to_string();
        let changed = changed.replace("STUBBORN", &stubborn);
        running.place.write("services.toml", &changed);
        let asked = thread::scope(|scope| {
            let asked = scope.spawn(|| running.ask(&[verb, "web"]));
            running.wait_for_state("web", "stopping");
            running.json(&["reload"]);
            asked.join().unwrap()
        });
        assert_eq!(asked.code(), Some(0), "{asked:#?}");
        assert_eq!(running.status("web")["state"], state);
        running.end();
    }
}

/// WD-140: the sockets go from the old name to the new one, though the old program still has them. What is gone is there no more.
#[test]
fn wd_140_a_service_that_is_renamed_keeps_its_sockets() {
    let definition = |name: &str, place: &Place| {
        let socket = place.path("socket");
        let stubborn = stubborn_program();
        format!(
            "[service.{name}]\ncommand = [{stubborn:?}, \"--notify\", \"exits-late\", \"1s\"]\n\
             ready = {{ when = \"notify\" }}\nlisten = [{{ address = \"unix:{}\" }}]\n",
            socket.display()
        )
    };
    let place = Place::new();
    let old = definition("old", &place);
    let running = Running::start_in(place, &old);
    running.wait_for_state("old", "ready");
    let new = definition("new", &running.place);
    running.place.write("services.toml", &new);
    running.json(&["reload"]);
    running.wait_for_state("new", "ready");
    until("the old one to be gone", || {
        let all = running.json(&["status"]);
        (all["services"].as_array().unwrap().len() == 1).then_some(())
    });
    for verb in ["start", "stop", "restart", "status"] {
        assert_eq!(running.ask(&[verb, "old"]).code(), Some(4));
    }
    UnixStream::connect(running.place.path("socket")).unwrap();
    let (_, end) = running.end();
    assert_eq!(end.code(), Some(0), "{end:#?}");
}

/// The ends of two verbs, of which the second begins while `web` stops because of the first.
fn meeting(running: &Running, first: [&str; 2], second: [&str; 2]) -> [End; 2] {
    thread::scope(|scope| {
        let first = scope.spawn(move || running.ask(&first));
        running.wait_for_state("web", "stopping");
        let second = running.ask(&second);
        [first.join().unwrap(), second]
    })
}

/// The last lines, those that come, also after a restart; and new files on demand.
#[test]
fn logs_are_shown_and_followed() {
    let running = Running::start(
        r#"
        [service.web]
        command = ["STUBBORN", "--notify", "graceful"]
        ready = { when = "notify" }
        logs = { file = "web.log" }
        [service.plain]
        command = ["STUBBORN", "--notify", "graceful"]
        ready = { when = "notify" }
        "#,
    );
    running.wait_for_state("web", "ready");
    until("its first line", || {
        let end = running.ask(&["logs", "web"]);
        (end.stdout == "ready\n").then_some(())
    });
    let mut follow = running.place.winddown(["logs", "web", "-f", "-n", "0"]);
    follow.env("WINDDOWN_CONTROL", running.socket());
    let mut follow = follow.spawn().unwrap();
    // It has nothing to show yet: that it follows is known by a line that comes.
    let mut connected = running.connect();
    exchange(&mut connected, r#"{"verb":"status"}"#);
    until("a line that was followed", || {
        running.json(&["restart", "web"]);
        let mut first = [0];
        let ready = has_written(&follow);
        (ready && follow.stdout.as_mut().unwrap().read(&mut first).unwrap() == 1).then_some(())
    });
    running.json(&["restart", "web"]);
    support::read_until(follow.stdout.as_mut().unwrap(), "stopped\nready\n");
    follow.kill().unwrap();
    follow.wait().unwrap();

    let lines = until("the last lines", || {
        let lines = running.ask(&["logs", "web", "-n", "2", "--output", "json"]);
        let lines: Vec<Value> = lines
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let texts = lines.iter().map(|line| line["text"].as_str().unwrap());
        let last = texts.collect::<Vec<_>>() == ["stopped", "ready"];
        last.then_some(lines)
    });
    assert_eq!(lines[0]["stream"], "stdout");

    running.json(&["rotate-logs", "web"]);
    until("an old file", || {
        let mut files = fs::read_dir(running.place.directory.path()).unwrap();
        let old = files.find(|file| {
            let name = file.as_ref().unwrap().file_name();
            name.to_string_lossy().starts_with("web.log.")
        });
        old.map(drop)
    });
    for verb in ["logs", "rotate-logs"] {
        let end = running.ask(&[verb, "plain"]);
        assert_eq!(end.code(), Some(1), "{end:#?}");
        assert!(end.stderr.contains("[logs]"), "{end:#?}");
    }
    running.end();
}

/// Whether a child has written something.
fn has_written(child: &Child) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(child.stdout.as_ref().unwrap(), PollFlags::IN)];
    poll(
        &mut fds,
        Some(&Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        }),
    )
    .unwrap()
        > 0
}
