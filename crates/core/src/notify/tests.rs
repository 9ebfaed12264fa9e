use proptest::prelude::*;

use super::*;

fn said(datagram: &str) -> Notification {
    parse(datagram.as_bytes()).expect("the datagram is well-formed")
}

#[test]
fn each_message_is_read_back() {
    let name = DescriptorName::new("http").unwrap();
    let none = Notification::default;
    for (message, expected) in [
        (
            Message::Ready,
            Notification {
                lifecycle: Some(Lifecycle::Ready),
                ..none()
            },
        ),
        (
            Message::Reloading { monotonic_usec: 7 },
            Notification {
                lifecycle: Some(Lifecycle::Reloading {
                    monotonic_usec: Some(7),
                }),
                ..none()
            },
        ),
        (
            Message::Stopping,
            Notification {
                lifecycle: Some(Lifecycle::Stopping),
                ..none()
            },
        ),
        (
            Message::Status("serving 3"),
            Notification {
                status: Some("serving 3".to_owned()),
                ..none()
            },
        ),
        (
            Message::ExtendTimeout(Duration::from_millis(1500)),
            Notification {
                extend_timeout: Some(Duration::from_millis(1500)),
                ..none()
            },
        ),
        (
            Message::Watchdog,
            Notification {
                watchdog: Some(WatchdogWord::Alive),
                ..none()
            },
        ),
        (
            Message::WatchdogTrigger,
            Notification {
                watchdog: Some(WatchdogWord::Trigger),
                ..none()
            },
        ),
        (
            Message::MainPid(77),
            Notification {
                main_pid: Some(77),
                ..none()
            },
        ),
        (
            Message::Errno(2),
            Notification {
                errno: Some(2),
                ..none()
            },
        ),
        (
            Message::ExitStatus(3),
            Notification {
                exit_status: Some(3),
                ..none()
            },
        ),
        (
            Message::FdStore(name),
            Notification {
                descriptors: Some(Descriptors::Store("http".to_owned())),
                ..none()
            },
        ),
        (
            Message::FdStoreRemove(name),
            Notification {
                descriptors: Some(Descriptors::Remove("http".to_owned())),
                ..none()
            },
        ),
        (
            Message::Barrier,
            Notification {
                descriptors: Some(Descriptors::Barrier),
                ..none()
            },
        ),
    ] {
        assert_eq!(said(&message.to_string()), expected, "{message:?}");
    }
}

/// sd-notify's u32 ends at 71 minutes.
#[test]
fn an_extension_may_be_longer_than_an_hour() {
    let day = Duration::from_secs(86_400);
    let sent = Message::ExtendTimeout(day).to_string();
    assert_eq!(sent, "EXTEND_TIMEOUT_USEC=86400000000");
    assert_eq!(
        Message::ExtendTimeout(Duration::MAX).to_string(),
        format!("EXTEND_TIMEOUT_USEC={}", u64::MAX)
    );
}

#[test]
fn stopping_counts_before_ready_and_ready_before_reloading() {
    for (datagram, expected) in [
        ("READY=1\nSTOPPING=1", Lifecycle::Stopping),
        ("RELOADING=1\nREADY=1", Lifecycle::Ready),
    ] {
        assert_eq!(said(datagram).lifecycle, Some(expected));
    }
}

#[test]
fn a_malformed_value_is_named_and_the_rest_still_counts() {
    let all =
        said("READY=yes\nEXTEND_TIMEOUT_USEC=-1\nWATCHDOG=0\nMAINPID=0\nERRNO=+2\nSTATUS=fine");
    assert_eq!(
        all.malformed,
        [
            "READY",
            "EXTEND_TIMEOUT_USEC",
            "WATCHDOG",
            "MAINPID",
            "ERRNO"
        ]
    );
    assert_eq!(all.status.as_deref(), Some("fine"));
    assert_eq!(said("EXTEND_TIMEOUT_USEC=").extend_timeout, None);
}

#[test]
fn unknown_words_are_passed_over() {
    assert_eq!(said("X_OURS=1\n\nREADY\n=1"), Notification::default());
}

#[test]
fn a_barrier_stands_alone() {
    assert_eq!(said("BARRIER=1\nREADY=1").descriptors, None);
}

#[test]
fn a_datagram_that_systemd_drops_is_dropped() {
    assert_eq!(
        parse(&[b'A'; MAX_DATAGRAM + 1]),
        Err(NotificationError::TooLong)
    );
    assert_eq!(parse(b"READY=1\0STATUS=x"), Err(NotificationError::Nul));
    assert!(parse(b"READY=1\0").unwrap().lifecycle.is_some());
}

#[test]
fn wd_57_a_descriptor_name_cannot_inject() {
    let long = "a".repeat(256);
    for name in ["", "a:b", "a\nMAINPID=1", "é", "a\u{7f}", &long] {
        assert!(DescriptorName::new(name).is_err(), "{name:?}");
    }
    assert!(DescriptorName::new(&long[1..]).is_ok());
}

proptest! {
    /// sd-notify 0.5.0 sends two words for one status with a newline in it.
    #[test]
    fn wd_57_no_status_is_anything_but_a_status(text in "(?s).{0,6000}") {
        let sent = Message::Status(&text).to_string();
        prop_assert!(sent.len() < MAX_DATAGRAM);
        let read = said(&sent);
        let status = Notification { status: read.status.clone(), ..Notification::default() };
        prop_assert!(read.status.is_some());
        prop_assert_eq!(read, status);
    }

    #[test]
    fn no_datagram_panics(datagram in proptest::collection::vec(any::<u8>(), 0..5000)) {
        let _ = parse(&datagram);
    }

    #[test]
    fn no_lines_panic(text in "((READY|STATUS|MAINPID|FDNAME|FDSTORE|ERRNO|WATCHDOG)=?[ -~]{0,8}\n?){0,9}") {
        let _ = parse(text.as_bytes());
    }
}
