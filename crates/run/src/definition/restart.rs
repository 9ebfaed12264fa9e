//! The section `[restart]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use winddown_core::restart::{
    Backoff, ExitAction, ExitPattern, RestartPolicy, RestartRules, StartLimit,
};

use super::text::DurationText;

/// What follows the end of the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Restart {
    /// Which ends are followed by a new start.
    #[serde(default = "on_failure")]
    pub policy: RestartPolicy,
    /// Exit codes, ranges of them and signals that are a success, besides 0, HUP, INT, TERM and PIPE.
    #[serde(default)]
    pub success: Vec<ExitPattern>,
    /// What follows particular exit codes, ranges of them and signals, whatever the policy says. Where several match, the
    /// narrowest counts.
    #[serde(default)]
    pub on_exit: BTreeMap<ExitPattern, ExitAction>,
    /// How long to wait before each restart.
    #[serde(default)]
    pub backoff: BackoffTable,
    /// How many starts are too many.
    #[serde(default)]
    pub limit: LimitTable,
    /// How long the service must have been ready for the waits to begin anew; 60s without it.
    pub reset_after: Option<DurationText>,
}

const fn on_failure() -> RestartPolicy {
    RestartPolicy::OnFailure
}

/// How long to wait before each restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawBackoff", into = "RawBackoff")]
#[schemars(with = "RawBackoff")]
pub struct BackoffTable(Backoff);

/// How long to wait before each restart.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Backoff")]
struct RawBackoff {
    /// Before the first restart; 200ms without it.
    initial: Option<DurationText>,
    /// By how much each wait is longer than the last, 1 or more; 2 without it.
    #[schemars(range(min = 1))]
    factor: Option<f64>,
    /// The longest wait; 30s without it.
    max: Option<DurationText>,
    /// The share of a wait, 0 to 1, by which it may be shorter, so that services that fail together do not start together; 0.2
    /// without it.
    #[schemars(range(min = 0, max = 1))]
    jitter: Option<f64>,
}

impl TryFrom<RawBackoff> for BackoffTable {
    type Error = &'static str;

    fn try_from(raw: RawBackoff) -> Result<Self, Self::Error> {
        let default = Backoff::default();
        let initial = raw.initial.map_or(default.initial, |initial| initial.0);
        let backoff = Backoff {
            initial,
            factor: raw.factor.unwrap_or(default.factor),
            max: raw.max.map_or(default.max.max(initial), |max| max.0),
            jitter: raw.jitter.unwrap_or(default.jitter),
        };
        if !(backoff.factor >= 1.0 && backoff.factor.is_finite()) {
            return Err("`factor` is a number of 1 or more");
        }
        if !(0.0..=1.0).contains(&backoff.jitter) {
            return Err("`jitter` is a number from 0 to 1");
        }
        if backoff.initial > backoff.max {
            return Err("`initial` is longer than `max`");
        }
        Ok(Self(backoff))
    }
}

impl From<BackoffTable> for RawBackoff {
    fn from(BackoffTable(backoff): BackoffTable) -> Self {
        Self {
            initial: Some(DurationText(backoff.initial)),
            factor: Some(backoff.factor),
            max: Some(DurationText(backoff.max)),
            jitter: Some(backoff.jitter),
        }
    }
}

/// How many starts are too many: more than `starts` in any time of the length `within`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawLimit", into = "RawLimit")]
#[schemars(with = "RawLimit")]
pub struct LimitTable(StartLimit);

/// How many starts are too many: more than `starts` in any time of the length `within`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "StartLimit")]
struct RawLimit {
    /// How many, 1 or more, the first included; 5 without it.
    #[schemars(range(min = 1))]
    starts: Option<u32>,
    /// In which time; 60s without it, and 0 for no limit.
    within: Option<DurationText>,
}

impl TryFrom<RawLimit> for LimitTable {
    type Error = &'static str;

