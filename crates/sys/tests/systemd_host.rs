//! What a real systemd shows of a service that uses this crate. Run by `cargo xtask test systemd`, which boots it.

#![cfg(target_os = "linux")]

mod host_support;
mod systemd_support;

use host_support::{host_in, steps};
use serde_json::Value;
use systemd_support::{Unit, run};
use winddown_core::host::{Capabilities, Host, HostKind, NamedHost};

/// The service `name`, which does `does` of `host_steps`, with `settings` in its section `Service`.
fn service(name: &str, settings: &str, does: &str) -> Unit {
    let program = steps().display().to_string();
    let text = format!("[Service]\nTimeoutStopSec=2\n{settings}\nExecStart={program} {does}\n");
    Unit::new(name, &text)
}

impl Unit {
    /// What the service wrote to the journal, in order. (By transport, since the journal may learn the name of a process only
    /// after it has gone.)
    fn journal(&self) -> Vec<Value> {
        run(&["journalctl", "--sync"]).unwrap();
        let unit = format!("_SYSTEMD_UNIT={}", self.service());
        let transport = "_TRANSPORT=stdout";
        let entries = run(&["journalctl", "--boot", "--output=json", &unit, transport]);
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

#[test]
fn the_host_is_systemd_and_has_the_units_name() {
    let service = service("detect", "Type=notify\nWatchdogSec=60", "host ready wait");
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
    let service = service("child", "Type=oneshot", "child host environment");
    service.start();
    let host = service.host();
    assert_eq!(host.kind, HostKind::Unknown, "{host:#?}");
    let around = NamedHost {
        kind: HostKind::Systemd,
        name: Some(service.service()),
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
    let service = service(
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
    let service = service("long", "Type=notify\nTimeoutStartSec=10", &steps);
    service.start();
    service.wait_for("StatusText", &"x".repeat(4095 - "STATUS=".len()));
}

#[test]
fn a_start_takes_as_long_as_it_was_extended() {
    let settings = "Type=notify\nTimeoutStartSec=1";
    let extended = service("extended", settings, "extend=30 pause=3 ready wait");
    extended.start();
    assert_eq!(extended.property("ActiveState"), "active");

    let not_extended = service("not-extended", settings, "pause=3 ready wait");
    assert!(not_extended.systemctl(&["start"]).is_err());
    assert_eq!(not_extended.property("Result"), "timeout");
}

/// systemd then behaves as if it had asked for the stop.
#[test]
fn stopping_ends_the_service_when_its_time_is_over() {
    let service = service("stopping", "Type=notify", "ready stopping wait");
    let _ = service.systemctl(&["start"]);
    service.wait_for("Result", "timeout");
    assert_eq!(service.property("ActiveState"), "failed");
}

#[test]
fn a_triggered_watchdog_fails_the_service() {
    let service = service(
        "watchdog",
        "Type=notify",
        "ready watchdog watchdog-trigger wait",
    );
    service.start();
    service.wait_for("Result", "watchdog");
}

#[test]
fn a_stored_descriptor_comes_back_with_its_name() {
    let service = service(
        "store",
        "Type=notify\nFileDescriptorStoreMax=2",
        "listen fdstore=state ready wait",
    );
    service.start();
    service.wait_for("NFileDescriptorStore", "1");
    assert!(service.printed().is_empty());
    service.systemctl(&["restart"]).unwrap();
    assert_eq!(service.printed(), ["state Datagram close-on-exec"]);
}

#[test]
fn a_stored_descriptor_is_forgotten_by_name() {
    let service = service(
        "forget",
        "Type=notify\nFileDescriptorStoreMax=2",
        "fdstore=one fdstore=two fdstore-remove=one barrier=20 ready wait",
    );
    service.start();
    service.wait_for("NFileDescriptorStore", "1");
}

#[test]
fn a_sockets_unit_gives_its_socket_with_its_name() {
    let mut service = service("socket", "Type=notify", "listen host ready wait");
    service.listen("ListenFIFO=/run/winddown-fifo\nFileDescriptorName=orders");
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
    let service = service(
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
