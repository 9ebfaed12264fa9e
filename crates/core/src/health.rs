//! Whether a running service is healthy: checks at intervals, thresholds, and the watchdog.

use std::time::Duration;

use crate::Timestamp;

/// How the health of a service is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthRules {
    /// From the begin of a check to the begin of the next; a check that takes longer delays the next.
    pub interval: Duration,
    /// How long a check may take; one that takes longer has failed.
    pub timeout: Duration,
    /// How many failures in a row make the service unhealthy; 1 or more.
    pub failures: u32,
    /// How many successes in a row make it healthy; 1 or more.
    pub successes: u32,
    /// For how long from its start failures do not count. It is over as soon as a check succeeds.
    pub start_period: Duration,
}

impl Default for HealthRules {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            failures: 3,
            successes: 1,
            start_period: Duration::ZERO,
        }
    }
}

/// What is known of a service's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Health {
    /// Not enough yet.
    #[default]
    Unknown,
    /// The latest successes in a row were enough, and since then failures were not.
    Healthy,
    /// The latest failures in a row were enough, and since then successes were not.
    Unhealthy,
}

/// The checks of one run of a service: when the next is due, and what they have come to.
#[derive(Clone, Debug)]
pub struct HealthChecks {
    rules: HealthRules,
    health: Health,
    /// The latest results, all alike: whether they are successes, and how many.
    row: (bool, u32),
    counts_from: Timestamp,
    due: Timestamp,
    begun: Timestamp,
}

impl HealthChecks {
    /// The checks of a service that was started at `started` and is to be checked from `now` on. The first one is due at
    /// once.
    #[must_use]
    pub fn new(rules: HealthRules, started: Timestamp, now: Timestamp) -> Self {
        Self {
            rules,
            health: Health::Unknown,
            row: (true, 0),
            // A loop's time may be from before a start that it has just made.
            counts_from: started.min(now) + rules.start_period,
            due: now,
            begun: now,
        }
    }

    /// What is known.
    #[must_use]
    pub const fn health(&self) -> Health {
        self.health
    }

    /// When to begin the next check; [`Timestamp::NEVER`] during one.
    #[must_use]
    pub const fn due(&self) -> Timestamp {
        self.due
    }

    /// A check begins. It has [`HealthRules::timeout`] until its result.
    pub fn begin(&mut self, now: Timestamp) {
        self.begun = now;
        self.due = Timestamp::NEVER;
    }

    /// The check has a result. Gives what is known now if that has changed.
    pub fn result(&mut self, now: Timestamp, success: bool) -> Option<Health> {
        self.due = (self.begun + self.rules.interval).max(now);
        if success {
            self.counts_from = now.min(self.counts_from);
        } else if now < self.counts_from {
            return None;
        }
        self.row = match self.row {
            (last, count) if last == success => (success, count.saturating_add(1)),
            _ => (success, 1),
        };
        let (enough, health) = match success {
            true => (self.rules.successes, Health::Healthy),
            false => (self.rules.failures, Health::Unhealthy),
        };
        if self.row.1 < enough || self.health == health {
            return None;
        }
        self.health = health;
        Some(health)
    }
}

/// What a service must say at least so often, to count as alive.
#[derive(Clone, Copy, Debug)]
pub struct Watchdog {
    every: Duration,
    due: Timestamp,
}

impl Watchdog {
    /// From `now` on, at least once in `every`.
    #[must_use]
    pub fn new(every: Duration, now: Timestamp) -> Self {
        Self {
            every,
            due: now + every,
        }
    }

    /// How often it must say so.
    #[must_use]
    pub const fn every(&self) -> Duration {
        self.every
    }

    /// The service said that it is alive.
    pub fn feed(&mut self, now: Timestamp) {
        self.due = now + self.every;
    }

    /// By when it must say so again. From then on it is not alive.
    #[must_use]
    pub const fn due(&self) -> Timestamp {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_origin(Duration::from_secs(seconds))
    }

    const RULES: HealthRules = HealthRules {
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        failures: 3,
        successes: 2,
        start_period: Duration::ZERO,
    };

