//! The section `[stop]`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use winddown_core::{Rung, Signal};

use super::text::DurationText;
use crate::probe::HttpUrl;

/// How a program is stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stop {
    /// How long the whole stop may take, everything included.
    pub timeout: Option<DurationText>,
    /// The signal that asks it, whatever asked winddown.
    #[serde(default, deserialize_with = "request")]
    pub signal: Option<Signal>,
    /// What is done, in order. Without it: the signal, a look at what hangs, the kill.
    #[serde(default, deserialize_with = "rungs")]
    #[schemars(length(min = 1))]
    pub ladder: Option<Vec<LadderRung>>,
    /// Programs that live on when the rest is stopped, such as an updater that it starts, with all that they start: the names of their
    /// executable files, without directories (Linux, Windows).
    #[serde(default, deserialize_with = "file_names")]
    pub outlive: Vec<String>,
}

/// A signal that stops a program rather than asking it.
const ASKS_NOTHING: &str =
    "STOP asks nothing, it makes a program stand still: use TERM, INT or another";

fn request<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Signal>, D::Error> {
    match Signal::deserialize(deserializer)? {
        Signal::Stop => Err(D::Error::custom(ASKS_NOTHING)),
        signal => Ok(Some(signal)),
    }
}

fn rungs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<LadderRung>>, D::Error> {
    let rungs = Vec::deserialize(deserializer)?;
    match rungs.is_empty() {
        true => Err(D::Error::custom(
            "an empty ladder asks nothing: leave it out, or write [{ kill = \"tree\" }]",
        )),
        false => Ok(Some(rungs)),
    }
}

fn file_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    match names
        .iter()
        .find(|name| name.is_empty() || name.contains(['/', '\\']))
    {
        None => Ok(names),
        Some(name) => Err(D::Error::custom(format!(
            "{name:?} is no name of a file: write it without directories, such as \"updater.exe\""
        ))),
    }
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
    /// Whom the signal asks: the program itself, or all processes of its tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<To>,
    /// Ask by this event of the program's console (Windows).
    #[serde(skip_serializing_if = "Option::is_none")]
    console: Option<Console>,
    /// Ask its windows to close (`WM_CLOSE`), or end the message loops of its threads (`WM_QUIT`) (Windows).
    #[serde(skip_serializing_if = "Option::is_none")]
    windows: Option<Ask>,
    /// Close its standard input.
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin: Option<Close>,
    /// Ask by a `POST` request to this URL, without a body.
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<HttpUrl>,
    /// Ask by running this program, whose environment has `WINDDOWN_PID` while the program has not ended; never a shell's line.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    /// Ask by setting the named event of this name (Windows).
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
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
enum To {
    Main,
    Tree,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Ask {
    Close,
    Quit,
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
        if raw.to.is_some() && raw.signal.is_none() {
            return Err("`to` says whom a signal asks: give the rung a signal");
        }
        if raw.signal == Some(Signal::Stop) {
            return Err(ASKS_NOTHING);
        }
        if raw
            .command
            .as_ref()
            .is_some_and(|command| command.first().is_none_or(String::is_empty))
        {
            return Err("the command is empty: name a program");
        }
        let things = [
            raw.signal.map(|signal| match raw.to {
                Some(To::Tree) => Rung::SignalTree(signal),
                Some(To::Main) | None => Rung::Signal(signal),
            }),
            raw.console.map(|console| match console {
                Console::CtrlC => Rung::CtrlC,
                Console::CtrlBreak => Rung::CtrlBreak,
            }),
            raw.windows.map(|ask| match ask {
                Ask::Close => Rung::CloseWindows,
                Ask::Quit => Rung::QuitThreads,
            }),
            raw.stdin.map(|_| Rung::CloseStdin),
            raw.http.map(|url| Rung::Http(url.to_string())),
            raw.command.map(Rung::Command),
            raw.event.map(Rung::Event),
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
                "a rung does one thing: give it one of signal, console, windows, stdin, http, command, event, dump and kill",
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
            Rung::SignalTree(signal) => {
                raw.signal = Some(signal);
                raw.to = Some(To::Tree);
            }
            Rung::CloseWindows => raw.windows = Some(Ask::Close),
            Rung::QuitThreads => raw.windows = Some(Ask::Quit),
            Rung::Http(url) => raw.http = url.parse().ok(),
            Rung::Command(command) => raw.command = Some(command),
            Rung::Event(name) => raw.event = Some(name),
            Rung::CloseStdin => raw.stdin = Some(Close::Close),
            Rung::Capture => raw.dump = Some(true),
            _ => raw.kill = Some(Kill::Tree),
        }
        raw
    }
}
