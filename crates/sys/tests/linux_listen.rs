//! Sockets passed to a real process, as a manager passes them.

#![cfg(target_os = "linux")]

mod host_support;

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};

use host_support::{output_of, steps, watchdog};
use winddown_testkit::Census;

/// `host_steps` with `arguments`, run by a shell that first does `prepare`, with `descriptor` as its descriptor 3.
fn activated(descriptor: OwnedFd, prepare: &str, arguments: &[&str]) -> String {
    let _watchdog = watchdog();
    let census = Census::begin();
    let script = format!("exec 3<&0 0</dev/null; {prepare}; exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &script])
        .arg(steps())
        .args(arguments)
        .env_remove("LISTEN_FDNAMES")
        .stdin(Stdio::from(descriptor));
    let output = output_of(census.mark(&mut shell));
    census.assert_empty();
    output
}

fn tcp() -> OwnedFd {
    TcpListener::bind("127.0.0.1:0").unwrap().into()
}

#[test]
fn each_descriptor_has_its_name_and_kind_and_no_child_inherits_it() {
    let all = "exec 4<&3; mkfifo \"$TMPDIR/f\"; exec 5<>\"$TMPDIR/f\"; exec 6</dev/null
        export LISTEN_PID=$$ LISTEN_FDS=4 LISTEN_FDNAMES=http:admin:fifo:state";
    let directory = tempfile::tempdir().unwrap();
    let prepare = format!("TMPDIR={}; {all}", directory.path().display());
    assert_eq!(
        activated(tcp(), &prepare, &["listen", "environment"]),
        "http TcpListener close-on-exec\n\
         admin TcpListener close-on-exec\n\
         fifo Fifo close-on-exec\n\
         state Other close-on-exec\n"
    );
}

#[test]
fn sockets_of_the_unix_domain_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let stream = UnixListener::bind(directory.path().join("stream")).unwrap();
    let datagram = UnixDatagram::bind(directory.path().join("datagram")).unwrap();
    let (connected, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    for (socket, kind) in [
        (stream.into(), "UnixListener"),
        (datagram.into(), "Datagram"),
        (connected.into(), "Other"),
    ] {
        let prepare = "export LISTEN_PID=$$ LISTEN_FDS=1";
        let printed = activated(socket, prepare, &["listen"]);
        assert_eq!(printed, format!("- {kind} close-on-exec\n"));
    }
}

#[test]
fn inherited_variables_give_no_descriptors() {
    for pid in ["LISTEN_PID=1", "LISTEN_PID=", "OTHER=$$"] {
        let prepare = format!("unset LISTEN_PID; export LISTEN_FDS=1 {pid}");
        assert_eq!(activated(tcp(), &prepare, &["listen"]), "");
    }
}

#[test]
fn a_child_gets_neither_variables_nor_descriptors() {
    let prepare = "export LISTEN_PID=$$ LISTEN_FDS=1 NOTIFY_SOCKET=@x WATCHDOG_USEC=9 FDSTORE=1";
    assert_eq!(
        activated(
            tcp(),
            prepare,
            &["listen", "child", "environment", "listen"]
        ),
        "- TcpListener close-on-exec\n"
    );
}

#[test]
fn descriptors_have_one_owner() {
    let prepare = "export LISTEN_PID=$$ LISTEN_FDS=1";
    assert_eq!(
        activated(tcp(), prepare, &["listen", "listen"]),
        "- TcpListener close-on-exec\n"
    );
}

#[test]
fn a_wrong_variable_is_named() {
    for (variables, says) in [
        (
            "LISTEN_FDS=2",
            "the variable LISTEN_FDS is wrong: descriptor 4 is not open",
        ),
        (
            "LISTEN_FDS=many",
            "the variable LISTEN_FDS is wrong: `many` is no number",
        ),
        (
            "LISTEN_FDS=1 LISTEN_FDNAMES=a:b",
            "the variable LISTEN_FDNAMES is wrong: it has 2 names for 1 descriptors",
        ),
    ] {
        let prepare = format!("exec 4<&-; export LISTEN_PID=$$ {variables}");
        let printed = activated(tcp(), &prepare, &["listen"]);
        assert!(printed.contains(says), "{printed}");
    }
}
