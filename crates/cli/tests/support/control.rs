//! A `winddown run` with a control socket, and the verbs that ask over it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use serde_json::Value;
use winddown_testkit::stubborn_program;

use super::{End, Place, Signal, send, until};

/// A winddown with a control socket, in a place of its own.
pub(crate) struct Running {
    pub(crate) place: Place,
    pub(crate) winddown: Child,
}

impl Running {
    /// Runs the services of a definition; `STUBBORN` in it is the program that does what it is told.
    pub(crate) fn start(services: &str) -> Self {
        Self::start_in(Place::new(), services)
    }

    pub(crate) fn start_in(place: Place, services: &str) -> Self {
        let stubborn = stubborn_program().display().to_string();
        place.write("services.toml", &services.replace("STUBBORN", &stubborn));
        let winddown = run(&place).spawn().unwrap();
        let running = Self { place, winddown };
        until("the control socket", || {
            running.socket().exists().then_some(())
        });
        running
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.place.path("control/socket")
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> End {
        let mut command = self.place.winddown(arguments);
        command.env("WINDDOWN_CONTROL", self.socket());
        End::of(command.spawn().unwrap())
    }

    /// The last answer to a request that is granted, as JSON.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let end = self.ask(&[&["--output", "json"], arguments].concat());
        assert_eq!(end.code(), Some(0), "{end:#?}");
        serde_json::from_str(&end.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn status(&self, service: &str) -> Value {
        let all = self.json(&["status"]);
        let services = all["services"].as_array().unwrap();
        let found = services.iter().find(|it| it["service"] == service);
        found.unwrap_or_else(|| panic!("{all:#}")).clone()
    }

    pub(crate) fn wait_for_state(&self, service: &str, state: &str) {
        until(&format!("{service} to be {state}"), || {
            (self.status(service)["state"] == state).then_some(())
        });
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).unwrap();
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).unwrap();
        stream
    }

    pub(crate) fn end(self) -> (Place, End) {
        send(&self.winddown, Signal::TERM);
        let end = End::of(self.winddown);
        self.place.census.assert_empty();
        (self.place, end)
    }
}

pub(crate) fn run(place: &Place) -> std::process::Command {
    place.winddown([
        "run",
        "--config",
        "services.toml",
        "--control",
        "control/socket",
    ])
}

/// Sends a line and reads the answer to it.
pub(crate) fn exchange(stream: &mut UnixStream, line: &str) -> Value {
    stream.write_all(line.as_bytes()).unwrap();
    stream.write_all(b"\n").unwrap();
    read_answer(stream)
}

pub(crate) fn read_answer(stream: &UnixStream) -> Value {
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

/// Two services, of which one requires the other, and one that is not started by itself.
pub(crate) const PAIR: &str = r#"
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
