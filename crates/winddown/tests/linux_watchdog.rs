//! WD-58: the host's watchdog is fed only while the program itself is alive.

#![cfg(target_os = "linux")]

mod support;

use std::time::{Duration, Instant};

use support::PATIENCE;
use support::program::Program;
use winddown::Signal;
use winddown_core::notify::Notification;
use winddown_sys::notify::NotifyServer;
use winddown_sys::wait_any;

/// How often the host wants to hear from the program.
const PERIOD: Duration = Duration::from_millis(100);

/// A host that listens, and the program that tells it things.
struct Supervised {
    server: NotifyServer,
    program: Program,
}

impl Supervised {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let server = NotifyServer::bind().unwrap();
        let program = Program::start_with(&[], name, arguments, |command| {
            command
                .env("NOTIFY_SOCKET", server.address())
                .env("WATCHDOG_USEC", PERIOD.as_micros().to_string());
        });
        Self { server, program }
    }

    /// Counts what `wanted` picks until there were `enough` of it, or until `limit` has passed.
    fn count(
        &mut self,
        enough: usize,
        limit: Duration,
        wanted: fn(&Notification) -> bool,
    ) -> usize {
        let end = Instant::now() + limit;
        let mut count = 0;
        while count < enough && Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            wait_any(&[&self.server], Some(left));
            let received = self.server.receive().unwrap();
            let notifications = received.iter().map(|received| &received.notification);
            count += notifications.filter(|n| wanted(n)).count();
        }
        count
    }
}

#[test]
fn wd_58_a_program_that_waits_for_events_is_alive() {
    let mut supervised = Supervised::start("shop", &[]);
    supervised.program.address();
    let fed = supervised.count(5, PATIENCE, |told| told.watchdog.is_some());
    assert!(fed >= 5, "{fed}");
    supervised.program.send(Signal::Term);
    supervised.program.end();
}

#[test]
fn wd_58_a_program_that_never_looks_is_not() {
    let mut supervised = Supervised::start("stubborn_service", &["spin"]);
    supervised.program.expect("ready");
    let fed = supervised.count(1, PERIOD * 10, |told| told.watchdog.is_some());
    assert_eq!(fed, 0);
    supervised.program.send(Signal::Term);
    supervised.program.end();
}
