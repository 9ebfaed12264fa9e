//! The exit codes of the command and of programs that use the library, in one table, and those of other programs in words.

use std::fmt;

/// `STATUS_CONTROL_C_EXIT`: what Windows ends a program with that a console event took down. It is what death by `INT` is
/// on Unix, where no exit code is that large.
pub const CONTROL_C_EXIT: i32 = 0xC000_013A_u32 as i32;

/// The exit code of another program, for people: what Windows ends a program with that crashed reads `0xC0000005`, and not
/// `-1073741819`.
///
/// Source: the severity field of `NTSTATUS`,
/// <https://learn.microsoft.com/openspecs/windows_protocols/ms-erref/87fba13e-bf06-450e-83b1-9241dc81e781>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherCode(pub i32);

impl OtherCode {
    /// Whether it is a status of severity "error": one that Windows itself defines, or one of a runtime, such as `0xE0434352` of .NET and
    /// `0xE06D7363` of C++, for an exception that nothing caught.
    #[must_use]
    pub const fn is_crash(self) -> bool {
        matches!(self.0 as u32, 0xC000_0000..=0xCFFF_FFFF | 0xE000_0000..=0xEFFF_FFFF)
    }
}

impl fmt::Display for OtherCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_crash() {
            true => write!(f, "{:#X}", self.0),
            false => write!(f, "{}", self.0),
        }
    }
}

/// An exit code and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCode {
    /// The code.
    pub code: u8,
    /// What it says.
    pub meaning: &'static str,
}

/// Every exit code that winddown gives of its own; a supervised program's own code is passed on (WD-72).
pub const EXIT_CODES: [ExitCode; 10] = [
    OK,
    FAILED,
    USAGE,
    NOT_RUNNING,
    NO_SERVICE,
    NOT_PERMITTED,
    FORCED,
    OWN_FAILURE,
    NOT_EXECUTABLE,
    NOT_FOUND,
];

/// It worked; every stop was graceful.
pub const OK: ExitCode = ExitCode {
    code: 0,
    meaning: "it worked; every stop was graceful",
};
/// It did not work.
pub const FAILED: ExitCode = ExitCode {
    code: 1,
    meaning: "it did not work, or a stop was not graceful",
};
/// The command line or the configuration is wrong.
pub const USAGE: ExitCode = ExitCode {
    code: 2,
    meaning: "the command line or the configuration is wrong",
};
/// The service is not running.
pub const NOT_RUNNING: ExitCode = ExitCode {
    code: 3,
    meaning: "the service is not running",
};
/// There is no such service.
pub const NO_SERVICE: ExitCode = ExitCode {
    code: 4,
    meaning: "there is no such service",
};
/// Not permitted.
pub const NOT_PERMITTED: ExitCode = ExitCode {
    code: 77,
    meaning: "not permitted",
};
/// A stop had to be forced, or the time ran out.
pub const FORCED: ExitCode = ExitCode {
    code: 124,
    meaning: "a stop had to be forced, or the time ran out",
};
/// winddown itself failed.
pub const OWN_FAILURE: ExitCode = ExitCode {
    code: 125,
    meaning: "winddown itself failed",
};
/// The program cannot be executed.
pub const NOT_EXECUTABLE: ExitCode = ExitCode {
    code: 126,
    meaning: "the program cannot be executed",
};
/// The program was not found.
pub const NOT_FOUND: ExitCode = ExitCode {
    code: 127,
    meaning: "the program was not found",
};