    /// The changes that results bring, one a second.
    fn changes(rules: HealthRules, results: &[bool]) -> Vec<Option<Health>> {
        let mut checks = HealthChecks::new(rules, at(0), at(0));
        let results = (1..).zip(results);
        results
            .map(|(second, success)| checks.result(at(second), *success))
            .collect()
    }

    #[test]
    fn wd_120_only_results_in_a_row_change_what_is_known() {
        const GOOD: Option<Health> = Some(Health::Healthy);
        const BAD: Option<Health> = Some(Health::Unhealthy);
        let (t, f) = (true, false);
        assert_eq!(changes(RULES, &[t, t, t]), [None, GOOD, None]);
        assert_eq!(
            changes(RULES, &[f, f, t, f, f, f]),
            [None, None, None, None, None, BAD]
        );
        assert_eq!(
            changes(RULES, &[f, f, f, f, t, f, t, t]),
            [None, None, BAD, None, None, None, None, GOOD]
        );
        let at_once = HealthRules {
            failures: 1,
            successes: 1,
            ..RULES
        };
        assert_eq!(changes(at_once, &[f, t, f]), [BAD, GOOD, BAD]);
    }

    #[test]
    fn wd_121_failures_of_the_start_period_do_not_count_until_a_check_succeeds() {
        let rules = HealthRules {
            failures: 2,
            start_period: Duration::from_secs(60),
            ..RULES
        };
        let mut checks = HealthChecks::new(rules, at(0), at(10));
        for second in [11, 20, 30, 59] {
            assert_eq!(checks.result(at(second), false), None);
        }
        assert_eq!(checks.result(at(60), false), None);
        assert_eq!(checks.result(at(61), false), Some(Health::Unhealthy));

        let mut checks = HealthChecks::new(rules, at(0), at(0));
        assert_eq!(checks.result(at(1), false), None);
        assert_eq!(checks.result(at(2), true), None);
        assert_eq!(checks.result(at(3), false), None);
        assert_eq!(checks.result(at(4), false), Some(Health::Unhealthy));
    }

    #[test]
    fn wd_121_without_a_start_period_every_failure_counts() {
        let mut checks = HealthChecks::new(RULES, at(2), at(1));
        assert_eq!(checks.result(at(1), false), None);
        assert_eq!(checks.result(at(1), false), None);
        assert_eq!(checks.result(at(1), false), Some(Health::Unhealthy));
    }

    #[test]
    fn wd_123_checks_keep_their_interval_and_never_overlap() {
        let mut checks = HealthChecks::new(RULES, at(0), at(3));
        assert_eq!(checks.due(), at(3));
        checks.begin(at(4));
        assert_eq!(checks.due(), Timestamp::NEVER);
        checks.result(at(6), true);
        assert_eq!(checks.due(), at(14));
        checks.begin(at(14));
        checks.result(at(30), true);
        assert_eq!(checks.due(), at(30));
    }

    #[test]
    fn wd_122_a_watchdog_is_due_so_long_after_the_last_sign_of_life() {
        let mut watchdog = Watchdog::new(Duration::from_secs(10), at(5));
        assert_eq!(watchdog.due(), at(15));
        watchdog.feed(at(8));
        assert_eq!(watchdog.due(), at(18));
    }

    proptest! {
        #[test]
        fn wd_120_unhealthy_needs_that_many_failures_at_the_end(
            failures in 1u32..5, successes in 1u32..5, results in prop::collection::vec(any::<bool>(), 1..40),
        ) {
            let rules = HealthRules { failures, successes, ..RULES };
            let changes = changes(rules, &results);
            for (at, change) in changes.iter().enumerate() {
                let row = results[..=at].iter().rev().take_while(|result| **result == results[at]).count();
                match change {
                    Some(Health::Unhealthy) => prop_assert!(!results[at] && row == failures as usize),
                    Some(Health::Healthy) => prop_assert!(results[at] && row == successes as usize),
                    _ => {}
                }
            }
        }
    }
}
