//! The definition of a program in a file: `winddown.toml`. One file here for each section.

mod error;
mod ready;
mod stop;
mod text;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use winddown_core::StopPolicy;

use crate::options::ServiceOptions;

pub use error::DefinitionError;
use ready::Ready;
use stop::Stop;

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

fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let command = Vec::<String>::deserialize(deserializer)?;
    if command.first().is_none_or(String::is_empty) {
        return Err(serde::de::Error::custom(
            "the command is empty: name a program",
        ));
    }
    Ok(command)
}

impl Definition {
    /// Reads a definition.
    ///
    /// # Errors
    /// [`DefinitionError`] names line and column, and the nearest known key for an unknown one.
    pub fn parse(text: &str) -> Result<Self, DefinitionError> {
        toml::from_str(text).map_err(|error| DefinitionError::new(text, &error))
    }

    /// The options of a run; a stop may take `default_timeout` unless the definition says otherwise.
    #[must_use]
    pub fn into_options(self, default_timeout: Duration) -> ServiceOptions {
        let command: Vec<OsString> = self.command.into_iter().map(Into::into).collect();
        let timeout = self
            .stop
            .timeout
            .map_or(default_timeout, |timeout| timeout.0);
        let mut options = ServiceOptions::new(command, timeout);
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

#[cfg(test)]
mod tests {
    use winddown_core::Signal;

    use super::*;
    use crate::ReadyWhen;

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
