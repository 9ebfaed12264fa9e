//! `winddown run`: restarts of a server whose sockets winddown keeps, under load.
#![cfg(target_os = "linux")]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use support::services::Running;
use support::{Place, find, free_port, until};
use winddown_core::report::Verdict;

/// A server that answers each connection with its version, and finishes what it has accepted when it is asked to stop. Who
/// connects meanwhile waits in the socket for the next one.
const SERVER: &str = r#"
import os, select, signal, socket, sys
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
reader, writer = os.pipe()
os.set_blocking(writer, False)
signal.set_wakeup_fd(writer)
assert os.environ["LISTEN_PID"] == str(os.getpid())
assert os.environ["LISTEN_FDS"] == "1", os.environ["LISTEN_FDS"]
listener = socket.socket(fileno=3)
listener.setblocking(False)
version = sys.argv[1]
def log(line):
    with open("log", "a") as file:
        file.write(f"{version} {line}\n")
if version == "bad":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log("up")
    signal.pause()
open("pid", "w").write(str(os.getpid()))
log("up")
open(f"{version}.up", "w").write("up")
while not stop:
    select.select([listener, reader], [], [])
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        continue
    with connection:
        connection.setblocking(True)
        connection.recv(1000)
        connection.sendall(f"HTTP/1.0 200 OK\r\n\r\n{version}".encode())
log("down")
"#;

/// Clients that ask until they are stopped, at most so many times.
struct Load {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl Load {
    fn begin(address: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let client = || {
            let (over, address) = (Arc::clone(&over), address.to_owned());
            thread::spawn(move || {
                let mut failed = Vec::new();
                let mut asked = 0;
                while asked < 20_000 && !over.load(Ordering::Relaxed) {
                    asked += 1;
                    failed.extend(ask(&address).err());
                }
                (asked, failed)
            })
        };
        Self {
            clients: (0..2).map(|_| client()).collect(),
            over,
        }
    }

    /// How often they asked.
    #[track_caller]
    fn end_without_a_failure(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        let ends = self
            .clients
            .into_iter()
            .map(|client| client.join().unwrap());
        let (asked, failed): (Vec<_>, Vec<_>) = ends.unzip();
        assert_eq!(failed.concat(), Vec::<String>::new());
        asked.into_iter().sum()
    }
}

/// The version that answers.
fn ask(address: &str) -> Result<String, String> {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let _ = stream.shutdown(Shutdown::Both);
        Ok(answer)
    };
    let answer = ask().map_err(|error: std::io::Error| error.to_string())?;
    let version = answer.strip_prefix("HTTP/1.0 200 OK\r\n\r\n");
    version
        .map(str::to_owned)
        .ok_or_else(|| format!("answered by `{answer}`"))
}

/// The server in this version, ready by a file or without a sign.
fn definition(address: &str, version: &str, ready: &str, rest: &str) -> String {
    format!(
        r#"
        [service.web]
        command = ["python3", "-S", "-E", "server.py", "{version}"]
        listen = [{{ address = "{address}" }}]
        ready = {{ {ready} }}
        hooks.post-start.command = ["sh", "-c", "echo {version} ready >>log"]
        {rest}
        [service.witness]
        command = ["sh", "polite.sh", "witness"]
        requires = ["web"]
        "#
    )
}

fn ready(version: &str) -> String {
    format!("file = \"{version}.up\", interval = \"10ms\"")
}

/// The server under load, or nothing where there is no python3.
fn serve(address: &str) -> Option<(Running, Load)> {
    find("python3")?;
    let first = definition(address, "v0", &ready("v0"), "");
    let running = Running::start(&[("server.py", SERVER)], &first);
    running.logged("witness up");
    Some((running, Load::begin(address)))
}

