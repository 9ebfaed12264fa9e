//! A program and how it is run: the whole of a definition, or one of its tables `[service.NAME]`.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use winddown_core::StopPolicy;
use winddown_core::order::Needs;

use super::command;
use super::error::DefinitionError;
use super::health::Health;
use super::hooks::Hooks;
use super::listen::Listen;
use super::logs::Logs;
use super::process::{Console, Priority};
use super::ready::Ready;
use super::restart::Restart;
use super::setting::{CapabilityName, Limits, Processors, Ranged, Umask};
use super::stop::Stop;
use super::text;
use crate::control::ControlOptions;
use crate::environment::Template;
use crate::options::{ReadyWhen, ServiceOptions};
use crate::probe::ProbeTarget;
use crate::signals::SignalMap;

/// A program and how it is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Service {
    /// The name in reports; under the Windows SCM the service's name. In a table `[service.NAME]` it is the table's.
    #[serde(default, deserialize_with = "text::name")]
    pub name: Option<String>,
    /// What the program is, for people.
    pub description: Option<String>,
    /// The program and its arguments; never a shell's line. A relative path of the program begins at `directory`.
    #[serde(deserialize_with = "command")]
    #[schemars(length(min = 1))]
    pub command: Vec<Template>,
    /// The directory to start it in; that of the definition otherwise. It begins there, and all other
    /// relative paths begin at it.
    pub directory: Option<PathBuf>,
    /// Variables to set in its environment. `${NAME}` in them is one of winddown's own or of `environment-files`.
    #[serde(default, deserialize_with = "environment")]
    pub environment: BTreeMap<String, Template>,
    /// Files of variables to set in its environment, a later one over an earlier one, and below `environment`. With `-` before its
    /// name a file may be missing.
    #[serde(default)]
    pub environment_files: Vec<String>,
    /// Keeps winddown's own variables from it.
    #[serde(default)]
    pub clear_environment: bool,
    /// The user it runs as, by name or number, with its groups, `HOME`, `USER`, `LOGNAME` and `SHELL` (Unix).
    pub user: Option<String>,
    /// The group it runs in, by name or number; the user's otherwise (Unix).
    pub group: Option<String>,
    /// Groups that it is in besides, by names or numbers (Unix).
    #[serde(default)]
    pub groups: Vec<String>,
    /// The permissions that new files do not get (Unix).
    pub umask: Option<Umask>,
    /// How much it stands back for others, from -20 (first) to 19 (last); on Windows the priority class that is nearest.
    pub nice: Option<Ranged<-20, 19>>,
    /// The same as a priority class of Windows; elsewhere the niceness that is nearest.
    pub priority: Option<Priority>,
    /// The processors that it may use (Linux, Windows).
    pub affinity: Option<Processors>,
    /// Limits of resources (Unix).
    #[serde(default)]
    pub limits: Limits,
    /// How soon the system kills it when memory is short, from -1000 (never) to 1000 (first) (Linux).
    pub oom_score_adjust: Option<Ranged<-1000, 1000>>,
    /// Its standard input: `null`, which is the default, `inherit`, or a path. Where the ladder of its stop closes it, a pipe.
    pub stdin: Option<String>,
    /// What its console or terminal is.
    #[serde(default)]
    pub console: Console,
    /// No program that it starts gets more rights than it has (Linux).
    #[serde(default)]
    pub no_new_privileges: bool,
    /// The only capabilities that it can ever have, and has from the start (Linux).
    pub capabilities: Option<Vec<CapabilityName>>,
    /// Services behind which it starts, and before which it is stopped, if they are there at all.
    #[serde(default)]
    pub after: Vec<String>,
    /// Services that are started as well; it starts behind them, and goes on without them if it must.
    #[serde(default)]
    pub wants: Vec<String>,
    /// Services that are started as well; it starts once they are ready, and not at all where they fail.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Whether and where there is a control socket; without it there is none.
    pub control: Option<ControlOptions>,
    /// What becomes of particular signals that winddown receives.
    #[serde(default)]
    pub signals: SignalMap,
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
    /// How it is seen whether it is still well, once it is ready.
    pub health: Option<Health>,
    /// What follows its end. Without this, nothing.
    pub restart: Option<Restart>,
    /// Where its output goes.
    #[serde(default)]
    pub logs: Logs,
}

fn environment<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Template>, D::Error> {
    let variables = BTreeMap::<String, Template>::deserialize(deserializer)?;
    match variables
        .keys()
        .find(|name| name.is_empty() || name.contains(['=', '\0']))
    {
        None => Ok(variables),
        Some(name) => Err(serde::de::Error::custom(format!(
            "{name:?} cannot be the name of a variable: it is not empty, and holds neither `=` nor NUL"
        ))),
    }
}

