//! Notifications through real sockets.

#![cfg(target_os = "linux")]

mod host_support;

use std::ffi::OsStr;
use std::fs::{File, metadata};
use std::io::{self, BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use host_support::{command, output_of, watchdog};
use rustix::io::{FdFlags, fcntl_getfd};
use winddown_core::notify::{DescriptorName, Descriptors, Lifecycle};
use winddown_sys::notify::{Notifier, NotifyServer};
use winddown_sys::{Waitable, wait_any};
use winddown_testkit::Census;

/// A manager's socket, and a notifier to it.
fn manager_at_path(directory: &Path) -> (UnixDatagram, Notifier) {
    let path = directory.join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_nonblocking(true).unwrap();
    (manager, Notifier::to(path.as_os_str()).unwrap())
}

fn receive(manager: &UnixDatagram) -> Option<String> {
    let mut buffer = [0; 8192];
    match manager.recv(&mut buffer) {
        Ok(length) => Some(String::from_utf8(buffer[..length].to_vec()).unwrap()),
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            None
        }
    }
}

#[test]
fn wd_57_each_message_is_a_datagram_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let (manager, notifier) = manager_at_path(directory.path());
    assert!(notifier.is_connected());
    assert!(notifier.ready());
    assert!(notifier.status("serving"));
    assert!(notifier.extend_timeout(Duration::from_secs(7)));
    assert_eq!(receive(&manager).as_deref(), Some("READY=1"));
    assert_eq!(receive(&manager).as_deref(), Some("STATUS=serving"));
    assert_eq!(
        receive(&manager).as_deref(),
        Some("EXTEND_TIMEOUT_USEC=7000000")
    );
    assert_eq!(receive(&manager), None);
}

/// sd-notify 0.5.0 fails with ENOENT here.
#[test]
fn an_abstract_socket_is_reached() {
    let name = format!("winddown-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    let notifier = Notifier::to(OsStr::new(&format!("@{name}"))).unwrap();
    assert!(notifier.ready());
    manager.set_nonblocking(true).unwrap();
    assert_eq!(receive(&manager).as_deref(), Some("READY=1"));
}

#[test]
fn a_missing_socket_is_counted_and_found_when_it_appears() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let notifier = Notifier::to(path.as_os_str()).unwrap();
    assert!(!notifier.ready());
    assert!(!notifier.stopping());
    assert_eq!(notifier.errors(), 2);

    let (manager, _) = manager_at_path(directory.path());
    assert!(notifier.ready());
    assert!(notifier.stopping(), "what was not sent can be sent again");
    assert_eq!(notifier.errors(), 2);
    assert_eq!(receive(&manager).as_deref(), Some("READY=1"));
    assert_eq!(receive(&manager).as_deref(), Some("STOPPING=1"));
}

#[test]
fn without_a_manager_nothing_is_an_error() {
    let notifier = Notifier::default();
    assert!(!notifier.ready() && !notifier.is_connected());
    assert_eq!(notifier.errors(), 0);
}

/// systemd takes STOPPING=1 for the stop itself, and never takes it back.
#[test]
fn wd_51_stopping_is_said_once() {
    let directory = tempfile::tempdir().unwrap();
    let (manager, notifier) = manager_at_path(directory.path());
    assert!(notifier.stopping() && notifier.stopping());
    assert_eq!(receive(&manager).as_deref(), Some("STOPPING=1"));
    assert_eq!(receive(&manager), None);
}

#[test]
fn a_manager_that_does_not_read_holds_nobody_up() {
    let _watchdog = watchdog();
    let directory = tempfile::tempdir().unwrap();
    let (manager, notifier) = manager_at_path(directory.path());
    let full = (0..100_000).find(|_| !notifier.status("again"));
    assert!(full.is_some(), "the queue has an end");
    assert!(!notifier.ready());
    assert_eq!(notifier.errors(), 2);
    while receive(&manager).is_some() {}
    assert!(notifier.ready());
}

