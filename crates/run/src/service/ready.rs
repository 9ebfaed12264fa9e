//! When a program is ready.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use winddown_core::health::{Health, HealthRules};
use winddown_core::notify::{Lifecycle, Notification};
use winddown_core::{Timestamp, format_duration};
use winddown_sys::Waitable;
use winddown_sys::notify::{NotifyServer, Received};
use winddown_sys::process::State;
use winddown_sys::tree::Tree;

use crate::error::Error;
use crate::options::{ReadyWhen, ServiceOptions};
use crate::probe::{Checks, Probe};

/// How often a program that says nothing is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// How long a program that listens must rest to count as ready.
const REST_LISTENING: Duration = Duration::from_millis(150);
/// How long any other program must rest to count as ready.
const REST: Duration = Duration::from_millis(500);
/// Processor time below which a program counts as at rest: some wake up now and then for ever.
const RESTING_CPU: Duration = Duration::from_millis(2);
/// After how long a program that says nothing counts as ready though it works: some never rest.
const WORKS: Duration = Duration::from_secs(20);
/// After how long it is told that there is no rest yet.
const TELL_AFTER: Duration = Duration::from_secs(3);

/// Watches a program until it is ready.
pub(crate) struct Readiness {
    options: Rc<ServiceOptions>,
    pub(crate) server: Option<NotifyServer>,
    pub(crate) said_stopping: bool,
    begun: Timestamp,
    /// Whether it has sent anything to its socket: it may send READY=1 as well.
    speaks: bool,
    told_work: bool,
    said_ready: bool,
    said_line: bool,
    checks: Option<Box<Checks>>,
    look_at: Timestamp,
    resting_since: Option<(Timestamp, Duration)>,
}

impl Readiness {
    /// Watches a program that is about to be started, at `now` or, on the wall, `wall`.
    pub(crate) fn new(
        options: &Rc<ServiceOptions>,
        wall: SystemTime,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let has_watchdog = options
            .health
            .as_ref()
            .is_some_and(|health| health.watchdog.is_some());
        let server = match options.ready {
            _ if has_watchdog => Some(NotifyServer::bind()?),
            ReadyWhen::Notify => Some(NotifyServer::bind()?),
            ReadyWhen::Spawned => None,
            // Where there are no such sockets it says nothing, and need not.
            _ => NotifyServer::bind().ok(),
        };
        let checks = match &options.ready {
            ReadyWhen::Probe(target) => {
                let rules = HealthRules {
                    interval: options.ready_interval,
                    successes: 1,
                    failures: u32::MAX,
                    ..HealthRules::default()
                };
                let probe = options.probe(target.clone(), rules.timeout, wall)?;
                let checks = Checks::new(Probe::new(probe), rules, now, now);
                Some(Box::new(checks))
            }
            _ => None,
        };
        Ok(Self {
            options: Rc::clone(options),
            server,
            checks,
            said_stopping: false,
            begun: now,
            speaks: false,
            told_work: false,
            said_ready: false,
            said_line: false,
            look_at: Timestamp::ZERO,
            resting_since: None,
        })
    }

    /// What has arrived at the program's notify socket, from whomever.
    pub(crate) fn receive(&mut self) -> Vec<Received> {
        let server = self.server.as_mut();
        // A datagram that cannot be read is one that says nothing.
        server
            .map(|server| server.receive().unwrap_or_default())
            .unwrap_or_default()
    }

    /// Takes what the program said.
    pub(crate) fn hear_notification(&mut self, said: &Notification) {
        self.speaks = true;
        match said.lifecycle {
            Some(Lifecycle::Ready) => self.said_ready = true,
            Some(Lifecycle::Stopping) => self.said_stopping = true,
            _ => {}
        }
    }

    /// Takes a line of the program's output, without its end.
    pub(crate) fn hear(&mut self, line: &[u8]) {
        if let ReadyWhen::Line(pattern) = &self.options.ready {
            self.said_line |= pattern.matches(line);
        }
    }

    /// By what the program is known to be ready now; `None` while it is not.
    pub(crate) fn check(&mut self, now: Timestamp, tree: &Tree) -> Option<String> {
        match &self.options.ready {
            ReadyWhen::Spawned => return Some("it runs".to_owned()),
            ReadyWhen::Probe(_) => {
                let (health, why) = self.checks.as_mut()?.advance(now)?;
                if health != Health::Healthy {
                    return None;
                }
                self.checks = None;
                return Some(why);
            }
            ReadyWhen::Line(pattern) if self.said_line => {
                return Some(format!("a line of its output matches {pattern}"));
            }
            // Its end is seen before it is asked whether it is ready.
            ReadyWhen::Line(_) | ReadyWhen::Exited => return None,
            ReadyWhen::Notify | ReadyWhen::Auto if self.said_ready => {
                return Some("it sent READY=1".to_owned());
            }
            ReadyWhen::Notify => return None,
            ReadyWhen::Auto => {}
        }
        if now < self.look_at {
            return None;
        }
        self.look_at = now + LOOK_EVERY;
        let Some(rested) = self.rested(now, tree) else {
            let counts = !self.speaks && now.since(self.begun) >= WORKS;
            return counts
                .then(|| format!("it has not come to rest within {}", format_duration(WORKS)));
        };
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

    /// That it is not at rest yet, once, and what comes of that.
    pub(crate) fn tell_work(&mut self, now: Timestamp) -> Option<String> {
        let late = self.options.ready == ReadyWhen::Auto && now.since(self.begun) >= TELL_AFTER;
        if !late || std::mem::replace(&mut self.told_work, true) {
            return None;
        }
        let limit = self.options.ready_timeout;
        Some(match !self.speaks && WORKS < limit {
            true => format!(
                "not at rest yet: it counts as ready after {}",
                format_duration(WORKS)
            ),
            false => format!("not ready yet: it may take {}", format_duration(limit)),
        })
    }

    /// When [`Readiness::check`] is worth a call again.
    pub(crate) fn due(&self) -> Timestamp {
        match (&self.options.ready, &self.checks) {
            (ReadyWhen::Auto, _) => self.look_at,
            (_, Some(checks)) => checks.due(),
            _ => Timestamp::NEVER,
        }
    }

    /// What is awaited, where that can be said.
    pub(crate) fn awaited(&self) -> Option<String> {
        self.checks.as_ref().map(|checks| checks.awaited())
    }

    /// What [`Readiness::receive`] and [`Readiness::check`] should be called for earlier.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &dyn Waitable> {
        let server = self.server.iter().map(|server| server as &dyn Waitable);
        server.chain(self.checks.iter().flat_map(|checks| checks.sources()))
    }
}
