//! The definition of a program in a file: `winddown.toml`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use winddown_core::{Rung, Signal, StopPolicy, format_duration, parse_duration};

use crate::options::{ReadyWhen, RunOptions};

/// A program and how it is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "winddown definition file")]
pub struct Definition {
    /// The name in reports; under the Windows SCM the service's name.
    pub name: Option<String>,
    /// What the program is, for people.
    pub description: Option<String>,
    /// The program and its arguments; never a shell's line.
    #[serde(deserialize_with = "command")]
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// The directory to start it in.
    pub directory: Option<PathBuf>,
    /// Variables to set in its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// How it is stopped.
    #[serde(default)]
    pub stop: Stop,
    /// When it is ready.
    #[serde(default)]
    pub ready: Ready,
}

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
    rung: Rung,
    wait: Option<Duration>,
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

/// When a program is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ready {
    /// By what it is known to be ready.
    #[serde(default)]
    pub when: ReadyWhen,
    /// How long it may take.
    pub timeout: Option<DurationText>,
}

/// A duration as text: `500ms`, `30s`, `2m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationText(pub Duration);

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

impl Serialize for DurationText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_duration(self.0))
    }
}

impl JsonSchema for DurationText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a number and ms, s, m, h or d",
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)\s*$|^\s*0\s*$"
        })
    }
}

fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let command = Vec::<String>::deserialize(deserializer)?;
    if command.first().is_none_or(String::is_empty) {
        return Err(serde::de::Error::custom(
            "the command is empty: name a program",
        ));
    }
    Ok(command)
}

/// What is wrong with a definition file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

impl Definition {
    /// Reads a definition.
    ///
    /// # Errors
    /// [`DefinitionError`] names line and column, and the nearest known key for an unknown one.
    pub fn parse(text: &str) -> Result<Self, DefinitionError> {
        toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start.min(text.len()));
            let before = text.get(..offset).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            let message = error.message().trim();
            DefinitionError {
                line: before.matches('\n').count() + 1,
                column: before[line_start..].chars().count() + 1,
                what: message.lines().collect::<Vec<_>>().join(" "),
                hint: did_you_mean(message),
            }
        })
    }

    /// The options of a run; a stop may take `default_timeout` unless the definition says otherwise.
    #[must_use]
    pub fn into_options(self, default_timeout: Duration) -> RunOptions {
        let command: Vec<OsString> = self.command.into_iter().map(Into::into).collect();
        let timeout = self
            .stop
            .timeout
            .map_or(default_timeout, |timeout| timeout.0);
        let mut options = RunOptions::new(command, timeout);
        if let Some(name) = self.name {
            options.name = name;
        }
        options.directory = self.directory;
        options.environment = self.environment.into_iter().collect();
        options.ready = self.ready.when;
        if let Some(timeout) = self.ready.timeout {
            options.ready_timeout = timeout.0;
        }
        if let Some(rungs) = self.stop.ladder {
            let ladder = rungs.into_iter().map(|ladder| (ladder.rung, ladder.wait));
            options.policy = StopPolicy {
                timeout,
                ladder: ladder.collect(),
            };
            options.signal_chosen = true;
        }
        if let Some(signal) = self.stop.signal {
            options.policy.pass_on(signal);
            options.signal_chosen = true;
        }
        options
    }
}

/// The known key that is nearest to the unknown one that `message` is about.
fn did_you_mean(message: &str) -> Option<String> {
    let mut quoted = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let unknown = quoted.next()?;
    let nearest = quoted.map(|known| (strsim::jaro_winkler(unknown, known), known));
    let (likeness, known) = nearest.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness > 0.75).then(|| format!("did you mean `{known}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_definition_is_read() {
        let definition = Definition::parse(
            r#"
            name = "orders"
            description = "Order intake"
            command = ["./orders", "--port", "8080"]
            directory = "/srv/orders"
            environment = { RUST_LOG = "info" }
            [stop]
            timeout = "30s"
            signal = "INT"
            ladder = [{ signal = "TERM", wait = "20s" }, { dump = true, wait = "0" }, { kill = "tree" }]
            [ready]
            when = "notify"
            timeout = "10s"
            "#,
        )
        .unwrap();
        let options = definition.clone().into_options(Duration::from_secs(1));
        assert_eq!(options.policy.timeout, Duration::from_secs(30));
        assert_eq!(options.policy.signal(), Signal::Int);
        assert_eq!(options.ready, ReadyWhen::Notify);
        let text = toml::to_string(&definition).unwrap();
        assert_eq!(Definition::parse(&text), Ok(definition));
    }

    #[test]
    fn an_error_names_its_place_and_the_way_out() {
        for (text, line, column, what, hint) in [
            (
                "command = [\"a\"]\nnmae = \"x\"",
                2,
                1,
                "nmae",
                Some("did you mean `name`?"),
            ),
            (
                "command = [\"a\"]\n[stop]\ntimeot = \"3s\"",
                3,
                1,
                "timeot",
                Some("did you mean `timeout`?"),
            ),
            (
                "command = [\"a\"]\n[stop]\ntimeout = \"3\"",
                3,
                11,
                "write 3s",
                None,
            ),
            (
                "command = [\"a\"]\n[stop]\nsignal = \"TREM\"",
                3,
                10,
                "TREM",
                None,
            ),
            (
                "command = [\"a\"]\n[stop]\nladder = [{ wait = \"3s\" }]",
                3,
                10,
                "one of signal",
                None,
            ),
            ("command = []", 1, 11, "empty", None),
            ("command = \"sh -c x\"", 1, 11, "sequence", None),
            ("name = \"x\"", 1, 1, "command", None),
            ("command = [\"a\"", 1, 15, "", None),
        ] {
            let error = Definition::parse(text).unwrap_err();
            assert_eq!(
                (error.line, error.column),
                (line, column),
                "{text}: {error:?}"
            );
            assert!(error.what.contains(what), "{text}: {error:?}");
            assert_eq!(error.hint.as_deref(), hint, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Definition::parse(&text);
        }
    }
}
