//! Signals by name: numbers differ between systems, names do not.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A Unix signal by its name, without a number: the number is the system's affair.
///
/// Written as `TERM`; read as `TERM`, `SIGTERM` or `term`. Realtime signals are `RTMIN+3` (0 to 30) everywhere.
///
/// Source: `signal(7)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of signal(7)")]
#[non_exhaustive]
pub enum Signal {
    Hup,
    Int,
    Quit,
    Ill,
    Trap,
    Abrt,
    Bus,
    Fpe,
    Kill,
    Usr1,
    Segv,
    Usr2,
    Pipe,
    Alrm,
    Term,
    Chld,
    Cont,
    Stop,
    Tstp,
    Ttin,
    Ttou,
    Urg,
    Xcpu,
    Xfsz,
    Vtalrm,
    Prof,
    Winch,
    Io,
    Pwr,
    Sys,
    /// `SIGRTMIN` plus this many, 0 to 30.
    Rt(u8),
}

/// The largest `n` of `RTMIN+n`.
pub const RT_MAX: u8 = 30;

const NAMES: [(Signal, &str); 30] = [
    (Signal::Hup, "HUP"),
    (Signal::Int, "INT"),
    (Signal::Quit, "QUIT"),
    (Signal::Ill, "ILL"),
    (Signal::Trap, "TRAP"),
    (Signal::Abrt, "ABRT"),
    (Signal::Bus, "BUS"),
    (Signal::Fpe, "FPE"),
    (Signal::Kill, "KILL"),
    (Signal::Usr1, "USR1"),
    (Signal::Segv, "SEGV"),
    (Signal::Usr2, "USR2"),
    (Signal::Pipe, "PIPE"),
    (Signal::Alrm, "ALRM"),
    (Signal::Term, "TERM"),
    (Signal::Chld, "CHLD"),
    (Signal::Cont, "CONT"),
    (Signal::Stop, "STOP"),
    (Signal::Tstp, "TSTP"),
    (Signal::Ttin, "TTIN"),
    (Signal::Ttou, "TTOU"),
    (Signal::Urg, "URG"),
    (Signal::Xcpu, "XCPU"),
    (Signal::Xfsz, "XFSZ"),
    (Signal::Vtalrm, "VTALRM"),
    (Signal::Prof, "PROF"),
    (Signal::Winch, "WINCH"),
    (Signal::Io, "IO"),
    (Signal::Pwr, "PWR"),
    (Signal::Sys, "SYS"),
];

impl Signal {
    /// Every signal that has a name of its own, in the order of `signal(7)`'s Linux numbers.
    pub fn named() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(signal, _)| *signal)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rt(0) => f.pad("RTMIN"),
            Self::Rt(n) => f.pad(&format!("RTMIN+{n}")),
            named => {
                let name = NAMES.iter().find(|(signal, _)| signal == named);
                f.pad(name.expect("every named signal is in NAMES").1)
            }
        }
    }
}

/// Why a text is not a signal's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no signal: use a name such as TERM, SIGINT, USR1 or RTMIN+3")]
pub struct ParseSignalError(String);

impl FromStr for Signal {
    type Err = ParseSignalError;

    fn from_str(text: &str) -> Result<Self, ParseSignalError> {
        let upper = text.trim().to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some(rest) = name.strip_prefix("RTMIN") {
            let offset = match rest.strip_prefix('+') {
                Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok(),
                None if rest.is_empty() => Some(0),
                _ => None,
            };
            return offset
                .filter(|n| *n <= RT_MAX)
                .map(Self::Rt)
                .ok_or_else(|| ParseSignalError(text.to_owned()));
        }
        NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(signal, _)| *signal)
            .ok_or_else(|| ParseSignalError(text.to_owned()))
    }
}

impl Serialize for Signal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Signal {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Signal".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a signal's name, such as TERM or RTMIN+3"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_name_is_read_back() {
        let all = Signal::named().chain((0..=RT_MAX).map(Signal::Rt));
        for signal in all {
            assert_eq!(signal.to_string().parse(), Ok(signal));
            assert_eq!(format!("sig{signal}").parse(), Ok(signal));
        }
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        for text in [
            "",
            "SIG",
            "TERMINATE",
            "15",
            "RTMIN+31",
            "RTMIN-1",
            "RTMIN+",
            "RTMIN++3",
        ] {
            assert!(text.parse::<Signal>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Signal>();
        }
    }
}
