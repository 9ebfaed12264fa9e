//! A probe that is asked again and again.

use winddown_core::Timestamp;
use winddown_core::health::{Health, HealthChecks, HealthRules};
use winddown_sys::Waitable;

use super::{Probe, ProbeState};

/// A probe asked at intervals, and what its answers have come to.
#[derive(Debug)]
pub(crate) struct Checks {
    probe: Probe,
    checks: HealthChecks,
    under_way: bool,
    last: Option<String>,
}

impl Checks {
    /// Asks `probe` by `rules` about a service that was started at `started`, from `now` on.
    pub(crate) fn new(
        probe: Probe,
        rules: HealthRules,
        started: Timestamp,
        now: Timestamp,
    ) -> Self {
        Self {
            probe,
            checks: HealthChecks::new(rules, started, now),
            under_way: false,
            last: None,
        }
    }

    /// What is asked, and the last answer if there is one: what a service that is not ready waits for.
    pub(crate) fn awaited(&self) -> String {
        let target = self.probe.target();
        match &self.last {
            Some(last) => last.clone(),
            None => format!("{target} has not answered yet"),
        }
    }

    /// Goes as far as it can without waiting. Gives what is known of the service's health if that has changed, and why.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Option<(Health, String)> {
        if !self.under_way && now >= self.checks.due() {
            self.checks.begin(now);
            self.probe.begin(now);
            self.under_way = true;
        }
        if !self.under_way {
            return None;
        }
        let (success, why) = match self.probe.advance(now) {
            ProbeState::Running => return None,
            ProbeState::Passed(why) => (true, why),
            ProbeState::Failed(why) => (false, why),
        };
        self.under_way = false;
        self.last = Some(why.clone());
        self.checks.result(now, success).map(|health| (health, why))
    }

    /// When to call [`Checks::advance`] at the latest.
    pub(crate) fn due(&self) -> Timestamp {
        self.checks.due().min(self.probe.due())
    }

    /// What [`Checks::advance`] should be called for earlier.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &dyn Waitable> {
        self.probe.sources()
    }
}
