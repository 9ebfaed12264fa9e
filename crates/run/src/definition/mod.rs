//! What is supervised and how, in a file: `winddown.toml`. One file here for each section.

mod error;
mod health;
mod hooks;
mod listen;
mod logs;
mod process;
mod ready;
mod restart;
mod service;
mod setting;
mod size;
mod stop;
mod text;
mod words;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use winddown_core::order::{Order, OrderError};

use crate::control::ControlOptions;
use crate::environment::Template;
use crate::logs::ConsoleOptions;
use crate::options::RunOptions;
use crate::signals::SignalMap;

pub use error::DefinitionError;
pub use hooks::{Hook, Hooks};
pub use listen::Listen;
use service::Service;
use text::DurationText;
pub use text::service_name;

/// A definition file: one program, or several services in tables `[service.NAME]`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "winddown definition file")]
pub enum Definition {
    /// One program.
    Single(Box<Service>),
    /// Several services.
    Several(Services),
}

/// Several services that start and stop together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Services {
    /// The name of the whole; under the Windows SCM the service's name.
    #[serde(default, deserialize_with = "text::name")]
    pub name: Option<String>,
    /// What the whole is, for people.
    pub description: Option<String>,
    /// Whether and where there is a control socket; without it, in the usual place if that is possible.
    pub control: Option<ControlOptions>,
    /// What becomes of particular signals that winddown receives.
    #[serde(default)]
    pub signals: SignalMap,
    /// How the whole is stopped.
    #[serde(default)]
    pub stop: WholeStop,
    /// The services by their names.
    pub service: BTreeMap<String, Service>,
}

/// How several services are stopped together: in the reverse order of their needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WholeStop {
    /// How long the stop of all of them may take. What is left of it is shared between those that must wait for each other.
    pub timeout: Option<DurationText>,
}

/// The name of a definition that has none.
const UNNAMED: &str = "winddown";

impl Definition {
    /// Reads a definition whose relative paths begin at `base`: the directory of its file, as an absolute path.
    ///
    /// # Errors
    /// [`DefinitionError`] names line and column, and the nearest known key or service for an unknown one.
    pub fn parse(text: &str, base: &Path) -> Result<Self, DefinitionError> {
        let invalid = |error: toml::de::Error| DefinitionError::new(text, &error);
        let table: toml::Table = toml::from_str(text).map_err(invalid)?;
        if !table.contains_key("service") {
            let service: Service = toml::from_str(text).map_err(invalid)?;
            words::check(text)?;
            service.alone(text)?;
            service.check(&[], text, base)?;
            return Ok(Self::Single(Box::new(service)));
        }
        let mut services: Services = toml::from_str(text).map_err(invalid)?;
        words::check(text)?;
        if services.service.is_empty() {
            let what = "there is no service: write each as a table [service.NAME]";
            let path = ["service".to_owned()];
            return Err(DefinitionError::at(text, &path, what.to_owned()));
        }
        for (name, service) in &mut services.service {
            service.in_table(name, text)?;
            service.check(&["service", name], text, base)?;
        }
        apart(&services.service, text, base)?;
        let needs = services.service.iter();
        let needs: Vec<_> = needs
            .map(|(name, service)| (name.as_str(), service.needs()))
            .collect();
        Order::new(needs.iter().map(|(name, needs)| (*name, needs)))
            .map_err(|error| misplaced(text, &error))?;
        Ok(Self::Several(services))
    }

    /// The options of a run; the stop of a service may take `default_timeout` unless the definition says otherwise. The
    /// directory of a program begins at `base`, where the definition is.
    #[must_use]
    pub fn into_options(self, base: &Path, default_timeout: Duration) -> RunOptions {
        match self {
            Self::Single(mut service) => {
                let control = service.control.take().map(|control| control.below(base));
                let signals = std::mem::take(&mut service.signals);
                let mut options = RunOptions::single(service.into_options(base, default_timeout));
                options.control = control.or(options.control);
                options.signals = signals;
                options
            }
            Self::Several(services) => RunOptions {
                name: services.name.unwrap_or_else(|| UNNAMED.to_owned()),
                services: services
                    .service
                    .into_values()
                    .map(|service| service.into_options(base, default_timeout))
                    .collect(),
                timeout: services.stop.timeout.map(|timeout| timeout.0),
                stop_when: None,
                console: ConsoleOptions::default(),
                signals: services.signals,
                control: services.control.map(|control| control.below(base)),
                reread: None,
            },
        }
    }
}

fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Template>, D::Error> {
    let command = Vec::<Template>::deserialize(deserializer)?;
    if command.first().is_none_or(Template::is_empty) {
        return Err(serde::de::Error::custom(
            "the command is empty: name a program",
        ));
    }
    Ok(command)
}

/// Refuses what only one of several services can have: an address, and a file for its output.
fn apart(
    services: &BTreeMap<String, Service>,
    text: &str,
    base: &Path,
) -> Result<(), DefinitionError> {
    let mut owners: HashMap<String, &str> = HashMap::new();
    for (name, service) in services {
        let addresses = service.addresses().map(|address| ("listen", address));
        let files = service.log_files(base);
        let files = files.map(|file| ("logs", file.display().to_string()));
        for (key, what) in addresses.chain(files) {
            let owner = *owners.entry(what).or_insert(name);
            if owner != name {
                let path = ["service", name, key].map(str::to_owned);
                let what =
                    format!("it has this in common with `{owner}`, and only one can have it");
                return Err(DefinitionError::at(text, &path, what));
            }
        }
    }
    Ok(())
}

/// What is wrong with the needs of services, at the place where it is written.
fn misplaced(text: &str, error: &OrderError) -> DefinitionError {
    let path = match error {
        OrderError::Unknown { service, need, .. } | OrderError::Itself { service, need } => {
            vec!["service".to_owned(), service.clone(), need.to_string()]
        }
        OrderError::Cycle(names) => {
            vec![
                "service".to_owned(),
                names.first().cloned().unwrap_or_default(),
            ]
        }
        _ => vec!["service".to_owned()],
    };
    let hint = match error {
        OrderError::Unknown {
            nearest: Some(nearest),
            ..
        } => Some(format!("did you mean `{nearest}`?")),
        _ => None,
    };
    let mut at = DefinitionError::at(text, &path, error.to_string());
    at.hint = hint;
    at
}

#[cfg(test)]
mod tests;
