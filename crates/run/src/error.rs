//! What can go wrong with winddown's own part of a supervision.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use winddown_core::exit::{self, ExitCode};

/// Why a program could not be supervised. How a program ended is an [`Outcome`](crate::Outcome), not an error.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The program could not be started, or the system refused something on the way.
    #[error(transparent)]
    System(#[from] winddown_sys::Error),
    /// The environment of a program cannot be made.
    #[error(transparent)]
    Environment(#[from] crate::environment::EnvironmentError),
    /// Services cannot be put in order.
    #[error(transparent)]
    Order(#[from] winddown_core::order::OrderError),
    /// A definition names a socket of the host that the host did not pass.
    #[error(
        "the host passed no socket named `{0}`: give it an address, or name it so in the host's socket unit"
    )]
    NoSuchSocket(String),
    /// winddown does not read the output of a service, which goes to its own streams.
    #[error(
        "the output of `{0}` goes where winddown's own goes, and is not kept: give it a `file` in [logs]"
    )]
    NotCaptured(String),
    /// A service has written nothing yet, since it was never started.
    #[error("`{0}` was not started yet, and has written nothing")]
    NoOutputYet(String),
    /// The output of a service goes to something that is no file.
    #[error("cannot write the output of `{service}` to {path}: it is not a regular file", path = path.display())]
    NoLogFile {
        /// The service.
        service: String,
        /// Where its output should go.
        path: PathBuf,
    },
    /// The standard input of a service cannot be opened.
    #[error("cannot open {path} as the standard input of `{service}`: {source}", path = path.display())]
    Input {
        /// The service.
        service: String,
        /// What it should read.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The control socket cannot be opened where it should be.
    #[error("there is no control socket: {0}")]
    Control(winddown_sys::Error),
    /// The environment names no place for a control socket.
    #[error(
        "there is no control socket: XDG_RUNTIME_DIR, where its place is, is not set: give --control a path"
    )]
    NoControlPlace,
    /// A service cannot be replaced by another run of it, since it serves nobody yet.
    #[error("`{0}` is not ready, so there is nothing to replace: restart it without an overlap")]
    NotReady(String),
    /// A service cannot be replaced by another run of it, since nobody could tell when that is ready.
    #[error(
        "`{0}` cannot be replaced: it is ready when its socket is answered, which the old program does too; make `notify`, `log`, \
         `file` or `exec` tell, or restart it without an overlap"
    )]
    OldWouldAnswer(String),
    /// The hook before the start of a service failed.
    #[error("the pre-start hook of `{0}` failed: {1}")]
    Hook(String, String),
    /// The Service Control Manager refused something.
    #[error(transparent)]
    Scm(#[from] winddown_core::scm::ScmError),
    /// The history of stop reports cannot be written or read.
    #[error("the history in {path} cannot be used: {source}", path = path.display())]
    History {
        /// Where it is.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl Error {
    /// What it is, and what to do about it, on one line.
    pub(crate) fn in_full(&self) -> String {
        match self.remedy() {
            Some(remedy) => format!("{self}; {remedy}"),
            None => self.to_string(),
        }
    }

    /// What to do about it, where that is known and not said in the text.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        use winddown_sys::Error as System;

        match self {
            Self::System(System::ProgramNotFound { .. }) => {
                Some("give a path, or a name that is found in PATH")
            }
            Self::System(System::NotExecutable { .. }) => {
                Some("it needs the execute permission, and an interpreter (`#!`) that is there")
            }
            Self::System(System::Directory { .. }) => {
                Some("`directory` (--directory) says where it starts: make it, or name another one")
            }
            Self::System(System::AddressInUse { .. }) => Some(
                "`ss -lpn` shows who listens there: stop it, or give [[listen]] another address",
            ),
            Self::System(error) => error.remedy(),
            Self::Environment(crate::environment::EnvironmentError::Unreadable {
                source, ..
            }) if source.kind() == io::ErrorKind::NotFound => {
                Some("in a definition, `-` before its name says that it may be missing")
            }
            Self::NoLogFile { .. } => Some(
                "name a file; for anything else [logs] has `to`, and the default is winddown's own output",
            ),
            Self::Input { .. } => {
                Some("`stdin` is `null`, `inherit` or a file: make it, or name another one")
            }
            Self::Control(System::AddressInUse { .. }) => Some(
                "two winddowns of one name cannot share it: give one another --name or --control",
            ),
            Self::Control(_) => Some("give --control a path in a directory of winddown's own"),
            Self::History { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run it as the user whose services these are")
            }
            _ => None,
        }
    }

    /// The code that winddown exits with: a shell's where the program cannot be started.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::System(winddown_sys::Error::ProgramNotFound { .. }) => exit::NOT_FOUND,
            Self::System(winddown_sys::Error::NotExecutable { .. }) => exit::NOT_EXECUTABLE,
            Self::System(
                winddown_sys::Error::Setting { source, .. }
                | winddown_sys::Error::Directory { source, .. },
            )
            | Self::Input { source, .. }
            | Self::History { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                exit::NOT_PERMITTED
            }
            // Such as processors that this machine does not have.
            Self::System(winddown_sys::Error::Setting { source, .. })
                if source.kind() == io::ErrorKind::InvalidInput =>
            {
                exit::USAGE
            }
            Self::System(
                winddown_sys::Error::NoSuchAccount { .. } | winddown_sys::Error::Directory { .. },
            )
            | Self::Environment(_)
            | Self::NoSuchSocket(_)
            | Self::NoLogFile { .. }
            | Self::Input { .. }
            | Self::NoControlPlace => exit::USAGE,
            Self::System(winddown_sys::Error::AddressInUse { .. })
            | Self::Control(winddown_sys::Error::AddressInUse { .. })
            | Self::Hook(..) => exit::FAILED,
            Self::Control(_) => exit::USAGE,
            _ => exit::OWN_FAILURE,
        }
    }
}
