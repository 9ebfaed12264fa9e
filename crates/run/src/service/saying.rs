//! What a program says of itself by `sd_notify`, and whom it is believed of.

use std::time::Duration;

use winddown_core::notify::{Lifecycle, Notification, WatchdogWord};
use winddown_core::{Signal, State, Timestamp, one_line};
use winddown_sys::notify::Sender;

use super::run::Run;

/// The most bytes that are kept of a `STATUS=`.
const LONGEST_STATUS: usize = 512;

/// By how much longer than it should a start may take of which the program says that it needs the time (WD-43).
const LONGEST_START: u32 = 10;

/// What a program has said of itself.
#[derive(Default)]
pub(super) struct Sayings {
    /// What it is doing, for people.
    status: Option<Box<str>>,
    /// The process that signals are for, where that is not the one that was started.
    pub(super) main: Option<u32>,
    /// Until when it needs for its start.
    starts_until: Timestamp,
    /// Whether somebody was told already that a stranger spoke.
    told_of_stranger: bool,
    /// Whether it was told that a `MAINPID` was ignored.
    told_of_main: bool,
    news: News,
}

/// What the host is told too, since it was asked last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// How much more time it needs.
    pub(crate) extend: Option<Duration>,
    /// What it is doing, for people.
    pub(crate) status: Option<String>,
    /// Whether it reloads, or is ready again.
    pub(crate) lifecycle: Option<Lifecycle>,
}

impl Run {
    /// Takes what its processes have said; whoever else can reach the socket is not heard (WD-125).
    pub(super) fn hear(&mut self, now: Timestamp) {
        let received = self.ready.receive();
        // A flood costs one look at its sender.
        let mut strangers: Vec<Sender> = Vec::new();
        for message in &received {
            match message.sender {
                Some(sender) if strangers.contains(&sender) => {}
                Some(sender) if !self.is_own(sender) => strangers.push(sender),
                _ => self.take(&message.notification, now),
            }
        }
        if let (Some(stranger), false) = (strangers.first(), self.sayings.told_of_stranger) {
            self.sayings.told_of_stranger = true;
            let who = match stranger.pid {
                Some(pid) => format!("pid {pid}"),
                None => "a process of another pid namespace".to_owned(),
            };
            let uid = stranger.uid;
            let what = format!("ignored what {who} (uid {uid}) said: it is none of its processes");
            self.timeline.notice(now, what);
        }
    }

    fn is_own(&self, sender: Sender) -> bool {
        let is_leader = |pid: u32| self.exit.is_none() && pid == self.pid();
        sender
            .pid
            .is_some_and(|pid| is_leader(pid) || self.tree.contains(pid))
    }

    fn take(&mut self, said: &Notification, now: Timestamp) {
        self.ready.hear_notification(said);
        if let Some(health) = &mut self.health {
            health.hear(said, now);
        }
        if let Some(status) = &said.status {
            let status = one_line(status, LONGEST_STATUS);
            if self.sayings.status.as_deref() != Some(&status) {
                self.sayings.status = Some(status.clone().into());
                self.sayings.news.status = Some(status);
            }
        }
        if let Some(time) = said.extend_timeout {
            self.extend(time, now);
        }
        if said.lifecycle.is_some() && self.state() == State::Running {
            self.sayings.news.lifecycle = said.lifecycle;
        }
        if let Some(pid) = said.main_pid {
            self.set_main(pid, now);
        }
        if said.watchdog == Some(WatchdogWord::Trigger) {
            self.fail("it was unhealthy: it sent WATCHDOG=trigger", now);
        }
    }

    fn extend(&mut self, time: Duration, now: Timestamp) {
        let is_starting = self.state() == State::Starting;
        match &mut self.stop {
            Some(stop) => stop.extend(now + time),
            None if is_starting => self.sayings.starts_until = now + time,
            None => return,
        }
        self.sayings.news.extend = Some(time);
    }

    fn set_main(&mut self, pid: u32, now: Timestamp) {
        let main = (pid != self.pid()).then_some(pid);
        if main == self.sayings.main {
            return;
        }
        if main.is_none_or(|pid| self.tree.contains(pid)) {
            self.sayings.main = main;
            if let Some(stop) = &mut self.stop {
                stop.main = main;
            }
            self.timeline.add(now, format!("its main process is {pid}"));
        } else if !std::mem::replace(&mut self.sayings.told_of_main, true) {
            let what = format!("ignored MAINPID={pid}: that is none of its processes");
            self.timeline.notice(now, what);
        }
    }

    /// By when it must be ready.
    pub(super) fn ready_deadline(&self) -> Timestamp {
        let timeout = self.options.ready_timeout;
        let most = self.started() + timeout * LONGEST_START;
        let usual = self.started() + timeout;
        usual.max(self.sayings.starts_until.min(most))
    }

    /// What it says that it is doing.
    pub(super) fn status(&self) -> Option<&str> {
        self.sayings.status.as_deref()
    }

    pub(super) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.sayings.news)
    }

    /// Sends a signal to the process that it named as its main one; whether there is such a process.
    pub(super) fn signal_main(&self, signal: Signal) -> bool {
        let Some(main) = self.sayings.main else {
            return false;
        };
        self.tree.signal_member(main, signal).unwrap_or(false)
    }
}
