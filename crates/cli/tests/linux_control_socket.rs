//! The control socket itself: where it is, whom it serves, and what clients that abuse it get.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::control::{PAIR, Running, exchange, run};
use support::{End, Place, Signal, send, until};
use winddown_testkit::stubborn_program;

/// WD-172: a socket that a killed winddown left is replaced; that of a living one is not.
#[test]
fn wd_172_only_the_socket_of_a_dead_winddown_is_replaced() {
    let running = Running::start(PAIR);
    running.wait_for_state("web", "ready");
    let second = End::of(run(&running.place).spawn().unwrap());
    assert_eq!(second.code(), Some(1), "{second:#?}");
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
        assert_eq!(end.code(), Some(2), "{end:#?}");
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
    let together = "{\"verb\":\"status\"}\n".repeat(20) + "{\"verb\":\"nonsense\"}\n";
    client.write_all(together.as_bytes()).unwrap();
    let mut answers = BufReader::new(&client).lines();
    for answer in ["status"; 20].into_iter().chain(["error"]) {
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
    // It has all that it asked for, and is not kept until its patience ends.
    let mut client = running.connect();
    let together = "{\"verb\":\"status\"}\n".repeat(3);
    client.write_all(together.as_bytes()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let begun = Instant::now();
    let mut all = String::new();
    client.read_to_string(&mut all).unwrap();
    assert_eq!(all.lines().count(), 3, "{all}");
    assert!(begun.elapsed() < Duration::from_secs(9), "{all}");
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
