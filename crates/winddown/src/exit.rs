//! [`Exit`]: how the process ends.

use std::process::{ExitCode, Termination};

use winddown_core::Signal;
use winddown_core::exit::FORCED;

/// How a service's process ends; what `main` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "return it from main"]
#[non_exhaustive]
pub enum Exit {
    /// A clean stop: code 0.
    Clean,
    /// A failure with this code, 1 to 255.
    Failed(u8),
    /// Something was cut at the deadline: code 124.
    Forced,
    /// A clean stop that somebody asked for at the terminal: the process dies of the signal, as shells expect (WD-72).
    Died(Signal),
}

impl Exit {
    /// The exit code; 0 for [`Exit::Died`], whose process has none.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Clean | Self::Died(_) => 0,
            Self::Failed(code) => code,
            Self::Forced => FORCED.code,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        if let Self::Died(signal) = self {
            winddown_sys::signal::die_of(signal);
        }
        ExitCode::from(self.code())
    }
}