#[test]
fn wd_143_overlapping_restarts_under_load_fail_no_request() {
    let address = format!("127.0.0.1:{}", free_port());
    let Some((running, load)) = serve(&address) else {
        return;
    };
    for restart in 1..=3 {
        let (old, new) = (format!("v{}", restart - 1), format!("v{restart}"));
        let said = running.reload(&definition(&address, &new, &ready(&new), ""));
        assert!(said.ends_with("reloaded: web is replaced"), "{said}");
        running.logged(&format!("{old} down"));
        running.logged(&format!("{new} ready"));
        let log = running.log();
        let at = |line: String| log.iter().position(|logged| *logged == line);
        assert!(
            at(format!("{new} up")) < at(format!("{old} down")),
            "{log:?}"
        );
        until("an answer of the new one", || {
            (ask(&address).unwrap() == new).then_some(())
        });
    }
    assert!(load.end_without_a_failure() > 4);
    let over = running.stop();
    let graceful = over
        .reports
        .iter()
        .all(|report| report.verdict == Verdict::Graceful);
    assert!(
        graceful && over.reports.len() == 5 && over.code == Some(0),
        "{over:#?}"
    );
}

#[test]
fn wd_143_plain_restarts_under_load_fail_no_request() {
    let address = format!("127.0.0.1:{}", free_port());
    let Some((running, load)) = serve(&address) else {
        return;
    };
    // Whoever ends by itself is restarted.
    let again = "restart = { policy = \"always\", backoff = { initial = \"1ms\" } }";
    running.reload(&definition(&address, "v0", &ready("v0"), again));
    for restart in 1..=2 {
        let pid = std::fs::read_to_string(running.place.path("pid")).unwrap();
        support::kill(pid.parse().unwrap(), "TERM");
        until("a restart", || {
            (running.count("v0 up") > restart).then_some(())
        });
    }
    assert!(load.end_without_a_failure() > 3);
    assert_eq!(running.stop().code, Some(0));
}

#[test]
fn wd_143_a_new_program_that_is_never_ready_leaves_the_old_one_serving() {
    let address = format!("127.0.0.1:{}", free_port());
    let Some((running, load)) = serve(&address) else {
        return;
    };
    let never = "file = \"never\", interval = \"10ms\", timeout = \"200ms\"";
    let said = running.reload(&definition(&address, "bad", never, ""));
    assert!(said.ends_with("reloaded: web is replaced"), "{said}");
    running.said("not replaced: ");
    assert_eq!(ask(&address).as_deref(), Ok("v0"));
    load.end_without_a_failure();
    let over = running.stop();
    assert_eq!(over.code, Some(0), "{over:#?}");
    let why = over.reports[0].asked_by.name.as_deref().unwrap();
    assert!(
        why.starts_with("it had not become ready within 200ms"),
        "{why}"
    );
}

#[test]
fn wd_2_a_stop_while_a_program_is_replaced_stops_both() {
    let address = format!("127.0.0.1:{}", free_port());
    let Some((running, load)) = serve(&address) else {
        return;
    };
    load.end_without_a_failure();
    running.reload(&definition(&address, "bad", "file = \"never\"", ""));
    running.logged("bad up");
    let over = running.stop();
    assert_eq!(over.reports.len(), 3, "{over:#?}");
    assert!(over.reports.iter().all(|report| report.survivors == 0));
}

/// The newest definition counts, and what serves goes on serving.
#[test]
fn wd_143_what_is_not_ready_yet_is_replaced_in_its_turn() {
    let address = format!("127.0.0.1:{}", free_port());
    let Some((running, load)) = serve(&address) else {
        return;
    };
    let never = "file = \"never\"";
    running.reload(&definition(&address, "bad", never, ""));
    running.logged("bad up");
    let said = running.reload(&definition(&address, "v1", &ready("v1"), ""));
    assert!(said.ends_with("reloaded: web is replaced"), "{said}");
    running.logged("v0 down");
    load.end_without_a_failure();
    let over = running.stop();
    assert!(over.at("v1 ready") < over.at("witness down"), "{over:#?}");
    assert!(over.at("v1 up") < over.at("v0 down"), "{over:#?}");
    assert_eq!((over.reports.len(), over.code), (4, Some(0)), "{over:#?}");
    let why = over.reports[0].asked_by.name.as_deref();
    assert_eq!(why, Some("replaced before it was ready"));
}

