//! The verdict of `winddown rehearse` on programs that are widely used (WD-95).
#![cfg(target_os = "linux")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::postgresql;
use support::{Place, Rehearsal, find, free_port};
use winddown_core::report::{Proof, Verdict};

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/programs")
        .join(name)
}

/// The rehearsal found the program ready by what it said or by the port that it listens on, and ended as `verdict` says.
#[track_caller]
fn check(rehearsal: &Rehearsal, port: &str, verdict: Verdict) {
    let report = rehearsal.report();
    assert_eq!(report.verdict, verdict, "{rehearsal:#?}");
    assert_eq!(rehearsal.graceful, verdict == Verdict::Graceful);
    assert_eq!(report.survivors, 0);
    assert!(!matches!(report.proof, Proof::Unproven(_)), "{report:#?}");
    assert!(report.stragglers.is_empty(), "{report:#?}");
    let listens = format!("ready: it listens on 127.0.0.1:{port} and rests");
    let ready = [listens.as_str(), "ready: it sent READY=1"];
    assert!(
        rehearsal
            .timeline
            .iter()
            .any(|(_, what)| ready.contains(&what.as_str())),
        "{rehearsal:#?}"
    );
}

#[test]
fn wd_95_python_handles_int_and_not_term() {
    let Some(python) = find("python3") else {
        return;
    };
    for (signal, verdict) in [
        ("TERM", Verdict::Unhandled),
        ("INT", Verdict::Graceful),
        ("SIGINT", Verdict::Graceful),
    ] {
        let place = Place::new();
        let port = free_port();
        let program = [
            python.to_str().unwrap(),
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            &port,
        ];
        let rehearsal = place.rehearse(&["--signal", signal], program);
        check(&rehearsal, &port, verdict);
        if verdict == Verdict::Unhandled {
            let note = "it has no handler for SIGTERM, whose default action ended it";
            assert_eq!(rehearsal.report().notes, [note]);
        }
        place.census.assert_empty();
    }
}

#[test]
fn nginx_stops_fast_and_gracefully() {
    let Some(nginx) = find("nginx") else {
        return;
    };
    for signal in ["TERM", "QUIT"] {
        let place = Place::new();
        let port = free_port();
        let configuration = format!(
            "pid nginx.pid;\nerror_log error.log;\nevents {{}}\nhttp {{\n  access_log off;\n  \
             client_body_temp_path body;\n  proxy_temp_path proxy;\n  fastcgi_temp_path fastcgi;\n  \
             uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n  \
             server {{ listen 127.0.0.1:{port}; }}\n}}\n"
        );
        let configuration = place.write("nginx.conf", &configuration);
        let program = [
            nginx.as_os_str(),
            "-p".as_ref(),
            place.directory.path().as_os_str(),
            "-c".as_ref(),
            configuration.as_os_str(),
            "-g".as_ref(),
            "daemon off;".as_ref(),
        ];
        let rehearsal = place.rehearse(&["--signal", signal], program);
        check(&rehearsal, &port, Verdict::Graceful);
        place.census.assert_empty();
    }
}

#[test]
fn redis_saves_and_stops() {
    let Some(redis) = find("redis-server") else {
        return;
    };
    let place = Place::new();
    let port = free_port();
    let directory = place.directory.path().to_str().unwrap();
    let program = [
        redis.to_str().unwrap(),
        "--bind",
        "127.0.0.1",
        "--port",
        &port,
        "--dir",
        directory,
    ];
    let rehearsal = place.rehearse(&[], program);
    check(&rehearsal, &port, Verdict::Graceful);
    assert!(place.path("dump.rdb").exists());
    place.census.assert_empty();
}

/// `TERM` is PostgreSQL's smart shutdown and `INT` its fast one.
#[test]
fn postgresql_shuts_down() {
    let Some(server) = postgresql::find() else {
        return;
    };
    let place = Place::new();
    let data = postgresql::make(&place, &server);
    for signal in ["TERM", "INT"] {
        let port = free_port();
        let mut program = postgresql::as_its_user();
        program.extend(postgresql::command(&place, &server, &port));
        let rehearsal = place.rehearse(&["--signal", signal], program);
        check(&rehearsal, &port, Verdict::Graceful);
        assert!(!data.join("postmaster.pid").exists());
    }
    place.census.assert_empty();
}

#[test]
fn wd_95_node_without_a_listener_is_unhandled() {
    let Some(node) = find("node") else {
        return;
    };
    let script = source("server.js");
    for (handled, verdict) in [
        (None, Verdict::Unhandled),
        (Some("handled"), Verdict::Graceful),
    ] {
        let place = Place::new();
        let port = free_port();
        let mut program = vec![node.to_str().unwrap(), script.to_str().unwrap(), &port];
        program.extend(handled);
        let rehearsal = place.rehearse(&[], program);
        check(&rehearsal, &port, verdict);
        place.census.assert_empty();
    }
}

/// Java exits with 143 after its shutdown hooks: that is no failure.
#[test]
fn java_runs_its_shutdown_hooks() {
    let Some(java) = find("java") else {
        return;
    };
    let place = Place::new();
    let port = free_port();
    let source = source("Server.java");
    let program = [java.to_str().unwrap(), source.to_str().unwrap(), &port];
    let rehearsal = place.rehearse(&[], program);
    check(&rehearsal, &port, Verdict::Graceful);
    assert!(rehearsal.end.stderr.contains("hook done"), "{rehearsal:#?}");
    let code = winddown_core::report::ExitRecord::Code(143);
    assert_eq!(rehearsal.report().exit, Some(code));
    place.census.assert_empty();
}

#[test]
fn wd_95_go_without_notify_is_unhandled() {
    let Some(go) = find("go") else {
        return;
    };
    let place = Place::new();
    let server = place.path("server");
    let built = Command::new(go)
        .args(["build", "-o"])
        .arg(&server)
        .arg(source("server.go"))
        .current_dir(place.directory.path())
        .envs([("GO111MODULE", "off"), ("CGO_ENABLED", "0")])
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    for (notified, verdict) in [
        (None, Verdict::Unhandled),
        (Some("notified"), Verdict::Graceful),
    ] {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let mut program = vec![server.to_str().unwrap(), &address];
        program.extend(notified);
        let rehearsal = place.rehearse(&[], program);
        check(&rehearsal, &port, verdict);
    }
    place.census.assert_empty();
}
