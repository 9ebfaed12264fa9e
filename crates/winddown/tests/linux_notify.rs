//! WD-59: a service whose manager cannot be told anything.

#![cfg(target_os = "linux")]

mod support;

use support::program::Program;
use winddown::{Signal, Verdict};

const TROUBLE: &str = "shop: warning: its manager does not hear how it stands: ";

/// The shop starts, serves and stops, and all that it says on standard error besides is `trouble`, where there is one.
#[track_caller]
fn check(notify_socket: &str, trouble: Option<&str>) {
    let both = ["sh", "-c", "exec \"$@\" 2>&1", "sh"];
    let shop = Program::start_with(&both, "shop", &[], |command| {
        command.env("NOTIFY_SOCKET", notify_socket);
    });
    // The thread that tells the host and the one that serves are different.
    let count = 1 + usize::from(trouble.is_some());
    let mut printed: Vec<String> = (0..count).map(|_| shop.hear()).collect();
    shop.send(Signal::Term);
    let ended = shop.end();
    assert_eq!(ended.report.verdict, Verdict::Graceful, "{ended:#?}");
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    printed.extend(ended.printed);
    let told: Vec<_> = printed
        .iter()
        .filter_map(|it| it.strip_prefix(TROUBLE))
        .collect();
    assert_eq!(told.len(), usize::from(trouble.is_some()), "{printed:#?}");
    for (told, trouble) in told.iter().zip(trouble) {
        assert!(told.contains(trouble), "{printed:#?}");
    }
}

#[test]
fn wd_59_an_empty_notify_socket_is_none() {
    check("", None);
}

#[test]
fn wd_59_a_notify_socket_that_is_not_there_is_told_once() {
    check(
        "/nonexistent/x",
        Some("\"/nonexistent/x\" failed: No such file"),
    );
}

#[test]
fn wd_59_a_notify_socket_that_is_no_address_is_told_once() {
    check("run/notify", Some("\"run/notify\" is neither a path"));
}