/// `stubborn.sh` with a control socket.
fn start(definition: &str) -> Running {
    let place = Place::new();
    place.write("stubborn.sh", support::services::STUBBORN);
    let running = start_in(place, definition);
    running.logged("web up");
    running
}

/// Services with a control socket at `control/socket`.
fn start_in(place: Place, definition: &str) -> Running {
    place.write("winddown.toml", definition);
    let arguments = ["--config", "winddown.toml", "--control", "control/socket"];
    Running::start_in(place, &arguments)
}

/// Neither way does it become a restart without an overlap unsaid.
#[test]
fn wd_143_what_serves_nobody_yet_is_not_replaced() {
    let service = |arguments: &str| {
        format!(
            "[service.web]\ncommand = [\"sh\", \"stubborn.sh\", {arguments}]\nready = {{ file = \"never\" }}\n\
             listen = [{{ address = \"127.0.0.1:0\" }}]\nstop = {{ timeout = \"100ms\" }}\n"
        )
    };
    let running = start(&service("\"web\""));
    let end = running.ask(&["restart", "--overlap", "web"]);
    assert_eq!(end.code(), Some(1), "{end:#?}");
    let why = "`web` is not ready, so there is nothing to replace";
    assert!(end.stderr.contains(why), "{end:#?}");
    assert_eq!(running.count("web up"), 1);

    let said = running.reload(&service("\"web\", \"again\""));
    assert!(
        said.contains(&format!("reloaded: web is restarted, not replaced: {why}")),
        "{said}"
    );
    until("the restart", || {
        (running.count("web up") == 2).then_some(())
    });
    assert_eq!(running.stop().code, Some(124));
}

/// The old program answers on the socket as well as the new one.
#[test]
fn wd_143_an_answer_on_the_socket_does_not_tell_that_the_new_program_is_ready() {
    let address = format!("127.0.0.1:{}", free_port());
    let ready = format!("http = \"http://{address}/\"");
    if find("python3").is_none() {
        return;
    }
    let place = Place::new();
    place.write("server.py", SERVER);
    place.write("polite.sh", support::services::POLITE);
    let running = start_in(place, &definition(&address, "v0", &ready, ""));
    running.logged("v0 ready");
    let end = running.ask(&["restart", "--overlap", "web"]);
    assert_eq!(end.code(), Some(1), "{end:#?}");
    assert!(
        end.stderr.contains("which the old program does too"),
        "{end:#?}"
    );
    assert_eq!(running.stop().code, Some(0));
}

#[test]
fn wd_113_a_program_that_was_replaced_joins_the_stop_of_everything() {
    let definition = r#"
        stop.timeout = "300ms"
        [service.web]
        command = ["sh", "stubborn.sh", "web"]
        ready = { file = "web.up", interval = "10ms" }
        stop.timeout = "1h"
        "#;
    let running = start(definition);
    assert_eq!(running.ask(&["start", "web"]).code(), Some(0));
    let end = running.ask(&["restart", "--overlap", "--no-wait", "web"]);
    assert_eq!(end.code(), Some(0), "{end:#?}");
    until("the end of the old one to be awaited", || {
        let status = running.ask(&["status"]).stdout;
        status.contains("the end of what it replaced").then_some(())
    });
    let over = running.stop();
    assert_eq!((over.reports.len(), over.code), (2, Some(124)), "{over:#?}");
    for report in &over.reports {
        assert_eq!((report.verdict, report.survivors), (Verdict::Forced, 0));
        assert!(report.seconds < 60.0, "{over:#?}");
    }
    let mut old = over
        .reports
        .iter()
        .filter(|report| !report.also_asked.is_empty());
    let replaced = old.next().unwrap().asked_by.name.clone();
    assert!(
        replaced.unwrap().starts_with("replaced by pid "),
        "{over:#?}"
    );
}
