use std::path::PathBuf;
use std::time::Duration;

/// Why a task could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    #[error("`{command}` failed: {status}")]
    Failed { command: String, status: String },

    #[error("`{command}` did not end within {} s and was killed", limit.as_secs())]
    TimedOut { command: String, limit: Duration },

    #[error("interrupted")]
    Interrupted,

    #[error("cannot start `{command}`: {source}")]
    Start {
        command: String,
        source: std::io::Error,
    },

    #[error("{}: {source}", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },

    #[error("cannot watch for signals: {0}")]
    Signals(std::io::Error),

    #[error("no lane is called `{name}`; the lanes are {known}")]
    NoSuchLane { name: String, known: String },

    #[error("{0}")]
    Unusable(String),
}

impl Error {
    /// For `map_err` on an operation on `path`.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
