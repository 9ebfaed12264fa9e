//! Whether a program that is ready is still well.

use std::time::SystemTime;

use winddown_core::health::{Health, Watchdog};
use winddown_core::notify::{Notification, WatchdogWord};
use winddown_core::{Timestamp, format_duration};
use winddown_sys::Waitable;

use crate::error::Error;
use crate::options::ServiceOptions;
use crate::probe::{Checks, Probe};
use crate::timeline::Timeline;

/// Watches a program that is ready, by checks and by what it says itself.
#[derive(Default)]
pub(super) struct HealthWatch {
    checks: Option<Box<Checks>>,
    watchdog: Option<Watchdog>,
}

impl HealthWatch {
    /// Watches by `options` from `now` on; the program was started at `started`, which on the wall was `wall`.
    ///
    /// # Errors
    /// When what a check is started with cannot be had.
    pub(super) fn new(
        options: &ServiceOptions,
        started: Timestamp,
        wall: SystemTime,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let mut watch = Self::default();
        let Some(health) = &options.health else {
            return Ok(watch);
        };
        if let Some(target) = health.probe.clone() {
            let probe = options.probe(target, health.rules.timeout, wall)?;
            let checks = Checks::new(Probe::new(probe), health.rules, started, now);
            watch.checks = Some(Box::new(checks));
        }
        watch.watchdog = health.watchdog.map(|every| Watchdog::new(every, now));
        Ok(watch)
    }

    /// Takes what the program said.
    pub(super) fn hear(&mut self, said: &Notification, now: Timestamp) {
        let Some(watchdog) = &mut self.watchdog else {
            return;
        };
        if let Some(every) = said.watchdog_interval.filter(|every| !every.is_zero()) {
            *watchdog = Watchdog::new(every, now);
        }
        if said.watchdog == Some(WatchdogWord::Alive) {
            watchdog.feed(now);
        }
    }

    /// Goes as far as it can without waiting; why the program is to be stopped, if it is.
    pub(super) fn advance(&mut self, now: Timestamp, timeline: &Timeline) -> Option<String> {
        if let Some(watchdog) = self
            .watchdog
            .as_ref()
            .filter(|watchdog| now >= watchdog.due())
        {
            let every = format_duration(watchdog.every());
            return Some(format!("it was unhealthy: no WATCHDOG=1 for {every}"));
        }
        match self.checks.as_mut()?.advance(now)? {
            (Health::Unhealthy, why) => Some(format!("it was unhealthy: {why}")),
            (_, why) => {
                timeline.add(now, format!("healthy: {why}"));
                None
            }
        }
    }

    /// When to call [`HealthWatch::advance`] at the latest.
    pub(super) fn due(&self) -> Timestamp {
        let watchdog = self.watchdog.as_ref().map(Watchdog::due);
        let checks = self.checks.as_ref().map(|checks| checks.due());
        let dues = [watchdog, checks];
        dues.into_iter().flatten().min().unwrap_or(Timestamp::NEVER)
    }

    /// What [`HealthWatch::advance`] should be called for earlier.
    pub(super) fn sources(&self) -> impl Iterator<Item = &dyn Waitable> {
        self.checks.iter().flat_map(|checks| checks.sources())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    use winddown_core::notify::parse;

    use super::*;
    use crate::options::HealthOptions;
    use crate::timeline::Observer;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_origin(Duration::from_secs(seconds))
    }

    fn timeline() -> Timeline {
        let nobody: Box<dyn Observer> = Box::new(());
        Timeline::new("service", at(0), &Rc::new(RefCell::new(nobody)))
    }

    /// A service with a watchdog of 10 s, ready at 100 s.
    fn watched() -> HealthWatch {
        let mut options = ServiceOptions::new(vec!["program".into()], Duration::ZERO);
        options.health = Some(Box::new(HealthOptions {
            watchdog: Some(Duration::from_secs(10)),
            ..HealthOptions::default()
        }));
        HealthWatch::new(&options, at(0), SystemTime::now(), at(100)).unwrap()
    }

    fn say(watch: &mut HealthWatch, said: &str, now: Timestamp) {
        watch.hear(&parse(said.as_bytes()).unwrap(), now);
    }

    #[test]
    fn wd_122_a_program_that_does_not_feed_its_watchdog_in_time_is_unhealthy() {
        let (mut watch, timeline) = (watched(), timeline());
        assert_eq!(watch.due(), at(110));
        say(&mut watch, "WATCHDOG=1", at(109));
        say(&mut watch, "STATUS=busy", at(115));
        assert_eq!(watch.due(), at(119));
        assert_eq!(watch.advance(at(118), &timeline), None);
        let why = watch.advance(at(119), &timeline).unwrap();
        assert_eq!(why, "it was unhealthy: no WATCHDOG=1 for 10s");
    }

    #[test]
    fn wd_122_a_program_may_change_its_watchdog() {
        let mut watch = watched();
        say(&mut watch, "WATCHDOG_USEC=60000000", at(105));
        assert_eq!(watch.due(), at(165));
        say(&mut watch, "WATCHDOG_USEC=0", at(106));
        assert_eq!(watch.due(), at(165));
    }

    #[test]
    fn a_service_without_checks_is_never_looked_at() {
        let options = ServiceOptions::new(vec!["program".into()], Duration::ZERO);
        let mut watch = HealthWatch::new(&options, at(0), SystemTime::now(), at(0)).unwrap();
        say(&mut watch, "WATCHDOG=1", at(1));
        assert_eq!(watch.advance(at(2), &timeline()), None);
        assert_eq!(
            (watch.due(), watch.sources().count()),
            (Timestamp::NEVER, 0)
        );
    }
}