/// systemd drops a datagram of more than 4096 bytes whole.
#[test]
fn a_long_status_is_cut_and_takes_nothing_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let (manager, notifier) = manager_at_path(directory.path());
    notifier.ready();
    notifier.status(&"é".repeat(2500));
    assert_eq!(receive(&manager).as_deref(), Some("READY=1"));
    let status = receive(&manager).unwrap();
    assert!((4090..4096).contains(&status.len()), "{}", status.len());
    assert!(status.ends_with('é'));
}

/// sd-notify 0.5.0 sends `MAINPID=1` as a word of its own.
#[test]
fn wd_57_no_text_begins_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let (manager, notifier) = manager_at_path(directory.path());
    notifier.status("draining\nMAINPID=1\r\n\0READY=1");
    assert_eq!(
        receive(&manager).as_deref(),
        Some("STATUS=draining MAINPID=1   READY=1")
    );
}

/// A server, and a notifier to it.
fn server() -> (NotifyServer, Notifier) {
    let server = NotifyServer::bind().unwrap();
    let notifier = Notifier::to(server.address()).unwrap();
    (server, notifier)
}

#[test]
fn a_server_is_told_who_sent_what() {
    let _watchdog = watchdog();
    let census = Census::begin();
    let (mut server, _) = server();
    let mut program = command(["ready", "status=two words", "extend=3"]);
    program.env("NOTIFY_SOCKET", server.address());
    let mut program = census.mark(&mut program).spawn().unwrap();
    let pid = program.id();
    assert!(program.wait().unwrap().success());

    assert_eq!(wait_any(&[&server], None), [true]);
    let received = server.receive().unwrap();
    let said: Vec<_> = received.iter().map(|one| &one.notification).collect();
    assert_eq!(said.len(), 3, "{received:?}");
    assert_eq!(said[0].lifecycle, Some(Lifecycle::Ready));
    assert_eq!(said[1].status.as_deref(), Some("two words"));
    assert_eq!(said[2].extend_timeout, Some(Duration::from_secs(3)));
    for one in &received {
        let sender = one.sender.unwrap();
        assert_eq!(sender.pid, Some(pid));
        assert_eq!(sender.uid, rustix::process::getuid().as_raw());
    }
    assert_eq!(wait_any(&[&server], Some(Duration::ZERO)), [false]);
    assert!(server.receive().unwrap().is_empty());
    census.assert_empty();
}

#[test]
fn a_server_drops_what_systemd_drops() {
    let (mut server, notifier) = server();
    let client = UnixDatagram::unbound().unwrap();
    client.send_to(&[b'A'; 5000], server.address()).unwrap();
    client.send_to(b"READY=1\0X=1", server.address()).unwrap();
    notifier.ready();
    let received = server.receive().unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].notification.lifecycle, Some(Lifecycle::Ready));
    assert_eq!(server.refused(), 2);
}

#[test]
fn a_descriptor_to_store_arrives_and_others_are_closed() {
    let (mut server, notifier) = server();
    let file = tempfile::tempfile().unwrap();
    let name = DescriptorName::new("state").unwrap();
    assert!(notifier.fdstore(name, &[file.as_fd(), file.as_fd()]));
    let mut received = server.receive().unwrap().remove(0);
    assert_eq!(
        received.notification.descriptors,
        Some(Descriptors::Store("state".to_owned()))
    );
    let stored = received.take_descriptors();
    assert_eq!(stored.len(), 2);
    for descriptor in stored {
        assert_eq!(fcntl_getfd(&descriptor), Ok(FdFlags::CLOEXEC));
        let same = File::from(descriptor).metadata().unwrap();
        assert_eq!(same.ino(), file.metadata().unwrap().ino());
    }

    assert!(notifier.fdstore_remove(name));
    let removed = server.receive().unwrap().remove(0);
    assert_eq!(
        removed.notification.descriptors,
        Some(Descriptors::Remove("state".to_owned()))
    );
}

#[test]
fn a_full_set_of_descriptors_fits_and_one_more_is_refused() {
    let (mut server, notifier) = server();
    let file = tempfile::tempfile().unwrap();
    let name = DescriptorName::new("many").unwrap();
    assert!(notifier.fdstore(name, &[file.as_fd(); 253]));
    assert!(!notifier.fdstore(name, &[file.as_fd(); 254]));
    assert_eq!(notifier.errors(), 1);
    let mut received = server.receive().unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].take_descriptors().len(), 253);
}

