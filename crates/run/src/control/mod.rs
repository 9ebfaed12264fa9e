//! Asking a winddown that supervises: a socket of the machine's own, which only root and the same user can use.

mod client;
mod error;
pub(crate) mod protocol;
mod server;
mod tap;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use client::{Client, running};
pub use error::ControlError;
pub use protocol::{
    Answer, LastStop, Logs, MAX_REQUEST, Operation, Refusal, Request, Restart, ServiceState,
    ServiceStatus, VERSION, Winddown,
};
pub(crate) use server::{ClientId, Server};
pub(crate) use tap::Tap;
pub use winddown_sys::local_socket::address;

/// Whether there is a control socket, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`control` is true, false or a path")]
pub enum ControlOptions {
    /// At the [usual place](address) for the definition's name, or not at all.
    Usual(bool),
    /// At this path, which begins where the definition is; on Windows at the pipe of this name.
    At(PathBuf),
}

impl ControlOptions {
    /// The same with a path that begins at `base`.
    pub(crate) fn below(self, base: &Path) -> Self {
        match self {
            Self::At(path) => Self::At(base.join(path)),
            usual @ Self::Usual(_) => usual,
        }
    }
}
