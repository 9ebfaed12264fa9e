//! The environment of a program: what winddown has itself, environment files, and the variables of the definition.
//!
//! Each of these wins over the one before it; a later file wins over an earlier one, and a later line over an earlier line. A
//! value of the definition may refer to what came before it: `PATH = "/opt/bin:${PATH}"`. See [`Template`] for how it refers, and
//! [`parse`] for how files are written.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use winddown_core::{NotText, utf8};
use winddown_sys::process::VARIABLES_IGNORE_CASE;

pub use winddown_core::environment::{ParseError, Template, TemplateError, parse};

/// A file of variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it may be missing.
    pub optional: bool,
}

/// Variables by their names, whose case does not count on Windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<OsString, (OsString, OsString)>);

impl Variables {
    /// Sets one; the name is written as it was last set.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        let name = name.into();
        self.0.insert(key(&name), (name, value.into()));
    }

    /// Removes one, if it is there.
    pub fn remove(&mut self, name: impl AsRef<OsStr>) {
        self.0.remove(&key(name.as_ref()));
    }

    /// The value of one.
    #[must_use]
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.0
            .get(&key(name.as_ref()))
            .map(|(_, value)| value.as_os_str())
    }
}

/// What tells two names apart.
fn key(name: &OsStr) -> OsString {
    match name.to_str() {
        Some(name) if VARIABLES_IGNORE_CASE => name.to_uppercase().into(),
        _ => name.to_owned(),
    }
}

impl IntoIterator for Variables {
    type Item = (OsString, OsString);
    type IntoIter = std::collections::btree_map::IntoValues<OsString, (OsString, OsString)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_values()
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let mut all = Self::default();
        for (name, value) in variables {
            all.set(name, value);
        }
        all
    }
}

/// Why an environment cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// A file cannot be read.
    #[error("cannot read the environment file {}: {source}", path.display())]
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file is not written as it must be.
    #[error("{}:{source}", path.display())]
    Malformed {
        /// Where it is.
        path: PathBuf,
        /// What is wrong, and in which line.
        source: ParseError,
    },
    /// Nothing is left of the program's name once its variables are put in.
    #[error("the name of the program is empty, since all variables that it refers to are")]
    NoProgram,
    /// A text refers to a variable that is not there.
    #[error("{place} refers to ${{{name}}}, and there is no variable {name}")]
    NoSuchVariable {
        /// Where the reference is written.
        place: String,
        /// The variable's name.
        name: String,
    },
}

/// The whole environment of a program, out of what it inherits, `files`, and the variables that are `set`.
///
/// A reference in a value of `set` is to what is inherited or in a file, never to another value of `set`: their order does not
/// count, and there are no circles.
///
/// # Errors
/// [`EnvironmentError`]; a file that is optional may be missing, and must be right all the same if it is there.
pub fn load(
    files: &[EnvironmentFile],
    set: &[(String, Template)],
    inherited: Variables,
) -> Result<Variables, EnvironmentError> {
    let mut variables = inherited;
    for file in files {
        for (name, value) in read(file)? {
            variables.set(name, value);
        }
    }
    let mut values = Vec::new();
    for (name, template) in set {
        values.push(expand(template, &variables, || {
            format!("the variable {name}")
        })?);
    }
    for ((name, _), value) in set.iter().zip(values) {
        variables.set(name, value);
    }
    Ok(variables)
}

/// `template` with its references replaced; `place` says where it is written.
///
/// # Errors
/// [`EnvironmentError::NoSuchVariable`].
pub fn expand(
    template: &Template,
    variables: &Variables,
    place: impl FnOnce() -> String,
) -> Result<OsString, EnvironmentError> {
    template
        .expand(|name| variables.get(name))
        .map_err(|name| EnvironmentError::NoSuchVariable {
            place: place(),
            name: name.to_owned(),
        })
}

fn read(file: &EnvironmentFile) -> Result<Vec<(String, String)>, EnvironmentError> {
    match std::fs::read(&file.path) {
        Ok(bytes) => {
            let text = utf8(&bytes).map_err(|NotText { line, column, what }| ParseError {
                line,
                column,
                what,
            });
            text.and_then(parse)
                .map_err(|source| EnvironmentError::Malformed {
                    path: file.path.clone(),
                    source,
                })
        }
        Err(error) if file.optional && error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(EnvironmentError::Unreadable {
            path: file.path.clone(),
            source,
        }),
    }
}

impl From<&Path> for EnvironmentFile {
    fn from(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            optional: false,
        }
    }
}

#[cfg(test)]
mod tests;
