//! [`Error`]: what a system call refused, with the system's own code.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use winddown_core::Signal;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the operating system did not do what it was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A call of the operating system failed; `source` keeps its code.
    #[error("{what} failed: {source}")]
    Os {
        /// The call, or what it was for.
        what: String,
        /// The system's error, with its code.
        source: io::Error,
    },
    /// [`Sources`](crate::Sources) or [`SignalQueue`](crate::SignalQueue) is attached already: signals belong to the process,
    /// and there is one process.
    #[error("the signals of this process are attached already: drop what is attached first")]
    AlreadyAttached,
    /// This system has no such signal.
    #[error("this system has no signal {0}")]
    NoSuchSignal(Signal),
    /// The signal cannot be received in an orderly way: `KILL` and `STOP` never reach a program, and after `SEGV`, `BUS`, `FPE`,
    /// `ILL`, `ABRT`, `TRAP` or `SYS` a program is not in a state to go on.
    #[error("signal {0} cannot be received: use TERM, INT, HUP, QUIT, USR1, USR2 or RTMIN+n")]
    Uncatchable(Signal),
    /// This system, or winddown on it, has no such thing.
    #[error("{what} is not supported: {instead}")]
    Unsupported {
        /// What was asked for.
        what: String,
        /// What there is instead.
        instead: &'static str,
    },
    /// An environment variable that a service manager sets cannot be what it set.
    #[error("the variable {name} is wrong: {why}")]
    Variable {
        /// The variable's name.
        name: &'static str,
        /// What is wrong with its value.
        why: String,
    },
    /// There is no such program. A shell exits with 127.
    #[error("cannot find the program {program}")]
    ProgramNotFound {
        /// What was looked for.
        program: String,
    },
    /// The program is there but the system does not run it: no permission, no executable format, or an interpreter (of its `#!`
    /// line, or the dynamic loader) that is missing. A shell exits with 126.
    #[error("cannot run {program}: {source}")]
    NotExecutable {
        /// The program.
        program: String,
        /// The system's error, with its code.
        source: io::Error,
    },
    /// The working directory of a child is not there, is no directory, or is closed to its user.
    #[error("cannot start {program} in {}: {source}", directory.display())]
    Directory {
        /// The program.
        program: String,
        /// The directory.
        directory: PathBuf,
        /// The system's error, with its code.
        source: io::Error,
    },
    /// `/proc` does not show this process, which is how a tree is looked at on Linux.
    #[error("cannot use /proc: {0}")]
    Proc(
        /// The system's error, with its code.
        io::Error,
    ),
    /// There is no such user or group.
    #[error("there is no {kind} {name}")]
    NoSuchAccount {
        /// `user` or `group`.
        kind: &'static str,
        /// What was looked for.
        name: String,
        /// What to do about it.
        remedy: Option<&'static str>,
    },
    /// A setting of a child cannot be made. Its program was not started.
    #[error("cannot {what}: {source}")]
    Setting {
        /// What was asked for: `set RLIMIT_NOFILE to 1000000`.
        what: String,
        /// The system's error, with its code.
        source: io::Error,
        /// What to do about it.
        remedy: Option<&'static str>,
    },
    /// A process listens at this address already.
    #[error("{address} is in use{}", by(*pid))]
    AddressInUse {
        /// The address.
        address: String,
        /// The process, where the system names it.
        pid: Option<u32>,
    },
    /// The process has ended and was waited for: its number may be another's.
    #[error("the process has ended")]
    Gone,
}

impl Error {
    /// What to do about it, where that is known and not said in the text.
    #[must_use]
    pub const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NoSuchAccount { remedy, .. } | Self::Setting { remedy, .. } => *remedy,
            Self::Proc(_) => Some(
                "mount it for this pid namespace: `mount -t proc proc /proc`, in a container or chroot as well",
            ),
            _ => None,
        }
    }

    /// A failed system call, named by `what`.
    pub fn os(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Os {
            what: what.into(),
            source: source.into(),
        }
    }
}

fn by(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(": pid {pid} listens there"))
}
