//! The control socket of `winddown run`, by the verbs that use it and by clients that abuse it.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{End, Place, Signal, report_file, send, until};
use winddown_core::report::Verdict;
use winddown_testkit::stubborn_program;

/// A winddown with a control socket, in a place of its own.
struct Running {
    place: Place,
    winddown: Child,
}

impl Running {
    /// Runs the services of a definition; `STUBBORN` in it is the program that does what it is told.
    fn start(services: &str) -> Self {
        Self::start_in(Place::new(), services)
    }

    fn start_in(place: Place, services: &str) -> Self {
        let stubborn = stubborn_program().display().to_string();
        place.write("services.toml", &services.replace("STUBBORN", &stubborn));
        let winddown = run(&place).spawn().unwrap();
        let running = Self { place, winddown };
        until("the control socket", || {
            running.socket().exists().then_some(())
        });
        running
    }

    fn socket(&self) -> PathBuf {
        self.place.path("control/socket")
    }

    fn ask(&self, arguments: &[&str]) -> End {
        let mut command = self.place.winddown(arguments);
        command.env("WINDDOWN_CONTROL", self.socket());
        End::of(command.spawn().unwrap())
    }

    /// The last answer to a request that is granted, as JSON.
    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let end = self.ask(&[&["--output", "json"], arguments].concat());
        assert_eq!(end.code(), Some(0), "{end:#?}");
        serde_json::from_str(&end.stdout).unwrap()
    }

    #[track_caller]
    fn status(&self, service: &str) -> Value {
        let all = self.json(&["status"]);
        let services = all["services"].as_array().unwrap();
        let found = services.iter().find(|it| it["service"] == service);
        found.unwrap_or_else(|| panic!("{all:#}")).clone()
    }

    fn wait_for_state(&self, service: &str, state: &str) {
        until(&format!("{service} to be {state}"), || {
            (self.status(service)["state"] == state).then_some(())
        });
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).unwrap();
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).unwrap();
        stream
    }

    fn end(self) -> (Place, End) {
        send(&self.winddown, Signal::TERM);
        let end = End::of(self.winddown);
        self.place.census.assert_empty();
        (self.place, end)
    }
}

fn run(place: &Place) -> std::process::Command {
    place.winddown([
        "run",
        "--config",
        "services.toml",
        "--control",
        "control/socket",
    ])
}

/// Sends a line and reads the answer to it.
fn exchange(stream: &mut UnixStream, line: &str) -> Value {
    stream.write_all(line.as_bytes()).unwrap();
    stream.write_all(b"\n").unwrap();
    read_answer(stream)
}

