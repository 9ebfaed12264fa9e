//! Monotonic time as an argument: [`Timestamp`], the [`Clock`] that supplies it, and durations as people write them.

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

/// A point on a monotonic clock, as the time passed since an origin that the clock chose.
///
/// Timestamps of different clocks must not be mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(Duration);

impl Timestamp {
    /// The origin of the clock.
    pub const ZERO: Self = Self(Duration::ZERO);
    /// Later than every point that a clock can reach: "no deadline".
    pub const NEVER: Self = Self(Duration::MAX);

    /// The point `since_origin` after the clock's origin.
    #[must_use]
    pub const fn from_origin(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// The time passed since the clock's origin.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to `self`; zero when `earlier` is the later of the two.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

/// Where the edge of the program takes its time from: the real clock, or a test's.
pub trait Clock: Send + Sync + 'static {
    /// The present point on this clock.
    fn now(&self) -> Timestamp;

    /// How long a thread may really sleep so as not to miss `deadline`; `None` is "until woken".
    ///
    /// A real clock gives the difference. A test clock gives `None` and calls what [`Clock::on_advance`] was given instead.
    fn sleep_until(&self, deadline: Timestamp) -> Option<Duration>;

    /// Has `wake` called each time that a test moved this clock. A real clock never calls it.
    fn on_advance(&self, wake: Arc<dyn Fn() + Send + Sync>);
}

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseDurationError {
    /// There is no number in front of the unit.
    #[error("`{0}` has no number: write a number and a unit, such as 500ms, 30s, 2m, 1h or 1d")]
    NoNumber(String),
    /// It is less than nothing.
    #[error("`{0}` is negative: write a time of 0 or more")]
    Negative(String),
    /// There is no unit behind the number.
    #[error("`{0}` has no unit: write {0}s for seconds, or use ms, s, m, h or d")]
    NoUnit(String),
    /// The unit is none of `ms`, `s`, `m`, `h` and `d`.
    #[error("`{unit}` in `{text}` is no unit of time: use ms, s, m, h or d")]
    UnknownUnit {
        /// The whole text.
        text: String,
        /// The part of it that should be a unit.
        unit: String,
    },
    /// The number does not fit.
    #[error("`{0}` is too long a time: the limit is 36500d")]
    TooLong(String),
}

const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

/// Reads a duration as winddown writes it everywhere: a number and one of `ms`, `s`, `m`, `h`, `d`, such as `1.5s`.
///
/// Only `0` may stand without a unit. The largest is `36500d`.
///
/// # Errors
/// [`ParseDurationError`] names what is wrong and what to write instead.
///
/// ```
/// # use std::time::Duration;
/// use winddown_core::parse_duration;
/// assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
/// assert!(parse_duration("30").is_err());
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let trimmed = text.trim();
    if trimmed.starts_with('-') {
        return Err(ParseDurationError::Negative(text.to_owned()));
    }
    let split = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = (&trimmed[..split], trimmed[split..].trim_start());
    let number: f64 = number
        .parse()
        .map_err(|_| ParseDurationError::NoNumber(text.to_owned()))?;
    let seconds = match unit {
        "" if number == 0.0 => 0.0,
        "" => return Err(ParseDurationError::NoUnit(text.to_owned())),
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3_600.0,
        "d" => number * 86_400.0,
        unit => {
            return Err(ParseDurationError::UnknownUnit {
                text: text.to_owned(),
                unit: unit.to_owned(),
            });
        }
    };
    if seconds > LONGEST.as_secs_f64() {
        return Err(ParseDurationError::TooLong(text.to_owned()));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Writes a duration for people, in a form that [`parse_duration`] reads: `250ms`, `1.5s`, `2m`, `1h`, `1d`.
///
/// Rounded to the nearest millisecond; below one millisecond, and not zero, to the nearest microsecond, at least one.
#[must_use]
pub fn format_duration(duration: Duration) -> impl fmt::Display {
    if !duration.is_zero() && duration < Duration::from_millis(1) {
        let micros = nearest(duration, 1_000).max(1);
        return format!("{}ms", micros as f64 / 1e3);
    }
    let millis = nearest(duration, 1_000_000);
    match millis {
        0 => "0s".to_owned(),
        1..1_000 => format!("{millis}ms"),
        _ if millis % 86_400_000 == 0 => format!("{}d", millis / 86_400_000),
        _ if millis % 3_600_000 == 0 => format!("{}h", millis / 3_600_000),
        _ if millis % 60_000 == 0 => format!("{}m", millis / 60_000),
        _ => format!("{}s", millis as f64 / 1e3),
    }
}

/// How often `unit` nanoseconds fit into `duration`, to the nearest.
pub(crate) const fn nearest(duration: Duration, unit: u128) -> u128 {
    (duration.as_nanos() + unit / 2) / unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_unit_is_read() {
        for (text, millis) in [
            ("0", 0),
            ("500ms", 500),
            ("1.5s", 1_500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            (" 3 s ", 3_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn bad_text_names_the_remedy() {
        for (text, says) in [
            ("", "number"),
            ("s", "number"),
            ("30", "30s"),
            ("5 parsecs", "parsecs"),
            ("1.2.3s", "number"),
            ("99999999d", "36500d"),
            ("-1s", "negative"),
        ] {
            let error = parse_duration(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_written_duration_is_rounded_and_not_cut() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "0.001ms"),
            (1_499, "0.001ms"),
            (1_500, "0.002ms"),
            (999_999, "1ms"),
            (1_499_999, "1ms"),
            (1_500_000, "2ms"),
            (999_500_000, "1s"),
            (2_005_999_999, "2.006s"),
            (59_999_600_000, "1m"),
        ] {
            let written = format_duration(Duration::from_nanos(nanos)).to_string();
            assert_eq!(written, text, "{nanos} ns");
            assert!(parse_duration(&written).is_ok(), "{written}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0u64..1_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration).to_string()), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse_duration(&text);
        }
    }
}
