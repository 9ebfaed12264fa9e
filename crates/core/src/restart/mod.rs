//! Whether a program that has ended is started again, and when.

mod exit;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Timestamp, format_duration};

pub use exit::{Ended, ExitPattern, ParseExitPatternError};

/// How long a program stays down at least that ended as if somebody had asked it to (WD-103). The system's own stop, which
/// reaches some children before it reaches winddown, arrives within that time.
///
/// Source: "Service Control Handler Function" (Microsoft) on `CTRL_SHUTDOWN_EVENT`; `KillMode=control-group` in
/// `systemd.kill(5)`.
pub const HOLD: Duration = Duration::from_secs(1);

/// Which ends of a program are followed by a new start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Every end.
    Always,
    /// An end that is no success.
    OnFailure,
    /// None.
    #[default]
    Never,
}

/// What follows a particular end, whatever the policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExitAction {
    /// A new start.
    Restart,
    /// The service stays stopped.
    Stop,
    /// All services are stopped, and winddown ends.
    Shutdown,
}

/// How long to wait before each start: `initial`, then `factor` times as long after each failure, at most `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Before the first restart.
    pub initial: Duration,
    /// By how much each wait is longer than the last; 1 or more.
    pub factor: f64,
    /// The longest wait.
    pub max: Duration,
    /// The share of a wait, 0 to 1, by which it may be shorter, so that services that fail together do not start together.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(200),
            factor: 2.0,
            max: Duration::from_secs(30),
            jitter: 0.2,
        }
    }
}

impl Backoff {
    /// The wait before the restart that follows `earlier` restarts in a row; `random` is evenly distributed in 0 to 1.
    ///
    /// Jitter only shortens: at the cap there would be nothing left of one that lengthens.
    #[must_use]
    pub fn wait(&self, earlier: u32, random: f64) -> Duration {
        if self.initial.is_zero() {
            return Duration::ZERO;
        }
        // `powi` is a few multiplications; `powf` would bring in the C library's mathematics, which costs every start 0.1 ms.
        let growth = self
            .factor
            .max(1.0)
            .powi(i32::try_from(earlier).unwrap_or(i32::MAX));
        let full = (self.initial.as_secs_f64() * growth).min(self.max.as_secs_f64());
        let share = 1.0 - self.jitter.clamp(0.0, 1.0) * random.clamp(0.0, 1.0);
        Duration::try_from_secs_f64(full * share).map_or(self.max, |wait| wait.min(self.max))
    }
}

/// How often a service may be started: at most `starts` times in any `within`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartLimit {
    /// How many starts, the first included.
    pub starts: u32,
    /// In which time; zero for no limit.
    pub within: Duration,
}

impl Default for StartLimit {
    fn default() -> Self {
        Self {
            starts: 5,
            within: Duration::from_secs(60),
        }
    }
}

/// All that decides about the restart of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct RestartRules {
    /// Which ends are followed by a new start.
    pub policy: RestartPolicy,
    /// Ends that are a success, besides those that [are clean](Ended::is_clean) anyway.
    pub success: Vec<ExitPattern>,
    /// What follows particular ends. Where several patterns match, the narrowest counts; of equally wide ones the lower.
    pub on_exit: BTreeMap<ExitPattern, ExitAction>,
    /// How long to wait before each restart.
    pub backoff: Backoff,
    /// How many starts are too many.
    pub limit: StartLimit,
    /// How long the service must have been ready for the next failure to count as the first.
    pub reset_after: Duration,
}

impl Default for RestartRules {
    fn default() -> Self {
        Self {
            policy: RestartPolicy::default(),
            success: Vec::new(),
            on_exit: BTreeMap::new(),
            backoff: Backoff::default(),
            limit: StartLimit::default(),
            reset_after: Duration::from_secs(60),
        }
    }
}

impl RestartRules {
    /// Whether `ended` is a success.
    #[must_use]
    pub fn is_success(&self, ended: &Ended) -> bool {
        ended.is_clean() || self.success.iter().any(|pattern| pattern.matches(ended))
    }

