//! What a program is started with, from options to what the system is asked for.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use winddown_sys::notify::MANAGER_VARIABLES;
use winddown_sys::process::{Account, EnvChange, Group, Settings, SpawnOptions, Stream};

use crate::environment::{self, EnvironmentError, EnvironmentFile, Template, Variables};
use crate::error::Error;
use crate::options::ServiceOptions;

/// What a program is started with, besides its command, directory and variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessOptions {
    /// The user it runs as, by name or number; winddown's own otherwise.
    pub user: Option<String>,
    /// The group it runs in, by name or number; that of the user otherwise.
    pub group: Option<String>,
    /// Groups that it is in besides.
    pub groups: Vec<String>,
    /// Limits and what else is inherited. Its account is that of the three above, once it was [looked up](Self::look_up).
    pub settings: Settings,
    /// The session, terminal and console it belongs to.
    pub console: Group,
    /// Its standard input.
    pub stdin: Stdin,
    /// Files with variables to set in its environment.
    pub environment_files: Vec<EnvironmentFile>,
    /// Keeps winddown's own variables from it.
    pub clear_environment: bool,
}

/// A program's standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stdin {
    /// Winddown's own.
    #[default]
    Inherit,
    /// Nothing: every read ends at once.
    Null,
    /// A file, opened by winddown.
    File(PathBuf),
}

impl ProcessOptions {
    /// Looks up the user and groups, unless that was done: the system may ask for them over the network, and a supervisor's loop
    /// must not wait for it. What fails here is tried again, and reported, when the program is started.
    pub fn look_up(&mut self) {
        if self.settings.account.is_none() {
            self.settings.account = self.account().unwrap_or_default();
        }
    }

    fn account(&self) -> Result<Option<Box<Account>>, winddown_sys::Error> {
        if self.user.is_none() && self.group.is_none() && self.groups.is_empty() {
            return Ok(None);
        }
        let account = Account::find(self.user.as_deref(), self.group.as_deref(), &self.groups)?;
        Ok(Some(Box::new(account)))
    }
}

impl Stdin {
    fn open(&self, service: &str) -> Result<Stream, Error> {
        let path = match self {
            Self::Inherit => return Ok(Stream::Inherit),
            Self::Null => return Ok(Stream::Null),
            Self::File(path) => path,
        };
        let file = match path.is_dir() {
            true => Err(io::ErrorKind::IsADirectory.into()),
            false => File::open(path),
        };
        file.map(Stream::File).map_err(|source| Error::Input {
            service: service.to_owned(),
            path: path.clone(),
            source,
        })
    }
}

/// What a service's program and those that belong to it are started in: all variables, the directory, and the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    pub(crate) variables: Variables,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) settings: Settings,
}

impl Surroundings {
    /// Reads the environment files of `service`, and looks up its user if that was not done.
    pub(crate) fn of(service: &ServiceOptions) -> Result<Self, Error> {
        let process = &service.process;
        let mut settings = process.settings.clone();
        if settings.account.is_none() {
            settings.account = process.account()?;
        }
        let mut inherited = match process.clear_environment {
            true => Variables::default(),
            false => own_variables(),
        };
        for (name, value) in settings
            .account
            .iter()
            .flat_map(|account| account.variables())
        {
            match value {
                Some(value) => inherited.set(name, value),
                None => inherited.remove(name),
            }
        }
        let (files, set) = (&process.environment_files, &service.environment);
        Ok(Self {
            variables: environment::load(files, set, inherited)?,
            directory: service.directory.clone(),
            settings,
        })
    }

    /// `command` with its references replaced.
    pub(crate) fn expand(&self, command: &[Template]) -> Result<Vec<OsString>, Error> {
        let word = |(at, word): (usize, &Template)| {
            environment::expand(word, &self.variables, || match at {
                0 => "the program".to_owned(),
                at => format!("argument {at} of the command"),
            })
        };
        let words: Result<Vec<OsString>, _> = command.iter().enumerate().map(word).collect();
        let words = words?;
        match words.first() {
            Some(program) if program.is_empty() => Err(EnvironmentError::NoProgram.into()),
            _ => Ok(words),
        }
    }

    /// What starts `command` there.
    pub(crate) fn spawn(self, command: Vec<OsString>) -> SpawnOptions {
        let mut command = command.into_iter();
        let mut spawn = SpawnOptions::new(command.next().unwrap_or_default(), command);
        spawn.env_clear = true;
        let set = |(name, value)| (name, EnvChange::Set(value));
        spawn.env = self.variables.into_iter().map(set).collect();
        spawn.directory = self.directory;
        spawn.settings = self.settings;
        spawn
    }
}

/// Winddown's own variables, without those by which a service manager speaks to it.
pub(crate) fn own_variables() -> Variables {
    let mut variables: Variables = std::env::vars_os().collect();
    for name in MANAGER_VARIABLES {
        variables.remove(name);
    }
    variables
}

/// What starts the program of `service`.
pub(crate) fn program_of(service: &ServiceOptions) -> Result<SpawnOptions, Error> {
    let surroundings = Surroundings::of(service)?;
    let command = surroundings.expand(&service.command)?;
    let mut spawn = surroundings.spawn(command);
    spawn.group = service.process.console;
    spawn.stdin = service.process.stdin.open(&service.name)?;
    Ok(spawn)
}
