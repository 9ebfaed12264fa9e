//! A program and how it is run: the whole of a definition, or one of its tables `[service.NAME]`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use winddown_core::StopPolicy;
use winddown_core::order::Needs;

use super::command;
use super::error::DefinitionError;
use super::hooks::Hooks;
use super::listen::Listen;
use super::logs::Logs;
use super::ready::Ready;
use super::stop::Stop;
use crate::options::ServiceOptions;

/// A program and how it is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Service {
    /// The name in reports; under the Windows SCM the service's name. In a table `[service.NAME]` it is the table's.
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
    /// Services behind which it starts, and before which it is stopped, if they are there at all.
    #[serde(default)]
    pub after: Vec<String>,
    /// Services that are started as well; it starts behind them, and goes on without them if it must.
    #[serde(default)]
    pub wants: Vec<String>,
    /// Services that are started as well; it starts once they are ready, and not at all where they fail.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Whether it starts with winddown; otherwise when a service needs it, or somebody asks for it.
    pub autostart: Option<bool>,
    /// The sockets that it is given.
    #[serde(default)]
    pub listen: Vec<Listen>,
    /// Programs to run at points in its life.
    #[serde(default)]
    pub hooks: Hooks,
    /// How it is stopped.
    #[serde(default)]
    pub stop: Stop,
    /// When it is ready.
    #[serde(default)]
    pub ready: Ready,
    /// Where its output goes.
    #[serde(default)]
    pub logs: Logs,
}

impl Service {
    /// Checks that it can be the only one of a definition.
    pub(super) fn alone(&self, text: &str) -> Result<(), DefinitionError> {
        let needs = [
            ("after", &self.after),
            ("wants", &self.wants),
            ("requires", &self.requires),
        ];
        match needs.into_iter().find(|(_, names)| !names.is_empty()) {
            None => Ok(()),
            Some((key, _)) => Err(DefinitionError::at(
                text,
                &[key.to_owned()],
                format!("`{key}` names other services: write each as a table [service.NAME]"),
            )),
        }
    }

    /// Takes the name of its table.
    pub(super) fn in_table(&mut self, table: &str, text: &str) -> Result<(), DefinitionError> {
        let own = self.name.get_or_insert_with(|| table.to_owned());
        if own == table {
            return Ok(());
        }
        let what = format!("it is the service `{table}` by its table, and `{own}` here");
        let path = ["service", table, "name"].map(str::to_owned);
        Err(DefinitionError::at(text, &path, what))
    }

    pub(super) fn needs(&self) -> Needs {
        Needs {
            after: self.after.clone(),
            wants: self.wants.clone(),
            requires: self.requires.clone(),
        }
    }

    /// The options of its runs; a stop may take `default_timeout` unless the definition says otherwise.
    pub(super) fn into_options(self, default_timeout: Duration) -> ServiceOptions {
        let needs = self.needs();
        let command: Vec<OsString> = self.command.into_iter().map(Into::into).collect();
        let timeout = self
            .stop
            .timeout
            .map_or(default_timeout, |timeout| timeout.0);
        let mut options = ServiceOptions::new(command, timeout);
        if let Some(name) = self.name {
            options.name = name;
        }
        options.needs = needs;
        options.listen = self.listen;
        options.hooks = self.hooks;
        options.autostart = self.autostart.unwrap_or(true);
        options.logs = self.logs.into_options(self.directory.as_deref());
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
