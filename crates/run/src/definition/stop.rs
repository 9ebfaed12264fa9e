//! The section `[stop]`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use winddown_core::{Rung, Signal};

use super::text::DurationText;

/// How a program is stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stop {
    /// How long the whole stop may take, everything included.
    pub timeout: Option<DurationText>,
    /// The signal that asks it, whatever asked winddown.
    pub signal: Option<Signal>,
    /// What is done, in order. Without it: the signal, a look at what hangs, the kill.
    pub ladder: Option<Vec<LadderRung>>,
}

/// A rung of a ladder: one thing to do, and how long to wait then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawRung", into = "RawRung")]
#[schemars(with = "RawRung")]
pub struct LadderRung {
    pub(super) rung: Rung,
    pub(super) wait: Option<Duration>,
}

/// A rung of a ladder as it is written: exactly one thing to do, and how long to wait then.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "LadderRung")]
struct RawRung {
    /// Ask by this signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<Signal>,
    /// Ask by this event of the program's console (Windows).
    #[serde(skip_serializing_if = "Option::is_none")]
    console: Option<Console>,
    /// Ask its windows to close (Windows).
    #[serde(skip_serializing_if = "Option::is_none")]
    windows: Option<Close>,
    /// Close its standard input.
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin: Option<Close>,
    /// Write down what its processes are doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    dump: Option<bool>,
    /// Kill all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    kill: Option<Kill>,
    /// How long to wait before the next rung; without it, for all the time that is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<DurationText>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Console {
    CtrlC,
    CtrlBreak,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Close {
    Close,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kill {
    Tree,
}

impl TryFrom<RawRung> for LadderRung {
    type Error = &'static str;

    fn try_from(raw: RawRung) -> Result<Self, Self::Error> {
        let things = [
            raw.signal.map(Rung::Signal),
            raw.console.map(|console| match console {
                Console::CtrlC => Rung::CtrlC,
                Console::CtrlBreak => Rung::CtrlBreak,
            }),
            raw.windows.map(|_| Rung::CloseWindows),
            raw.stdin.map(|_| Rung::CloseStdin),
            raw.dump.filter(|dump| *dump).map(|_| Rung::Capture),
            raw.kill.map(|_| Rung::KillTree),
        ];
        let mut things = things.into_iter().flatten();
        match (things.next(), things.next()) {
            (Some(rung), None) => Ok(Self {
                rung,
                wait: raw.wait.map(|wait| wait.0),
            }),
            _ => Err(
                "a rung does one thing: give it one of signal, console, windows, stdin, dump and kill",
            ),
        }
    }
}

impl From<LadderRung> for RawRung {
    fn from(ladder: LadderRung) -> Self {
        let mut raw = Self {
            wait: ladder.wait.map(DurationText),
            ..Self::default()
        };
        match ladder.rung {
            Rung::Signal(signal) => raw.signal = Some(signal),
            Rung::CtrlC => raw.console = Some(Console::CtrlC),
            Rung::CtrlBreak => raw.console = Some(Console::CtrlBreak),
            Rung::CloseWindows => raw.windows = Some(Close::Close),
            Rung::CloseStdin => raw.stdin = Some(Close::Close),
            Rung::Capture => raw.dump = Some(true),
            _ => raw.kill = Some(Kill::Tree),
        }
        raw
    }
}
