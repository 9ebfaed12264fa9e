//! A program that tells its host things, and the host.

use std::process::Command;
use std::time::{Duration, Instant};

use winddown_core::notify::Notification;
use winddown_sys::notify::NotifyServer;
use winddown_sys::wait_any;

use super::program::Program;

/// A host that listens, and the program that tells it things.
pub(crate) struct Notified {
    server: NotifyServer,
    pub(crate) program: Program,
}

impl Notified {
    /// Starts the example `name`, with a command that `prepare` has changed.
    pub(crate) fn start(
        name: &str,
        arguments: &[&str],
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let server = NotifyServer::bind().unwrap();
        let program = Program::start_with(&[], name, arguments, |command| {
            command.env("NOTIFY_SOCKET", server.address());
            prepare(command);
        });
        Self { server, program }
    }

    /// Counts what `wanted` picks until there were `enough` of it, or until `limit` has passed.
    pub(crate) fn count(
        &mut self,
        enough: usize,
        limit: Duration,
        wanted: impl Fn(&Notification) -> bool,
    ) -> usize {
        let end = Instant::now() + limit;
        let mut count = 0;
        while count < enough && Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            wait_any(&[&self.server], Some(left));
            let received = self.server.receive().unwrap();
            let notifications = received.iter().map(|received| &received.notification);
            count += notifications.filter(|told| wanted(told)).count();
        }
        count
    }
}