    fn try_from(raw: RawLimit) -> Result<Self, Self::Error> {
        let default = StartLimit::default();
        match raw.starts.unwrap_or(default.starts) {
            0 => Err("`starts` is 1 or more; for no limit, set `within` to 0"),
            starts => Ok(Self(StartLimit {
                starts,
                within: raw.within.map_or(default.within, |within| within.0),
            })),
        }
    }
}

impl From<LimitTable> for RawLimit {
    fn from(LimitTable(limit): LimitTable) -> Self {
        Self {
            starts: Some(limit.starts),
            within: Some(DurationText(limit.within)),
        }
    }
}

impl From<Restart> for RestartRules {
    fn from(restart: Restart) -> Self {
        let default = Self::default();
        Self {
            policy: restart.policy,
            success: restart.success,
            on_exit: restart.on_exit,
            backoff: restart.backoff.0,
            limit: restart.limit.0,
            reset_after: restart
                .reset_after
                .map_or(default.reset_after, |reset_after| reset_after.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use winddown_core::Signal;

    use super::*;

    fn rules(text: &str) -> RestartRules {
        let restart: Restart = toml::from_str(text).unwrap();
        let written = toml::to_string(&restart).unwrap();
        assert_eq!(toml::from_str(&written), Ok(restart.clone()), "{written}");
        restart.into()
    }

    #[test]
    fn a_section_without_keys_restarts_after_failures() {
        let expected = RestartRules {
            policy: RestartPolicy::OnFailure,
            ..RestartRules::default()
        };
        assert_eq!(rules(""), expected);
    }

    #[test]
    fn every_key_counts() {
        let rules = rules(
            r#"
            policy = "always"
            success = ["143", "100-110", "KILL"]
            on-exit = { "3" = "stop", "75" = "restart", "-1" = "shutdown", "SEGV" = "shutdown" }
            backoff = { initial = "1s", factor = 3, max = "1m", jitter = 0.5 }
            limit = { starts = 10, within = "0" }
            reset-after = "5m"
            "#,
        );
        let expected = RestartRules {
            policy: RestartPolicy::Always,
            success: vec![
                ExitPattern::Codes(143, 143),
                ExitPattern::Codes(100, 110),
                ExitPattern::Signal(Signal::Kill),
            ],
            on_exit: BTreeMap::from([
                (ExitPattern::Codes(-1, -1), ExitAction::Shutdown),
                (ExitPattern::Codes(3, 3), ExitAction::Stop),
                (ExitPattern::Codes(75, 75), ExitAction::Restart),
                (ExitPattern::Signal(Signal::Segv), ExitAction::Shutdown),
            ]),
            backoff: Backoff {
                initial: Duration::from_secs(1),
                factor: 3.0,
                max: Duration::from_secs(60),
                jitter: 0.5,
            },
            limit: StartLimit {
                starts: 10,
                within: Duration::ZERO,
            },
            reset_after: Duration::from_secs(300),
        };
        assert_eq!(rules, expected);
    }

    #[test]
    fn a_first_wait_beyond_the_usual_cap_is_the_cap() {
        let backoff = rules("backoff = { initial = \"2m\" }").backoff;
        assert_eq!(backoff.max, Duration::from_secs(120));
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        for (text, what) in [
            ("backoff = { factor = 0.5 }", "`factor`"),
            ("backoff = { factor = inf }", "`factor`"),
            ("backoff = { factor = nan }", "`factor`"),
            ("backoff = { jitter = 1.5 }", "`jitter`"),
            ("backoff = { jitter = -0.1 }", "`jitter`"),
            ("backoff = { initial = \"2s\", max = \"1s\" }", "`initial`"),
            ("limit = { starts = 0 }", "`within`"),
            ("policy = \"sometimes\"", "sometimes"),
            ("success = [\"well\"]", "well"),
            ("on-exit = { \"9-1\" = \"stop\" }", "9-1"),
            ("on-exit = { \"1\" = \"reboot\" }", "reboot"),
            ("back-off = {}", "back-off"),
        ] {
            let error = toml::from_str::<Restart>(text).unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
