//! What a real systemd shows of a service that uses this crate. Run by `cargo xtask test systemd`, which boots it.

#![cfg(target_os = "linux")]

mod host_support;

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use host_support::{host_in, steps, watchdog};
use serde_json::Value;
use winddown_core::host::{Capabilities, Host, HostKind, NamedHost};
use winddown_testkit::Watchdog;

/// A service of the booted systemd; dropping it stops and removes it.
struct Service {
    name: String,
    files: Vec<PathBuf>,
    _watchdog: Watchdog,
}

impl Service {
    /// The service `name`, which does `steps` of `host_steps`, with `settings` in its section `Service`.
    fn new(name: &str, settings: &str, steps: &str) -> Self {
        let mut service = Self {
            name: format!("winddown-{name}.service"),
            files: Vec::new(),
            _watchdog: watchdog(),
        };
        service.write("service", &unit(settings, steps));
        service
    }

    /// Writes the unit of this service that ends in `kind`. systemd finds new units without a `daemon-reload`, which would
    /// make it forget the extensions that were granted to others.
    fn write(&mut self, kind: &str, text: &str) {
        let root = PathBuf::from(format!("/proc/{}/root", leader()));
        let file = root
            .join("run/systemd/system")
            .join(&self.name)
            .with_extension(kind);
        fs::write(&file, text).unwrap();
        self.files.push(file);
    }

    fn systemctl(&self, verb: &str) -> Result<String, String> {
        inside(&["systemctl", verb, &self.name])
    }

    fn start(&self) {
        if let Err(error) = self.systemctl("start") {
            panic!(
                "{error}\n{}",
                self.systemctl("status").unwrap_or_else(|status| status)
            );
        }
    }

    fn property(&self, property: &str) -> String {
        let value = inside(&["systemctl", "show", "--value", "-p", property, &self.name]);
        value.unwrap().trim().to_owned()
    }

