//! What can go wrong with winddown's own part of a supervision.

use thiserror::Error;

/// Why a program could not be supervised. How a program ended is an [`Outcome`](crate::Outcome), not an error.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The program could not be started, or the system refused something on the way.
    #[error(transparent)]
    System(#[from] winddown_sys::Error),
    /// The Service Control Manager refused something.
    #[error(transparent)]
    Scm(#[from] winddown_core::scm::ScmError),
}
