//! When a program is ready.

use std::net::SocketAddr;
use std::time::Duration;

use winddown_core::Timestamp;
use winddown_core::notify::Lifecycle;
use winddown_sys::notify::NotifyServer;
use winddown_sys::process::State;
use winddown_sys::tree::Tree;

use crate::options::ReadyWhen;

/// How often a program that says nothing is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// How long a program that listens must rest to count as ready.
const REST_LISTENING: Duration = Duration::from_millis(150);
/// How long any other program must rest to count as ready.
const REST: Duration = Duration::from_millis(500);
/// Processor time below which a program counts as at rest: some wake up now and then for ever.
const RESTING_CPU: Duration = Duration::from_millis(2);

/// Watches a program until it is ready.
pub(crate) struct Readiness {
    when: ReadyWhen,
    pub(crate) server: Option<NotifyServer>,
    pub(crate) said_stopping: bool,
    said_ready: bool,
    look_at: Timestamp,
    resting_since: Option<(Timestamp, Duration)>,
}

impl Readiness {
    pub(crate) fn new(when: ReadyWhen) -> Result<Self, winddown_sys::Error> {
        let server = match when {
            ReadyWhen::Spawned => None,
            ReadyWhen::Notify => Some(NotifyServer::bind()?),
            // Where there are no such sockets a program is known to be ready by its rest alone.
            ReadyWhen::Auto => NotifyServer::bind().ok(),
        };
        Ok(Self {
            when,
            server,
            said_stopping: false,
            said_ready: false,
            look_at: Timestamp::ZERO,
            resting_since: None,
        })
    }

    /// Takes what the program said on its notify socket.
    pub(crate) fn receive(&mut self) {
        let Some(server) = &mut self.server else {
            return;
        };
        // A datagram that cannot be read is one that says nothing.
        for message in server.receive().unwrap_or_default() {
            match message.notification.lifecycle {
                Some(Lifecycle::Ready) => self.said_ready = true,
                Some(Lifecycle::Stopping) => self.said_stopping = true,
                _ => {}
            }
        }
    }

    /// By what the program is known to be ready now; `None` while it is not.
    pub(crate) fn check(&mut self, now: Timestamp, tree: &Tree) -> Option<String> {
        match self.when {
            ReadyWhen::Spawned => return Some("it runs".to_owned()),
            _ if self.said_ready => return Some("it sent READY=1".to_owned()),
            ReadyWhen::Notify => return None,
            ReadyWhen::Auto => {}
        }
        if now < self.look_at {
            return None;
        }
        self.look_at = now + LOOK_EVERY;
        let rested = self.rested(now, tree)?;
        let listening = tree.listening();
        match listening.first() {
            Some(address) if rested >= REST_LISTENING => {
                // An IPv4 address on an IPv6 socket is shown as what it is.
                let (ip, port) = (address.ip().to_canonical(), address.port());
                let address = SocketAddr::new(ip, port);
                Some(format!("it listens on {address} and rests"))
            }
            _ if rested >= REST => Some("it has come to rest".to_owned()),
            _ => None,
        }
    }

    /// For how long all of the program has used no processor; `None` while it works.
    fn rested(&mut self, now: Timestamp, tree: &Tree) -> Option<Duration> {
        let members = tree.members().ok()?;
        let cpu = tree.cpu_time().unwrap_or_default();
        let at_rest =
            |state: State| matches!(state, State::Sleeping | State::Stopped | State::Unknown);
        let all_rest = !members.is_empty() && members.iter().all(|member| at_rest(member.state));
        match self.resting_since {
            Some((since, cpu_then)) if all_rest && cpu.saturating_sub(cpu_then) < RESTING_CPU => {
                Some(now.since(since))
            }
            _ => {
                self.resting_since = all_rest.then_some((now, cpu));
                None
            }
        }
    }

    /// When [`Readiness::check`] is worth a call again.
    pub(crate) fn due(&self) -> Timestamp {
        match self.when {
            ReadyWhen::Auto => self.look_at,
            ReadyWhen::Notify | ReadyWhen::Spawned => Timestamp::NEVER,
        }
    }
}
