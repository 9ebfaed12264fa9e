//! What can go wrong, and [`Failure`], an error with an exit code.

use std::error::Error as StdError;
use std::fmt;

use thiserror::Error;
use winddown_core::Phase;

/// Why a call to this library failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A stop was asked for, so the service will not become ready. Returning this from the body is no failure.
    #[error("a stop was asked for before the service was ready")]
    Stopping,
    /// The stop has left this phase behind: the hook was not registered and will not run. Returning this from the body is no
    /// failure.
    #[error(
        "the stop is past its {phase} phase, so the hook `{hook}` was not registered: do its work now"
    )]
    TooLate {
        /// The phase that the hook was meant for.
        phase: Phase,
        /// The name of the hook.
        hook: String,
    },
    /// The operating system refused something.
    #[error(transparent)]
    System(#[from] winddown_sys::Error),
    /// The Service Control Manager refused something.
    #[error(transparent)]
    Scm(#[from] winddown_core::scm::ScmError),
}

/// What bodies and hooks give as an error.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// An error that says with which code the process should exit: 1 to 255.
///
/// The Service Control Manager shows it as the service-specific exit code beside 1066.
///
/// ```
/// # fn body() -> Result<(), winddown::BoxError> {
/// Err(winddown::Failure::new(7, "the journal is damaged"))?
/// # }
/// # assert!(body().is_err());
/// ```
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// A failure of this code. A code of 0 becomes 1: a failure is not a success.
    #[must_use]
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code: code.max(1),
            message: message.into(),
        }
    }

    /// The code, 1 to 255.
    #[must_use]
    pub const fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Failure {}

/// What a stop hook may return: nothing, or a `Result` with any error.
pub trait HookResult {
    /// The error, if it is one.
    ///
    /// # Errors
    /// What the hook returned as such.
    fn into_result(self) -> Result<(), BoxError>;
}

impl HookResult for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> HookResult for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// The code that an error asks for: a [`Failure`]'s own, else 1.
pub(crate) fn exit_code_of(error: &BoxError) -> u8 {
    error.downcast_ref::<Failure>().map_or(1, Failure::code)
}

/// An error and its sources in one line.
pub(crate) fn chain(error: &BoxError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
