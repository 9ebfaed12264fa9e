//! The section `[health]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use winddown_core::health::HealthRules;

use super::ready::targets;
use super::text::DurationText;
use crate::environment::Template;
use crate::options::HealthOptions;
use crate::probe::{HttpUrl, ProbeTarget, TcpAddress};

/// How it is seen whether a program that is ready is still well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawHealth", into = "RawHealth")]
#[schemars(with = "RawHealth")]
pub struct Health(pub(super) HealthOptions);

/// How it is seen whether a program that is ready is still well. One that is not is stopped, and counts as failed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Health")]
struct RawHealth {
    /// It takes connections at this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<TcpAddress>,
    /// A GET of this URL is answered with a status from 200 to 399.
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<HttpUrl>,
    /// This program exits with 0; never a shell's line.
    #[serde(skip_serializing_if = "Option::is_none")]
    exec: Option<Vec<Template>>,
    /// This file is there, and was written since the start. Relative to the program's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    /// It sends `WATCHDOG=1` to its `NOTIFY_SOCKET` at least once in this time; `WATCHDOG_USEC` tells it so.
    #[serde(skip_serializing_if = "Option::is_none")]
    watchdog: Option<DurationText>,
    /// From one check to the next; 10s without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<DurationText>,
    /// How long a check may take; 5s without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<DurationText>,
    /// How many failed checks in a row make it unhealthy, 1 or more; 3 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    failures: Option<u32>,
    /// How many good checks in a row make it healthy, 1 or more; 1 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    successes: Option<u32>,
    /// For how long from its start failed checks do not count, unless one succeeds before; 0 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    start_period: Option<DurationText>,
}

impl TryFrom<RawHealth> for Health {
    type Error = &'static str;

    fn try_from(raw: RawHealth) -> Result<Self, Self::Error> {
        let mut targets = targets(raw.tcp, raw.http, raw.exec, raw.file)?.into_iter();
        let probe = match (targets.next(), targets.next()) {
            (None, None) if raw.watchdog.is_none() => {
                return Err(
                    "there is nothing to check: give one of tcp, http, exec, file and watchdog",
                );
            }
            (probe, None) => probe,
            _ => return Err("one thing is checked: give one of tcp, http, exec and file"),
        };
        let default = HealthRules::default();
        let rules = HealthRules {
            interval: raw.interval.map_or(default.interval, |time| time.0),
            timeout: raw.timeout.map_or(default.timeout, |time| time.0),
            failures: raw.failures.unwrap_or(default.failures),
            successes: raw.successes.unwrap_or(default.successes),
            start_period: raw.start_period.map_or(default.start_period, |time| time.0),
        };
        if rules.failures == 0 || rules.successes == 0 {
            return Err("`failures` and `successes` are 1 or more");
        }
        let watchdog = raw.watchdog.map(|time| time.0);
        if rules.interval.is_zero()
            || rules.timeout.is_zero()
            || watchdog.is_some_and(|every| every.is_zero())
        {
            return Err("`interval`, `timeout` and `watchdog` are longer than 0");
        }
        Ok(Self(HealthOptions {
            probe,
            rules,
            watchdog,
        }))
    }
}

impl From<Health> for RawHealth {
    fn from(Health(health): Health) -> Self {
        let rules = health.rules;
        let mut raw = Self {
            watchdog: health.watchdog.map(DurationText),
            interval: Some(DurationText(rules.interval)),
            timeout: Some(DurationText(rules.timeout)),
            failures: Some(rules.failures),
            successes: Some(rules.successes),
            start_period: Some(DurationText(rules.start_period)),
            ..Self::default()
        };
        match health.probe {
            Some(ProbeTarget::Tcp(address)) => raw.tcp = Some(address),
            Some(ProbeTarget::Http(url)) => raw.http = Some(url),
            Some(ProbeTarget::Exec(command)) => raw.exec = Some(command),
            Some(ProbeTarget::File(path)) => raw.file = Some(path),
            None => {}
        }
        raw
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_key_counts() {
        let text = r#"
            http = "http://127.0.0.1:8080/healthz"
            watchdog = "20s"
            interval = "1s"
            timeout = "2s"
            failures = 4
            successes = 5
            start-period = "6s"
        "#;
        let health: Health = toml::from_str(text).unwrap();
        let second = Duration::from_secs(1);
        let expected = HealthOptions {
            probe: Some(ProbeTarget::Http(
                "http://127.0.0.1:8080/healthz".parse().unwrap(),
            )),
            rules: HealthRules {
                interval: second,
                timeout: second * 2,
                failures: 4,
                successes: 5,
                start_period: second * 6,
            },
            watchdog: Some(second * 20),
        };
        assert_eq!(health.0, expected);
        for text in [
            text,
            "tcp = \"a:1\"",
            "exec = [\"./check\"]",
            "file = \"x\"",
            "watchdog = \"1s\"",
        ] {
            let health: Health = toml::from_str(text).unwrap();
            let written = toml::to_string(&health).unwrap();
            assert_eq!(toml::from_str(&written), Ok(health), "{written}");
        }
    }

    #[test]
    fn what_says_nothing_or_too_much_is_refused() {
        for (text, what) in [
            ("", "nothing to check"),
            ("interval = \"1s\"", "nothing to check"),
            ("tcp = \"a:1\"\nfile = \"x\"", "one thing"),
            (
                "tcp = \"a:1\"\nfile = \"x\"\nwatchdog = \"1s\"",
                "one thing",
            ),
            ("file = \"x\"\nfailures = 0", "1 or more"),
            ("file = \"x\"\nsuccesses = 0", "1 or more"),
            ("file = \"x\"\ninterval = \"0\"", "longer than 0"),
            ("file = \"x\"\ntimeout = \"0\"", "longer than 0"),
            ("watchdog = \"0\"", "longer than 0"),
            ("exec = []", "`exec`"),
            ("log = \"x\"", "log"),
        ] {
            let error = toml::from_str::<Health>(text).unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
