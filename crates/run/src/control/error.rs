//! Why a winddown could not be asked.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use winddown_core::exit::{self, ExitCode};

/// Why a winddown could not be asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Nobody listens there.
    #[error("no winddown listens at {}", .0.display())]
    NotRunning(
        /// The address.
        PathBuf,
    ),
    /// This user may not.
    #[error("not permitted to control the winddown at {}", .0.display())]
    NotPermitted(
        /// The address.
        PathBuf,
    ),
    /// What listens belongs neither to this user nor to root.
    #[error("what listens at {} belongs to another user, and is not asked", .0.display())]
    NotTrusted(
        /// The address.
        PathBuf,
    ),
    /// The connection has ended.
    #[error("the winddown at {} does not answer any more: {source}", address.display())]
    Lost {
        /// The address.
        address: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// What was answered is no answer.
    #[error("the winddown at {} answers what this one does not understand: {why}", address.display())]
    Strange {
        /// The address.
        address: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system refused to connect.
    #[error(transparent)]
    System(#[from] winddown_sys::Error),
}

impl ControlError {
    pub(super) fn of_connecting(address: &Path, error: winddown_sys::Error) -> Self {
        let kind = match &error {
            winddown_sys::Error::Os { source, .. } => source.kind(),
            _ => io::ErrorKind::Other,
        };
        match kind {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Self::NotRunning(address.to_owned())
            }
            io::ErrorKind::PermissionDenied => Self::NotPermitted(address.to_owned()),
            _ => Self::System(error),
        }
    }

    /// The code that the command exits with.
    #[must_use]
    pub const fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotRunning(_) => exit::NOT_RUNNING,
            Self::NotPermitted(_) | Self::NotTrusted(_) => exit::NOT_PERMITTED,
            Self::Lost { .. } | Self::Strange { .. } | Self::System(_) => exit::FAILED,
        }
    }
}