    fn action(&self, ended: &Ended) -> (ExitAction, String) {
        let told = self
            .on_exit
            .iter()
            .filter(|(pattern, _)| pattern.matches(ended))
            .min_by_key(|(pattern, _)| pattern.width());
        if let Some((pattern, action)) = told {
            return (*action, format!("{ended}: on-exit {pattern}"));
        }
        match self.policy {
            RestartPolicy::Always => (ExitAction::Restart, ended.to_string()),
            RestartPolicy::OnFailure if !self.is_success(ended) => {
                (ExitAction::Restart, ended.to_string())
            }
            RestartPolicy::OnFailure => (ExitAction::Stop, format!("{ended}, which is a success")),
            RestartPolicy::Never => (ExitAction::Stop, ended.to_string()),
        }
    }
}

/// What becomes of a service whose program has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is started again.
    Restart {
        /// Not before this.
        at: Timestamp,
    },
    /// It stays stopped.
    Stop {
        /// For people.
        why: String,
    },
    /// Everything stops.
    Shutdown {
        /// For people.
        why: String,
    },
    /// It stays stopped and has failed: it was started too often.
    GiveUp {
        /// For people.
        why: String,
    },
}

/// The starts and ends of one service, from which the next start follows.
#[derive(Clone, Debug)]
pub struct Restarts {
    rules: Arc<RestartRules>,
    /// The latest starts, as many as the limit allows.
    starts: VecDeque<Timestamp>,
    in_a_row: u32,
    ready_since: Option<Timestamp>,
}

impl Restarts {
    /// A service that was never started.
    #[must_use]
    pub fn new(rules: impl Into<Arc<RestartRules>>) -> Self {
        Self {
            rules: rules.into(),
            starts: VecDeque::new(),
            in_a_row: 0,
            ready_since: None,
        }
    }

    /// What it decides by.
    #[must_use]
    pub fn rules(&self) -> &RestartRules {
        &self.rules
    }

    /// How many restarts followed one another without the service having run well in between.
    #[must_use]
    pub const fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// The service is started.
    pub fn started(&mut self, now: Timestamp) {
        let most = usize::try_from(self.rules.limit.starts).unwrap_or(usize::MAX);
        self.starts.push_back(now);
        while self.starts.len() > most {
            self.starts.pop_front();
        }
        self.ready_since = None;
    }

    /// The service is ready.
    pub fn ready(&mut self, now: Timestamp) {
        self.ready_since.get_or_insert(now);
    }

    /// Somebody starts the service by hand: what was before does not count.
    pub fn forgive(&mut self) {
        self.starts.clear();
        self.in_a_row = 0;
    }

    /// The service has ended, though nobody asked winddown to stop it; what now? `random` is evenly distributed in 0 to 1.
    pub fn ended(&mut self, now: Timestamp, ended: &Ended, random: f64) -> Decision {
        let since = self.ready_since.take();
        if since.is_some_and(|since| now.since(since) >= self.rules.reset_after) {
            self.in_a_row = 0;
        }
        let (action, why) = self.rules.action(ended);
        match action {
            ExitAction::Stop => return Decision::Stop { why },
            ExitAction::Shutdown => return Decision::Shutdown { why },
            ExitAction::Restart => {}
        }
        let mut wait = self.rules.backoff.wait(self.in_a_row, random);
        if ended.as_if_asked() {
            wait = wait.max(HOLD);
        }
        let at = now + wait;
        if self.is_too_often(at) {
            let StartLimit { starts, within } = self.rules.limit;
            let within = format_duration(within);
            let why = format!("started {starts} times within {within}, and at last {ended}");
            return Decision::GiveUp { why };
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        Decision::Restart { at }
    }

    /// Whether a start `at` would be one more than the limit allows.
    fn is_too_often(&self, at: Timestamp) -> bool {
        let limit = self.rules.limit;
        let recent = |start: &&Timestamp| at.since(**start) < limit.within;
        let recent = self.starts.iter().filter(recent).count();
        recent >= usize::try_from(limit.starts).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests;
