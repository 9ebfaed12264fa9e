//! How a program ended, and patterns over it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Signal;
use crate::exit::{CONTROL_C_EXIT, OtherCode};

/// How a run of a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It returned this code. On Windows the 32 bits of it as a signed number.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The system's number.
        number: i32,
        /// The name, if the number has one.
        signal: Option<Signal>,
    },
    /// It did not start, or winddown ended it for a reason of its own: this sentence, such as "it was unhealthy". Always a
    /// failure, whatever code the program returned.
    Failed(String),
}

impl Ended {
    /// Whether it ended well without any definition saying so: code 0, or death by `HUP`, `INT`, `TERM` or `PIPE`, as for
    /// systemd; on Windows also by a console event.
    ///
    /// Source: `SuccessExitStatus=` in `systemd.service(5)`.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        use Signal::{Hup, Int, Pipe, Term};
        match self {
            Self::Code(code) => matches!(*code, 0 | CONTROL_C_EXIT),
            Self::Signal { signal, .. } => matches!(signal, Some(Hup | Int | Term | Pipe)),
            Self::Failed(_) => false,
        }
    }

    /// Whether it ended as programs do that were asked to stop: with 0, by a signal that asks, or with the code that a
    /// shell or the JVM gives for one.
    pub(super) const fn as_if_asked(&self) -> bool {
        use Signal::{Hup, Int, Quit, Term};
        match self {
            Self::Code(code) => matches!(*code, 0 | 129 | 130 | 131 | 143 | CONTROL_C_EXIT),
            Self::Signal { signal, .. } => matches!(signal, Some(Hup | Int | Quit | Term)),
            Self::Failed(_) => false,
        }
    }
}

impl fmt::Display for Ended {
    /// A sentence: `it exited with 3`, `it died of SIGSEGV`, `it died of signal 33`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "it exited with {}", OtherCode(*code)),
            Self::Signal {
                signal: Some(signal),
                ..
            } => write!(f, "it died of SIG{signal}"),
            Self::Signal { number, .. } => write!(f, "it died of signal {number}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// Which ends of a program are meant: `3`, `1-5`, `0xC0000005`, `KILL`.
///
/// Codes are 32 bits wide and may be written as signed or unsigned numbers, decimal or hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitPattern {
    /// An exit code from the first to the second, both included.
    Codes(i32, i32),
    /// Death by this signal.
    Signal(Signal),
}

impl ExitPattern {
    /// Whether `ended` is meant.
    #[must_use]
    pub fn matches(self, ended: &Ended) -> bool {
        match (self, ended) {
            (Self::Codes(first, last), Ended::Code(code)) => (first..=last).contains(code),
            (Self::Signal(meant), Ended::Signal { signal, .. }) => *signal == Some(meant),
            _ => false,
        }
    }

    /// How many ends are meant, less one.
    pub(super) fn width(self) -> u32 {
        match self {
            Self::Codes(first, last) => last.abs_diff(first),
            Self::Signal(_) => 0,
        }
    }
}

/// Why a text is not an [`ExitPattern`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is neither an exit code, nor a range of them such as 1-5, nor a signal such as KILL"
)]
pub struct ParseExitPatternError(String);

impl FromStr for ExitPattern {
    type Err = ParseExitPatternError;

    fn from_str(text: &str) -> Result<Self, ParseExitPatternError> {
        let trimmed = text.trim();
        if let Some(code) = code(trimmed) {
            return Ok(Self::Codes(code, code));
        }
        // The first character may be the sign of the first code.
        let dash = trimmed.char_indices().skip(1).find(|(_, c)| *c == '-');
        let range = dash.and_then(|(dash, _)| {
            let first = code(trimmed[..dash].trim_end())?;
            let last = code(trimmed[dash + 1..].trim_start())?;
            (first <= last).then_some(Self::Codes(first, last))
        });
        range
            .or_else(|| trimmed.parse().ok().map(Self::Signal))
            .ok_or_else(|| ParseExitPatternError(text.to_owned()))
    }
}

/// A 32-bit number, signed or unsigned, decimal or hexadecimal.
fn code(text: &str) -> Option<i32> {
    if let Some(digits) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok().map(|code| code as i32);
    }
    text.parse()
        .ok()
        .or_else(|| text.parse::<u32>().ok().map(|code| code as i32))
}

impl fmt::Display for ExitPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codes(first, last) if first == last => write!(f, "{}", OtherCode(*first)),
            Self::Codes(first, last) => write!(f, "{}-{}", OtherCode(*first), OtherCode(*last)),
            Self::Signal(signal) => write!(f, "{signal}"),
        }
    }
}

impl Serialize for ExitPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ExitPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for ExitPattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ExitPattern".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "an exit code, a range of them such as 1-5, or a signal's name such as KILL"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_way_to_write_an_end_is_read() {
        let access_violation = 0xC000_0005_u32 as i32;
        for (text, pattern) in [
            ("3", ExitPattern::Codes(3, 3)),
            (" 1 - 5 ", ExitPattern::Codes(1, 5)),
            ("-1", ExitPattern::Codes(-1, -1)),
            ("-5--3", ExitPattern::Codes(-5, -3)),
            (
                "0xC0000005",
                ExitPattern::Codes(access_violation, access_violation),
            ),
            (
                "3221225477",
                ExitPattern::Codes(access_violation, access_violation),
            ),
            ("KILL", ExitPattern::Signal(Signal::Kill)),
            ("sigsegv", ExitPattern::Signal(Signal::Segv)),
            ("RTMIN+3", ExitPattern::Signal(Signal::Rt(3))),
        ] {
            assert_eq!(text.parse(), Ok(pattern), "{text}");
        }
    }

    #[test]
    fn the_code_of_a_crash_on_windows_is_written_as_windows_writes_it() {
        let pattern: ExitPattern = "3221225477".parse().unwrap();
        assert_eq!(pattern.to_string(), "0xC0000005");
        let pattern: ExitPattern = "0xC0000005-7".parse().unwrap();
        assert_eq!(pattern.to_string(), "0xC0000005-7");
    }

    #[test]
    fn what_is_no_end_is_refused() {
        for text in [
            "",
            "-",
            "5-1",
            "1-",
            "-1-",
            "1-5-9",
            "4294967296",
            "0x",
            "boom",
            "1.5",
            "é-1",
        ] {
            let error = text.parse::<ExitPattern>().unwrap_err();
            assert!(error.to_string().contains("1-5"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(first: i32, last: i32) {
            let pattern = ExitPattern::Codes(first.min(last), first.max(last));
            prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<ExitPattern>();
        }
    }
}