#[test]
fn a_barrier_ends_when_the_earlier_messages_were_handled() {
    let _watchdog = watchdog();
    let (mut server, notifier) = server();
    let begun = Instant::now();
    let timeout = Duration::from_millis(30);
    assert!(!notifier.barrier(timeout), "nobody has handled anything");
    assert!(begun.elapsed() >= timeout);
    assert_eq!(notifier.errors(), 1);
    drop(server.receive().unwrap());

    std::thread::scope(|scope| {
        let barrier = scope.spawn(|| notifier.barrier(Duration::from_secs(50)));
        assert_eq!(wait_any(&[&server], None), [true]);
        let received = server.receive().unwrap();
        assert!(
            !barrier.is_finished(),
            "what was received is not yet handled"
        );
        drop(received);
        assert!(barrier.join().unwrap());
    });
}

/// Closed at once, whatever the sender attaches: no sender can fill the table of descriptors.
#[test]
fn descriptors_that_mean_nothing_are_closed() {
    use rustix::net::{
        SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, sendmsg_addr,
    };
    let (mut server, _) = server();
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let client = OwnedFd::from(UnixDatagram::unbound().unwrap());
    let writers = [writer.as_fd(), writer.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    for datagram in ["READY=1", "BARRIER=1"] {
        let mut control = SendAncillaryBuffer::new(&mut space);
        // A barrier with two descriptors is none.
        control.push(SendAncillaryMessage::ScmRights(&writers));
        sendmsg_addr(
            &client,
            &SocketAddrUnix::new(server.address()).unwrap(),
            &[io::IoSlice::new(datagram.as_bytes())],
            &mut control,
            SendFlags::empty(),
        )
        .unwrap();
    }
    drop(writer);
    let received = server.receive().unwrap();
    assert_eq!(received.len(), 2);
    let mut byte = [0; 1];
    assert_eq!(
        rustix::io::read(&reader, &mut byte),
        Ok(0),
        "all are closed"
    );
}

#[test]
fn a_server_lets_everybody_send_and_nobody_replace_it() {
    let (server, _) = server();
    let path = Path::new(server.address()).to_owned();
    let directory = path.parent().unwrap().to_owned();
    let mode = |path: &Path| metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&directory)), (0o777, 0o711));
    assert_eq!(fcntl_getfd(server.descriptor()), Ok(FdFlags::CLOEXEC));
    drop(server);
    assert!(!directory.exists());
}

/// `host_steps` as root of a user namespace of its own, with what else `options` of `unshare(1)` separate.
fn unshared(options: &[&str], script: &str) -> Command {
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--user", "--map-root-user"])
        .args(options)
        .args(["sh", "-c", script])
        .arg(host_support::steps())
        .env_remove("XDG_RUNTIME_DIR");
    unshare
}

/// As in a container with a read-only root.
#[test]
fn where_nothing_can_be_written_the_name_is_abstract() {
    let _watchdog = watchdog();
    let census = Census::begin();
    let script = "mount -t tmpfs -o ro none /run && exec \"$0\" server=0";
    let mut server = unshared(&["--mount"], script);
    let output = output_of(census.mark(&mut server).env("TMPDIR", "/proc"));
    assert!(output.starts_with('@'), "{output}");
    census.assert_empty();
}

/// The kernel says 0 then, which is no pid.
#[test]
fn a_sender_from_outside_the_pid_namespace_has_no_pid() {
    let _watchdog = watchdog();
    let census = Census::begin();
    let options = ["--pid", "--fork", "--mount-proc"];
    let mut server = unshared(&options, "exec \"$0\" server=1");
    let mut server = census
        .mark(&mut server)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let address = lines.next().unwrap().unwrap();
    assert!(Notifier::to(OsStr::new(&address)).unwrap().ready());
    assert_eq!(
        lines.next().unwrap().unwrap(),
        "Some(Sender { pid: None, uid: 0 })"
    );
    assert!(server.wait().unwrap().success());
    census.assert_empty();
}