    /// Waits until `property` is `value`: systemd handles notifications when it gets to them.
    #[track_caller]
    fn wait_for(&self, property: &str, value: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let found = self.property(property);
            if found == value {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{property} is {found}, not {value}"
            );
        }
    }

    /// What the service wrote to the journal, in order. (By transport, since the journal may learn the name of a process only
    /// after it has gone.)
    fn journal(&self) -> Vec<Value> {
        inside(&["journalctl", "--sync"]).unwrap();
        let unit = format!("_SYSTEMD_UNIT={}", self.name);
        let transport = "_TRANSPORT=stdout";
        let entries = inside(&["journalctl", "--boot", "--output=json", &unit, transport]);
        let entries = entries.unwrap();
        entries
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn printed(&self) -> Vec<String> {
        self.journal()
            .iter()
            .map(|entry| entry["MESSAGE"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    fn host(&self) -> Host {
        host_in(&self.printed()[0])
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let socket = self.name.replace(".service", ".socket");
        let _ = inside(&["systemctl", "stop", &socket]);
        let _ = inside(&["systemctl", "kill", "--signal=KILL", &self.name]);
        let _ = self.systemctl("stop");
        let _ = self.systemctl("reset-failed");
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
    }
}

fn unit(settings: &str, arguments: &str) -> String {
    let program = steps().display().to_string();
    format!("[Service]\nTimeoutStopSec=2\n{settings}\nExecStart={program} {arguments}\n")
}

fn leader() -> String {
    env::var("WINDDOWN_SYSTEMD_LEADER").expect("run these tests with `cargo xtask test systemd`")
}

/// What `command` prints inside, or what it says when it fails.
fn inside(command: &[&str]) -> Result<String, String> {
    let output = Command::new("nsenter")
        .args(["--target", &leader(), "--all"])
        .args(command)
        .output()
        .expect("nsenter can be started");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!(
            "{command:?}: {}{}",
            text(&output.stdout),
            text(&output.stderr)
        ))
    }
}

#[test]
fn the_host_is_systemd_and_has_the_units_name() {
    let service = Service::new("detect", "Type=notify\nWatchdogSec=60", "host ready wait");
    service.start();
    let host = service.host();
    assert_eq!(host.kind, HostKind::Systemd, "{host:#?}");
    assert_eq!(host.name.as_deref(), Some("winddown-detect.service"));
    assert_eq!(
        host.capabilities,
        Capabilities {
            ready: true,
            extend: true,
            reload: true,
            watchdog: true,
            listen: false,
            fdstore: false,
        }
    );
    let journal = host.evidence.iter().find(|e| e.what == "JOURNAL_STREAM");
    assert!(
        journal.unwrap().why.contains("goes to the journal"),
        "{host:#?}"
    );
}

#[test]
fn a_child_of_a_service_does_not_believe_what_it_inherits() {
    let service = Service::new("child", "Type=oneshot", "child host environment");
    service.start();
    let host = service.host();
    assert_eq!(host.kind, HostKind::Unknown, "{host:#?}");
    let around = NamedHost {
        kind: HostKind::Systemd,
        name: Some(service.name.clone()),
    };
    assert_eq!(host.enclosing, [around]);
    let pid = host.evidence.iter().find(|e| e.what == "SYSTEMD_EXEC_PID");
    assert!(!pid.unwrap().counts, "{host:#?}");
    assert_eq!(
        service.printed().len(),
        1,
        "no variable of the manager is left"
    );
}

#[test]
fn systemd_sees_what_it_is_told() {
    let service = Service::new(
        "told",
        "Type=notify",
        "ready \"status=serving\\nMAINPID=1\" errno=2 barrier=20 wait",
    );
    service.start();
    assert_eq!(service.property("ActiveState"), "active");
    service.wait_for("StatusErrno", "2");
    assert_eq!(service.property("StatusText"), "serving MAINPID=1");
    assert_ne!(service.property("MainPID"), "1");
    assert!(service.printed().is_empty(), "{:?}", service.printed());
}

#[test]
fn a_long_status_does_not_cost_ready() {
    let status = "x".repeat(5000);
    let steps = format!("status={status} ready wait");
    let service = Service::new("long", "Type=notify\nTimeoutStartSec=10", &steps);
    service.start();
    service.wait_for("StatusText", &"x".repeat(4095 - "STATUS=".len()));
}

#[test]
fn a_start_takes_as_long_as_it_was_extended() {
    let settings = "Type=notify\nTimeoutStartSec=1";
    let extended = Service::new("extended", settings, "extend=30 pause=3 ready wait");
    extended.start();
    assert_eq!(extended.property("ActiveState"), "active");

    let not_extended = Service::new("not-extended", settings, "pause=3 ready wait");
    assert!(not_extended.systemctl("start").is_err());
    assert_eq!(not_extended.property("Result"), "timeout");
}

/// systemd then behaves as if it had asked for the stop.
#[test]
fn stopping_ends_the_service_when_its_time_is_over() {
    let service = Service::new("stopping", "Type=notify", "ready stopping wait");
    let _ = service.systemctl("start");
    service.wait_for("Result", "timeout");
    assert_eq!(service.property("ActiveState"), "failed");
}

#[test]
fn a_triggered_watchdog_fails_the_service() {
    let service = Service::new(
        "watchdog",
        "Type=notify",
        "ready watchdog watchdog-trigger wait",
    );
    service.start();
    service.wait_for("Result", "watchdog");
}

#[test]
fn a_stored_descriptor_comes_back_with_its_name() {
    let service = Service::new(
        "store",
        "Type=notify\nFileDescriptorStoreMax=2",
        "listen fdstore=state ready wait",
    );
    service.start();
    service.wait_for("NFileDescriptorStore", "1");
    assert!(service.printed().is_empty());
    service.systemctl("restart").unwrap();
    assert_eq!(service.printed(), ["state Datagram close-on-exec"]);
}

#[test]
fn a_stored_descriptor_is_forgotten_by_name() {
    let service = Service::new(
        "forget",
        "Type=notify\nFileDescriptorStoreMax=2",
        "fdstore=one fdstore=two fdstore-remove=one barrier=20 ready wait",
    );
    service.start();
    service.wait_for("NFileDescriptorStore", "1");
}

#[test]
fn a_sockets_unit_gives_its_socket_with_its_name() {
    let mut service = Service::new("socket", "Type=notify", "listen host ready wait");
    // systemd takes no port 0, and shares the network with this test.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    service.write(
        "socket",
        &format!(
            "[Socket]\nListenStream={}\nListenFIFO=/run/winddown-fifo\nFileDescriptorName=orders\n",
            free.unwrap()
        ),
    );
    inside(&["systemctl", "start", "winddown-socket.socket"]).unwrap();
    service.start();
    let printed = service.printed();
    assert_eq!(
        printed[..2],
        [
            "orders TcpListener close-on-exec",
            "orders Fifo close-on-exec"
        ]
    );
    assert!(host_in(&printed[2]).capabilities.listen);
}

#[test]
fn entries_arrive_with_their_priority() {
    let service = Service::new(
        "entries",
        "Type=oneshot",
        "error=broken warning=odd \"info=two\\nlines\"",
    );
    service.start();
    let entries: Vec<_> = service
        .journal()
        .iter()
        .map(|entry| {
            let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
            (text("PRIORITY"), text("MESSAGE"))
        })
        .collect();
    let expected = [
        ("3", "broken (event 2003)"),
        ("4", "odd (event 2003)"),
        ("6", "two lines (event 2003)"),
    ]
    .map(|(priority, message)| (priority.to_owned(), message.to_owned()));
    assert_eq!(entries, expected);
}
