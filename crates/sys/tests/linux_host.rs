//! The host as it shows to real processes under real supervisors.

#![cfg(target_os = "linux")]

mod host_support;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use host_support::{command, host_in, output_of, steps, watchdog};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use winddown_core::host::{Host, HostKind};
use winddown_testkit::Census;

#[track_caller]
fn host(command: &mut Command) -> Host {
    let census = Census::begin();
    let host = host_in(&output_of(census.mark(command)));
    census.assert_empty();
    host
}

/// A shell opened from a service, and all that it starts, has the service's variables.
#[test]
fn inherited_variables_are_not_believed() {
    let _watchdog = watchdog();
    let host = host(command(["host"]).envs([
        ("SYSTEMD_EXEC_PID", "1"),
        ("INVOCATION_ID", "0123456789abcdef0123456789abcdef"),
        ("JOURNAL_STREAM", "9:1"),
        ("NOTIFY_SOCKET", "/run/systemd/notify"),
        ("SUPERVISOR_ENABLED", "1"),
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
    ]));
    assert!(
        matches!(host.kind, HostKind::Unknown | HostKind::Console),
        "{host:#?}"
    );
    let against = |what: &str| {
        host.evidence
            .iter()
            .any(|evidence| evidence.what == what && !evidence.counts)
    };
    for what in [
        "SYSTEMD_EXEC_PID",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "NOTIFY_SOCKET",
        "SUPERVISOR_ENABLED",
        "KUBERNETES_SERVICE_HOST",
    ] {
        assert!(against(what), "{what}: {host:#?}");
    }
}

#[test]
fn the_process_that_systemd_names_is_its_service() {
    let _watchdog = watchdog();
    let script = "SYSTEMD_EXEC_PID=$$ exec \"$0\" host";
    let host = host(Command::new("sh").args(["-c", script]).arg(steps()));
    assert_eq!(host.kind, HostKind::Systemd);
}

#[test]
fn a_terminal_makes_a_console() {
    let _watchdog = watchdog();
    let command_line = format!("{} host", steps().display());
    let mut script = Command::new("script");
    script.args(["-qec", &command_line, "/dev/null"]);
    let host = host(script.stdin(Stdio::null()));
    assert_eq!(host.kind, HostKind::Console);

    let mut setsid = Command::new("setsid");
    setsid.arg("--wait").arg(steps()).arg("host");
    assert_ne!(self::host(&mut setsid).kind, HostKind::Console);
}

/// Runs `supervisor`, which starts `host_steps host wait`, and gives back what that wrote into `output`.
fn supervised(supervisor: &mut Command, output: &Path) -> Host {
    let _watchdog = watchdog();
    let census = Census::begin();
    mknodat(CWD, output, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let mut supervisor = census
        .mark(supervisor)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(fs::File::open(output).unwrap())
        .read_line(&mut line)
        .unwrap();
    // Each of them stops its program then, and reaps it.
    kill_process(Pid::from_child(&supervisor), Signal::TERM).unwrap();
    supervisor.wait().unwrap();
    census.assert_empty();
    host_in(&line)
}

fn service_script(directory: &Path, output: &Path) {
    let run = format!(
        "#!/bin/sh\nexec {} host wait >{}\n",
        steps().display(),
        output.display()
    );
    let path = directory.join("run");
    fs::write(&path, run).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn runit_is_known_by_its_runsv() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("output");
    service_script(directory.path(), &output);
    let found = supervised(Command::new("runsv").arg(directory.path()), &output);
    assert_eq!(found.kind, HostKind::Runit);
}

#[test]
fn s6_is_known_by_its_supervise() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("output");
    service_script(directory.path(), &output);
    let found = supervised(Command::new("s6-supervise").arg(directory.path()), &output);
    assert_eq!(found.kind, HostKind::S6);
}

#[test]
fn supervisord_is_known_as_the_parent_and_by_its_variables() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("output");
    let configuration = directory.path().join("supervisord.conf");
    fs::write(
        &configuration,
        format!(
            "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={0}/pid\n\
             [program:orders]\ncommand={1} host wait\nstdout_logfile={2}\nstdout_logfile_maxbytes=0\n",
            directory.path().display(),
            steps().display(),
            output.display(),
        ),
    )
    .unwrap();
    let mut supervisord = Command::new("supervisord");
    supervisord.arg("--configuration").arg(&configuration);
    let found = supervised(&mut supervisord, &output);
    assert_eq!(found.kind, HostKind::Supervisord);
    assert_eq!(found.name.as_deref(), Some("orders"));
}

/// Parent, session and process group are outside, and 0 is what the kernel says for each.
#[test]
fn process_1_of_a_pid_namespace_is_in_a_container() {
    let _watchdog = watchdog();
    let mut unshare = Command::new("unshare");
    unshare
        .args([
            "--user",
            "--map-root-user",
            "--pid",
            "--fork",
            "--mount-proc",
        ])
        .arg(steps())
        .arg("host");
    let host = host(&mut unshare);
    assert!(host.pid1 && host.in_container);
    assert_eq!(host.kind, HostKind::Container);
}
