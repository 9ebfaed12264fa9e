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
    /// The environment names no place for a control socket.
    #[error(
        "there is no usual place for it, since XDG_RUNTIME_DIR is not set: give --control a path"
    )]
    NoControlPlace,
    /// A service cannot be replaced by another run of it now.
    #[error("`{0}` is not ready, or is being replaced already: restart it without an overlap")]
    NotReady(String),
    /// The hook before the start of a service failed.
    #[error("`{0}` is not started: its pre-start hook failed: {1}")]
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
    /// The code that winddown exits with: a shell's where the program cannot be started.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::System(winddown_sys::Error::ProgramNotFound { .. }) => exit::NOT_FOUND,
            Self::System(winddown_sys::Error::NotExecutable { .. }) => exit::NOT_EXECUTABLE,
            Self::System(winddown_sys::Error::NoSuchAccount { .. }) | Self::Environment(_) => {
                exit::USAGE
            }
            Self::System(winddown_sys::Error::Setting { source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                exit::NOT_PERMITTED
            }
            Self::History { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                exit::NOT_PERMITTED
            }
            Self::Hook(..) => exit::FAILED,
            _ => exit::OWN_FAILURE,
        }
    }
}