impl Service {
    /// Checks what one key alone cannot show; `path` is that of its table.
    pub(super) fn check(
        &self,
        path: &[&str],
        text: &str,
        base: &Path,
    ) -> Result<(), DefinitionError> {
        let refuse = |keys: &[&str], what: String| {
            let keys = path.iter().chain(keys).copied();
            let path: Vec<String> = keys.map(str::to_owned).collect();
            Err(DefinitionError::at(text, &path, what))
        };
        if self.nice.is_some() && self.priority.is_some() {
            let what = "`nice` and `priority` say the same: write one of them";
            return refuse(&["priority"], what.to_owned());
        }
        let connects = matches!(self.ready.when, ReadyWhen::Probe(ProbeTarget::Tcp(_)));
        if connects && self.ready.when.asks(&self.listen) {
            let what = "this is a socket of winddown's, which takes connections before the program does: use `notify`, `http`, `log`, \
                        `file` or `exec`";
            return refuse(&["ready"], what.to_owned());
        }
        let log_files: Vec<PathBuf> = self.log_files(base).collect();
        if matches!(&log_files[..], [file, errors_file] if file == errors_file) {
            let what = "both streams go to `file`: leave `errors-file` out";
            return refuse(&["logs", "errors-file"], what.to_owned());
        }
        let mut addresses: Vec<String> = self.addresses().collect();
        addresses.sort_unstable();
        match addresses.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => refuse(
                &["listen"],
                format!("`{}` is listed twice: once will do", pair[0]),
            ),
            None => Ok(()),
        }
    }

    /// The addresses that it listens at.
    pub(super) fn addresses(&self) -> impl Iterator<Item = String> {
        let listed = self.listen.iter().flat_map(|listed| &listed.address);
        listed.map(ToString::to_string)
    }

    /// The files that its output goes to, each written in one way only.
    pub(super) fn log_files(&self, base: &Path) -> impl Iterator<Item = PathBuf> {
        let directory = self.directory_below(base);
        let files = self.logs.files();
        files.map(move |file| lexically_normal(&directory.join(file)))
    }

    /// The directory that its relative paths begin at.
    fn directory_below(&self, base: &Path) -> PathBuf {
        let directory = self.directory.as_deref();
        directory.map_or_else(|| base.to_owned(), |directory| base.join(directory))
    }

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
    pub(super) fn in_table(
        &mut self,
        table: &str,
        definition: &str,
    ) -> Result<(), DefinitionError> {
        let of_all = [
            ("control", self.control.is_some()),
            ("signals", self.signals != SignalMap::default()),
        ];
        for (key, is_there) in of_all {
            if is_there {
                let what = format!("`{key}` is about all services: write it above the tables");
                let path = ["service", table, key].map(str::to_owned);
                return Err(DefinitionError::at(definition, &path, what));
            }
        }
        let named = match table.trim().is_empty() {
            true => Err("the name is empty: write the table as [service.NAME]".to_owned()),
            false => text::service_name(table),
        };
        if let Err(what) = named {
            let path = ["service", table].map(str::to_owned);
            return Err(DefinitionError::at(definition, &path, what));
        }
        let own = self.name.get_or_insert_with(|| table.to_owned());
        if own == table {
            return Ok(());
        }
        let what = format!("it is the service `{table}` by its table, and `{own}` here");
        let path = ["service", table, "name"].map(str::to_owned);
        Err(DefinitionError::at(definition, &path, what))
    }

    pub(super) fn needs(&self) -> Needs {
        Needs {
            after: self.after.clone(),
            wants: self.wants.clone(),
            requires: self.requires.clone(),
        }
    }

    /// The options of its runs; a stop may take `default_timeout` unless the definition says otherwise.
    pub(super) fn into_options(mut self, base: &Path, default_timeout: Duration) -> ServiceOptions {
        let needs = self.needs();
        let directory = self.directory_below(base);
        let process = self.process(&directory);
        let timeout = self
            .stop
            .timeout
            .map_or(default_timeout, |timeout| timeout.0);
        let mut options = ServiceOptions::of(self.command, timeout);
        options.process = process;
        if let Some(name) = self.name {
            options.name = name;
        }
        options.needs = needs;
        options.listen = self.listen;
        options.hooks = self.hooks;
        options.autostart = self.autostart.unwrap_or(true);
        options.logs = self.logs.into_options(Some(&directory));
        options.directory = Some(directory);
        options.environment = self.environment.into_iter().collect();
        options.ready = self.ready.when;
        if let Some(timeout) = self.ready.timeout {
            options.ready_timeout = timeout.0;
        }
        if let Some(interval) = self.ready.interval {
            options.ready_interval = interval.0;
        }
        options.health = self.health.map(|health| Box::new(health.0));
        if let Some(restart) = self.restart {
            options.restart = Arc::new(restart.into());
        }
        options.outlive = self.stop.outlive;
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

/// `path` without `.` and `..`, as if none of its directories were a link.
fn lexically_normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = normal.pop(),
            other => normal.push(other),
        }
    }
    normal
}