fn read_answer(stream: &UnixStream) -> Value {
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

const PAIR: &str = r#"
    [service.db]
    command = ["STUBBORN", "--notify", "graceful"]
    ready = { when = "notify" }
    [service.web]
    command = ["STUBBORN", "--notify", "graceful"]
    ready = { when = "notify" }
    requires = ["db"]
    [service.extra]
    command = ["STUBBORN", "--notify", "graceful"]
    ready = { when = "notify" }
    autostart = false
"#;

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

/// WD-172: a socket that a killed winddown left is replaced; that of a living one is not.
#[test]
fn wd_172_only_the_socket_of_a_dead_winddown_is_replaced() {
    let running = Running::start(PAIR);
    running.wait_for_state("web", "ready");
    let second = End::of(run(&running.place).spawn().unwrap());
    assert_eq!(second.code(), Some(125), "{second:#?}");
    let pid = running.winddown.id();
    assert!(second.stderr.contains(&format!("pid {pid}")), "{second:#?}");
    assert_eq!(running.status("web")["state"], "ready");

    let (socket, place) = (running.socket(), running.place);
    let mut winddown = running.winddown;
    winddown.kill().unwrap();
    winddown.wait().unwrap();
    place.census.kill_survivors().unwrap();
    assert!(socket.exists());
    let running = Running {
        winddown: run(&place).spawn().unwrap(),
        place,
    };
    until("the new socket", || {
        UnixStream::connect(running.socket()).ok()
    });
    running.wait_for_state("web", "ready");
    let left: Vec<_> = fs::read_dir(running.place.path("control"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let (place, _) = running.end();
    assert!(!place.path("control/socket").exists());
    let nobody = place
        .winddown(["status", "--control", "control/socket"])
        .spawn();
    assert_eq!(End::of(nobody.unwrap()).code(), Some(3));
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

/// WD-170: nobody else can reach the socket, and one is not put where others could replace it.
#[test]
fn wd_170_the_socket_is_the_owners_alone() {
    let running = Running::start(PAIR);
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&running.socket()), 0o600);
    assert_eq!(mode(running.socket().parent().unwrap()), 0o700);

    if rustix::process::geteuid().is_root() {
        // Where the modes let somebody in, the credentials do not.
        let all = |mode| fs::Permissions::from_mode(mode);
        for (path, mode) in [
            (running.place.directory.path(), 0o755),
            (running.socket().parent().unwrap(), 0o755),
            (running.socket().as_path(), 0o777),
        ] {
            fs::set_permissions(path, all(mode)).unwrap();
        }
        let ask = r#"
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
print(s.makefile().read())
"#;
        let mut other = running
            .place
            .command("setpriv", ["--reuid=65534", "--clear-groups"]);
        other
            .args(["/usr/bin/python3", "-c", ask])
            .arg(running.socket());
        let other = End::of(other.spawn().unwrap());
        assert!(other.stdout.contains("not-permitted"), "{other:#?}");
        assert_eq!(running.status("db")["state"], "ready");
    }
    running.end();

    let place = Place::new();
    place.write("services.toml", PAIR);
    let planted = place.path("control");
    let refused = |why: &str| {
        let end = End::of(run(&place).spawn().unwrap());
        assert_eq!(end.code(), Some(125), "{end:#?}");
        assert!(end.stderr.contains(why), "{why}: {end:#?}");
    };
    symlink(place.directory.path(), &planted).unwrap();
    refused("it is not a directory");
    fs::remove_file(&planted).unwrap();
    fs::create_dir(&planted).unwrap();
    fs::set_permissions(&planted, fs::Permissions::from_mode(0o777)).unwrap();
    refused("others may write to it");
    fs::set_permissions(&planted, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(planted.join("socket"), "mine").unwrap();
    refused("no socket");
    fs::remove_file(planted.join("socket")).unwrap();
    symlink(place.path("elsewhere"), planted.join("socket")).unwrap();
    refused("no socket");
    assert!(!place.path("elsewhere").exists());
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&planted, Some(65_534), None).unwrap();
        refused("belongs to another user");
    }
}

/// WD-170: what listens in the place of a winddown is asked only if it is one's own.
#[test]
fn wd_170_a_client_does_not_trust_another_user() {
    if !rustix::process::geteuid().is_root() {
        return support::skip("root is needed to be two users");
    }
    let place = Place::new();
    fs::set_permissions(place.directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let listen = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind('socket'); s.listen(); print('ready', flush=True); \
                  s.settimeout(20); s.accept()[0].recv(1)";
    let mut other = place.command("setpriv", ["--reuid=65534", "--clear-groups"]);
    let mut other = other
        .args(["/usr/bin/python3", "-c", listen])
        .spawn()
        .unwrap();
    support::read_until(other.stdout.as_mut().unwrap(), "ready\n");
    let end = End::of(
        place
            .winddown(["status", "--control", "socket"])
            .spawn()
            .unwrap(),
    );
    assert_eq!(end.code(), Some(77), "{end:#?}");
    assert!(end.stderr.contains("another user"), "{end:#?}");
    End::of(other);
}

/// WD-171: whatever comes is answered or cut off, and winddown serves on.
#[test]
fn wd_171_garbage_is_answered() {
    let running = Running::start(PAIR);
    running.wait_for_state("web", "ready");
    let mut client = running.connect();
    for line in [
        "",
        "garbage",
        "{\"verb\":\"explode\"}",
        "[1,2]",
        "\u{0}",
        "{\"version\":9}",
    ] {
        let answer = exchange(&mut client, line);
        assert_eq!(answer["error"], "malformed", "{line}: {answer:#}");
        assert_eq!(answer["version"], 1);
    }
    // The connection is of use still.
    assert_eq!(
        exchange(&mut client, r#"{"verb":"status"}"#)["answer"],
        "status"
    );
    // Requests that come together are answered one after the other.
    client
        .write_all(b"{\"verb\":\"status\"}\n{\"verb\":\"nonsense\"}\n")
        .unwrap();
    let mut answers = BufReader::new(&client).lines();
    for answer in ["status", "error"] {
        let line: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["answer"], answer);
    }

    let mut long = running.connect();
    // It may be cut off before all of it has gone.
    let _ = long.write_all(&[b'x'; 300_000]);
    let mut said = String::new();
    let _ = long.read_to_string(&mut said);
    assert!(
        said.is_empty() || said.contains("at most 65536 bytes"),
        "{said}"
    );
    assert_eq!(running.status("web")["state"], "ready");
    running.end();
}

/// WD-171: many clients, those that say nothing, and those that do not read, keep nobody else from being served.
#[test]
fn wd_171_clients_that_hang_hold_up_nobody() {
    let running = Running::start(PAIR);
    running.wait_for_state("web", "ready");
    let mut deaf = running.connect();
    deaf.set_nonblocking(true).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    // It asks, and never reads an answer, until nothing more goes.
    let mut asked = 0;
    while asked < 10_000 && Instant::now() < deadline {
        match deaf.write_all(b"{\"verb\":\"status\"}\n") {
            Ok(_) => asked += 1,
            Err(_) => break,
        }
    }
    let silent: Vec<_> = (0..1000).map(|_| running.connect()).collect();
    assert_eq!(running.status("web")["state"], "ready");
    let descriptors = fs::read_dir(format!("/proc/{}/fd", running.winddown.id())).unwrap();
    let count = descriptors.count();
    assert!(count < 150, "{count} descriptors");
    drop(silent);

    let mut half = running.connect();
    half.write_all(b"{\"verb\":").unwrap();
    let begun = Instant::now();
    // It is cut off in time.
    assert_eq!(half.read(&mut [0]).unwrap(), 0);
    assert!(
        begun.elapsed() >= Duration::from_secs(9),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(running.status("web")["state"], "ready");
    running.end();
}

/// A client that has said all it will say still gets its answer.
#[test]
fn a_half_closed_connection_is_answered() {
    let running = Running::start(PAIR);
    running.wait_for_state("web", "ready");
    let mut client = running.connect();
    client
        .write_all(b"{\"verb\":\"restart\",\"service\":\"web\"}\n")
        .unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut all = String::new();
    client.read_to_string(&mut all).unwrap();
    assert!(
        all.lines().last().unwrap().contains("\"answer\":\"done\""),
        "{all}"
    );
    running.end();
}

/// The usual place: found where there is one, asked for where there are several; without a place winddown runs all the same.
#[test]
fn the_usual_place_is_found() {
    let place = Place::new();
    let runtime = place.path("runtime");
    fs::create_dir(&runtime).unwrap();
    let setpriv = support::as_ordinary_user();
    if setpriv[0] == "setpriv" {
        std::os::unix::fs::chown(&runtime, Some(65_534), Some(65_534)).unwrap();
    }
    let winddown = place.copy_for_all(Path::new(support::WINDDOWN));
    let command = |arguments: &[&str]| {
        let mut command = place.command(setpriv[0], &setpriv[1..]);
        command.arg(&winddown).args(arguments);
        command
            .env("XDG_RUNTIME_DIR", &runtime)
            .env("WINDDOWN_STATE_DIRECTORY", "")
            .env_remove("WINDDOWN_CONTROL");
        command
    };
    let ask = |arguments: &[&str]| End::of(command(arguments).spawn().unwrap());
    let none = ask(&["status"]);
    assert_eq!(none.code(), Some(3), "{none:#?}");
    let start = |name: &str| {
        let text = format!("name = \"{name}\"\n[service.a]\ncommand = [\"sleep\", \"60\"]\n");
        place.write(&format!("{name}.toml"), &text);
        let child = command(&["run", "--config", &format!("{name}.toml")]).spawn();
        let socket = runtime.join(format!("winddown/{name}.sock"));
        until("the socket", || socket.exists().then_some(()));
        child.unwrap()
    };
    let one = start("one");
    let found = ask(&["status", "a"]);
    assert_eq!(found.code(), Some(0), "{found:#?}");
    let other = start("other");
    let several = ask(&["status"]);
    assert_eq!(several.code(), Some(2), "{several:#?}");
    assert!(several.stderr.contains("one, other"), "{several:#?}");
    assert_eq!(ask(&["status", "--definition", "other"]).code(), Some(0));
    assert_eq!(ask(&["stop", "a", "--definition", "one"]).code(), Some(0));
    for child in [one, other] {
        send(&child, Signal::TERM);
        End::of(child);
    }
    let mut without = command(&["run", "--config", "one.toml"]);
    without.env_remove("XDG_RUNTIME_DIR");
    if setpriv[0] == "setpriv" {
        let mut child = without.spawn().unwrap();
        let said = support::read_until(child.stderr.as_mut().unwrap(), "\n");
        assert!(said.contains("there is no control socket"), "{said}");
        send(&child, Signal::TERM);
        End::of(child);
    }
    place.census.assert_empty();
}

/// With nothing said, one program has no control socket.
#[test]
fn one_program_has_none() {
    let place = Place::new();
    let mut child = place.winddown(["run", "--"]);
    child.arg(stubborn_program()).arg("graceful");
    child.env("XDG_RUNTIME_DIR", place.directory.path());
    let mut child = child.spawn().unwrap();
    support::read_until(child.stdout.as_mut().unwrap(), "ready\n");
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    assert!(!sockets.contains(place.directory.path().to_str().unwrap()));
    send(&child, Signal::TERM);
    End::of(child);
}
