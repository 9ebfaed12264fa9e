//! What becomes of the signals that winddown receives: the section `[signals]` of a definition.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;
use winddown_core::Signal;

/// What becomes of a signal that winddown receives: `USR1`, `ignore` or `reload`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalAction {
    /// The programs are sent this one.
    Send(Signal),
    /// Nothing.
    Ignore,
    /// The definition is read again.
    Reload,
}

/// What becomes of particular signals; of those that it does not name, see `winddown run --help`.
///
/// A stop request stays one: what is said of `TERM`, `INT` and `QUIT` is which signal the programs are asked by then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SignalMap(BTreeMap<Signal, SignalAction>);

/// Why something cannot be said of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignalMapError {
    /// It is neither a signal nor an action.
    #[error("`{0}` is neither a signal nor `ignore` nor `reload`")]
    Unknown(String),
    /// It is not `SIGNAL=ACTION`.
    #[error("`{0}`: write it as HUP=USR1, USR2=ignore or HUP=reload")]
    Form(String),
    /// winddown does not receive it, or needs it for itself.
    #[error("signal {0} does not reach winddown as something that could be passed on")]
    NotReceived(Signal),
    /// It is a stop request, and no program would be asked.
    #[error("signal {0} is a stop request: say which signal to send instead")]
    Stop(Signal),
}

impl SignalMap {
    /// What becomes of a signal, if something is said of it.
    #[must_use]
    pub fn action(&self, signal: Signal) -> Option<SignalAction> {
        self.0.get(&signal).copied()
    }

    /// Which signal the programs are asked by when winddown is asked to stop by this one, if something is said of it.
    pub(crate) fn asks_by(&self, signal: Signal) -> Option<Signal> {
        match self.action(signal) {
            Some(SignalAction::Send(sent)) if is_stop(signal) => Some(sent),
            _ => None,
        }
    }

    /// Whether a signal has the definition read again.
    #[must_use]
    pub fn reloads(&self) -> bool {
        self.0
            .values()
            .any(|action| *action == SignalAction::Reload)
    }

    /// Says what becomes of a signal.
    ///
    /// # Errors
    /// [`SignalMapError`] where that cannot be said of it.
    pub fn set(&mut self, signal: Signal, action: SignalAction) -> Result<(), SignalMapError> {
        use Signal::{Abrt, Bus, Chld, Fpe, Ill, Kill, Pipe, Segv, Stop, Sys, Trap, Ttin, Ttou};

        match signal {
            Kill | Stop | Segv | Bus | Fpe | Ill | Abrt | Trap | Sys | Chld | Pipe | Ttin
            | Ttou => Err(SignalMapError::NotReceived(signal)),
            signal if is_stop(signal) && !matches!(action, SignalAction::Send(_)) => {
                Err(SignalMapError::Stop(signal))
            }
            signal => {
                self.0.insert(signal, action);
                Ok(())
            }
        }
    }

    /// Says what another map says, too.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// Whether a signal asks winddown to stop, whoever sends it.
pub(crate) const fn is_stop(signal: Signal) -> bool {
    matches!(signal, Signal::Term | Signal::Int | Signal::Quit)
}

impl<'de> Deserialize<'de> for SignalMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let said = BTreeMap::<Signal, SignalAction>::deserialize(deserializer)?;
        let mut map = Self::default();
        for (signal, action) in said {
            map.set(signal, action).map_err(serde::de::Error::custom)?;
        }
        Ok(map)
    }
}

/// Reads one entry, such as `HUP=USR1`.
impl FromStr for SignalMap {
    type Err = SignalMapError;

    fn from_str(text: &str) -> Result<Self, SignalMapError> {
        let form = || SignalMapError::Form(text.to_owned());
        let (signal, action) = text.split_once('=').ok_or_else(form)?;
        let signal = signal.parse().map_err(|_| form())?;
        let mut map = Self::default();
        map.set(signal, action.parse()?)?;
        Ok(map)
    }
}

impl FromStr for SignalAction {
    type Err = SignalMapError;

    fn from_str(text: &str) -> Result<Self, SignalMapError> {
        match text.trim() {
            "ignore" => Ok(Self::Ignore),
            "reload" => Ok(Self::Reload),
            other => match other.parse() {
                Ok(signal) => Ok(Self::Send(signal)),
                Err(_) => Err(SignalMapError::Unknown(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for SignalAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(signal) => signal.fmt(f),
            Self::Ignore => f.pad("ignore"),
            Self::Reload => f.pad("reload"),
        }
    }
}

impl Serialize for SignalAction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SignalAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for SignalAction {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SignalAction".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "the signal to send instead, such as USR1 or RTMIN+3; or `ignore`; or `reload`, to read the definition again"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> Result<SignalMap, SignalMapError> {
        text.parse()
    }

    #[test]
    fn entries_are_read() {
        let hup = map("SIGHUP=USR1").unwrap();
        let action = SignalAction::Send(Signal::Usr1);
        assert_eq!(hup.action(Signal::Hup), Some(action));
        assert_eq!(hup.action(Signal::Usr1), None);
        let both = map("RTMIN+1 = RTMIN+2").unwrap();
        assert_eq!(
            both.action(Signal::Rt(1)),
            Some(SignalAction::Send(Signal::Rt(2)))
        );
        assert_eq!(
            map("HUP=ignore").unwrap().action(Signal::Hup),
            Some(SignalAction::Ignore)
        );
        let mut all = hup;
        all.extend(map("HUP=reload").unwrap());
        assert_eq!(all.action(Signal::Hup), Some(SignalAction::Reload));
    }

    /// WD-181: no map makes a stop request be dropped.
    #[test]
    fn wd_181_a_stop_request_can_be_changed_and_not_dropped() {
        for signal in [Signal::Term, Signal::Int, Signal::Quit] {
            for action in ["ignore", "reload"] {
                let refused = map(&format!("{signal}={action}"));
                assert_eq!(refused, Err(SignalMapError::Stop(signal)));
            }
            let changed = map(&format!("{signal}=USR2")).unwrap();
            assert_eq!(changed.asks_by(signal), Some(Signal::Usr2));
        }
        // A HUP from a terminal that has gone asks by what the program knows as that.
        assert_eq!(map("HUP=USR1").unwrap().asks_by(Signal::Hup), None);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for text in ["", "HUP", "HUP=", "HUP=USR3", "USR9=HUP", "=HUP"] {
            assert!(map(text).is_err(), "{text}");
        }
        for signal in ["KILL", "STOP", "SEGV", "CHLD", "PIPE"] {
            let refused = map(&format!("{signal}=USR1"));
            assert!(
                matches!(refused, Err(SignalMapError::NotReceived(_))),
                "{refused:?}"
            );
        }
    }
}
