//! Start a child, wait for it, signal it: [`spawn`], [`Child`], [`Exit`]; and what the system says about any process:
//! [`facts()`], [`evidence()`]. What it is given besides: [`Settings`].
//!
//! | | Linux | macOS, BSD | Windows |
//! |---|---|---|---|
//! | a wait that can be polled | pidfd | kqueue, `EVFILT_PROC` | process handle |
//! | identity while signalling | pidfd | the child is not reaped meanwhile | process handle |
//! | [`SpawnOptions::die_with_parent`] | `PR_SET_PDEATHSIG` | refused | job, kill on close |
//! | [`facts()`], [`glance()`], [`evidence()`] | `/proc` | none | none |

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

#[cfg(unix)]
mod failure;
#[cfg(unix)]
mod image;
#[cfg(unix)]
pub(crate) mod registry;

#[cfg_attr(target_os = "linux", path = "pidfd.rs")]
#[cfg_attr(not(target_os = "linux"), path = "kqueue.rs")]
#[cfg(unix)]
mod handle;

mod account;
mod facts;
#[cfg_attr(target_os = "linux", path = "fork_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "fork_other.rs")]
#[cfg(unix)]
mod fork;
#[cfg(target_os = "linux")]
pub(crate) mod procfs;
mod settings;

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use winddown_core::Signal;
use winddown_core::exit::OtherCode;

use crate::{Descriptor, Error, Result, Waitable};

pub use account::Account;
pub use facts::{Evidence, Facts, Glance, Runtime, State, ThreadEvidence, evidence, facts, glance};
pub use settings::{
    Capability, Limit, NoLimit, NoSuchCapability, NoSuchResource, Resource, Settings,
};

#[cfg(unix)]
pub(crate) use imp::Boundary;
pub(crate) use imp::spawn_into;
#[cfg(windows)]
pub(crate) use imp::{ask_to_stop, send};

/// Where one of a child's standard streams comes from or goes to.
#[derive(Debug, Default)]
pub enum Stream {
    /// This process's own.
    #[default]
    Inherit,
    /// `/dev/null`, or `NUL`.
    Null,
    /// A new pipe, whose other end is in the [`Child`].
    Pipe,
    /// An open file, pipe or socket. It is duplicated, so that the same options can start a program again.
    File(File),
}

impl Stream {
    /// This process's own standard error, as where a child's output goes.
    ///
    /// # Errors
    ///
    /// [`Error::Os`] if it is closed, or there are no more descriptors.
    pub fn standard_error() -> Result<Self> {
        #[cfg(unix)]
        let ours = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned();
        #[cfg(windows)]
        let ours = std::os::windows::io::AsHandle::as_handle(&io::stderr()).try_clone_to_owned();
        ours.map(|ours| Self::File(ours.into()))
            .map_err(|error| Error::os("duplicating standard error", error))
    }
}

/// Which processes a child is put together with, for terminals and signals to groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Group {
    /// A session of its own, without a controlling terminal (`setsid(2)`); on Windows a process group and a console of
    /// its own, whose window is hidden.
    #[default]
    Session,
    /// As [`Session`](Self::Session), but on Windows without any console: no console event reaches it.
    Detached,
    /// A process group of its own in this session (`setpgid(2)`, `CREATE_NEW_PROCESS_GROUP`).
    Own,
    /// This process's group: the terminal's Ctrl+C reaches both.
    Same,
}

/// What happens to one environment variable on the way to the child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvChange {
    /// It gets this value.
    Set(OsString),
    /// The child does not get it.
    Remove,
    /// It gets the child's own process id in decimal, as `LISTEN_PID` and `WATCHDOG_PID` need it. Unix only: on Windows
    /// [`spawn`] refuses it.
    OwnPid,
}

/// Whether `Path` and `PATH` are the same variable, as on Windows.
pub const VARIABLES_IGNORE_CASE: bool = cfg!(windows);

/// What to start, and how.
///
/// Whatever these options say, a child starts with no signal blocked, each signal at its default action, and no
/// descriptor or handle but its standard streams and those passed. Variables that speak to this process alone
/// (`NOTIFY_SOCKET`, `WATCHDOG_*`, `LISTEN_*`) are inherited like any other: the caller removes them.
#[derive(Debug, Default)]
pub struct SpawnOptions {
    /// The program: a path, or a name to be searched for in the child's `PATH`.
    pub program: OsString,
    /// The arguments behind the program's name.
    pub args: Vec<OsString>,
    /// Changes to the environment, in order; the last one for a name counts.
    pub env: Vec<(OsString, EnvChange)>,
    /// Starts from an empty environment instead of this process's.
    pub env_clear: bool,
    /// The directory to start in; a relative `program` with a slash in it is found from there.
    pub directory: Option<PathBuf>,
    /// Standard input.
    pub stdin: Stream,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// The session or group it belongs to.
    pub group: Group,
    /// The user it runs as, its limits, and what else is inherited otherwise.
    pub settings: Settings,
    /// Descriptors that the child gets at fixed numbers from 3 upwards, such as listening sockets. Duplicated like
    /// [`Stream::File`].
    #[cfg(unix)]
    pub pass_fds: Vec<(std::os::fd::OwnedFd, std::os::fd::RawFd)>,
    /// The system kills the child when this process dies, however that happens.
    ///
    /// On Linux the thread that called [`spawn`] counts, not the process: call it from a thread that stays. A child that
    /// changes its credentials on exec (setuid) loses the protection. Source: `PR_SET_PDEATHSIG(2const)`.
    pub die_with_parent: bool,
}

impl SpawnOptions {
    /// A program and its arguments, everything else inherited, in a session of its own.
    pub fn new<A: Into<OsString>>(
        program: impl Into<OsString>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}

/// Starts a program.
///
/// Returns once the program's image has replaced the child's, so that a failed `exec` is an error here and not an exit
/// code of the child. If `SIGCHLD` is ignored (inherited from whoever started this process), its default action is
/// restored first: otherwise the system would discard every exit status.
///
/// # Errors
///
/// [`Error::ProgramNotFound`] (a shell's 127),
/// [`Error::NotExecutable`] (a shell's 126), [`Error::Directory`], and
/// [`Error::Os`] for everything else: no more processes, a descriptor that cannot be passed. What of the [`Settings`] cannot be made is
/// [`Error::Setting`] or [`Error::Unsupported`].
pub fn spawn(options: &SpawnOptions) -> Result<Child> {
    imp::spawn_into(options, None)
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It returned this. On Windows the 32-bit code, so that `0xC0000005` is `-1073741819`.
    Code(i32),
    /// A signal ended it: the default action of one that it did not catch, or `SIGKILL`. Unix only.
    Signal {
        /// The system's number.
        number: i32,
        /// The name, if the number has one.
        signal: Option<Signal>,
        /// Whether the system says that it wrote a core dump.
        core_dumped: bool,
    },
}

impl Exit {
    /// Whether it returned 0.
    #[must_use]
    pub const fn success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl fmt::Display for Exit {
    /// `exit code 3`, `exit code 0xC0000005`, `SIGTERM`, `SIGSEGV (core dumped)`, `signal 33`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {}", OtherCode(*code)),
            Self::Signal {
                number,
                signal,
                core_dumped,
            } => {
                match signal {
                    Some(signal) => write!(f, "SIG{signal}")?,
                    None => write!(f, "signal {number}")?,
                }
                if *core_dumped {
                    f.write_str(" (core dumped)")?;
                }
                Ok(())
            }
        }
    }
}

/// A process that this one started.
///
/// Dropping it neither ends the process nor waits for it. A child that has ended stays a zombie until
/// [`Child::try_wait`] or [`tree::reap`](crate::tree::reap) is called.
#[derive(Debug)]
pub struct Child {
    imp: imp::Child,
    /// The writing end of its standard input, for [`Stream::Pipe`].
    pub stdin: Option<File>,
    /// The reading end of its standard output, for [`Stream::Pipe`].
    pub stdout: Option<File>,
    /// The reading end of its standard error, for [`Stream::Pipe`].
    pub stderr: Option<File>,
}

impl Child {
    /// Its process id. Once it was reaped the number may belong to another process: act through this value only.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.imp.pid()
    }

    /// How it ended, or `None` while it runs. Never blocks; gives the same answer on every later call.
    ///
    /// The first `Some` reaps the process. To block, [`wait_any`](crate::wait_any) on the child first.
    ///
    /// # Errors
    ///
    /// [`Error::Os`] if somebody else in this process has reaped it.
    pub fn try_wait(&self) -> Result<Option<Exit>> {
        self.imp.try_wait()
    }

    /// Sends it a signal: itself, not its descendants.
    ///
    /// On Windows `INT` is Ctrl+C and `QUIT` Ctrl+Break, to every program on the child's console. `TERM` is whatever reaches the
    /// child: Ctrl+C, or `WM_CLOSE` where it has no console; Ctrl+Break for [`Group::Own`], whose programs do not hear Ctrl+C; and
    /// only `WM_CLOSE` for [`Group::Same`]. `KILL` terminates. No other signal exists there.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] once it has been reaped: never a stranger that has got its number;
    /// [`Error::Os`] for a signal that this system lacks, and for a process that took other credentials. On
    /// Windows, at once, when the child can hear none: no console, no window, or the same console as this process.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.imp.signal(signal)
    }

    /// Asks its top-level windows to close (`WM_CLOSE`). Windows only.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it has none that can be reached, and on other systems.
    pub fn close_windows(&self) -> Result<()> {
        self.imp.close_windows()
    }

    /// Ends the message loops of its threads (`WM_QUIT`). Windows only.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where no thread of it has one, and on other systems.
    pub fn quit_threads(&self) -> Result<()> {
        self.imp.quit_threads()
    }

    /// `SIGKILL`, or `TerminateProcess` with exit code 1. A child that has ended already is no error.
    ///
    /// # Errors
    ///
    /// As for [`Child::signal`], except [`Error::Gone`].
    pub fn kill(&self) -> Result<()> {
        match self.imp.signal(Signal::Kill) {
            Err(crate::Error::Gone) => Ok(()),
            result => result,
        }
    }
}

impl Waitable for Child {
    /// Ready once the process has ended, and for ever after.
    fn descriptor(&self) -> Descriptor<'_> {
        self.imp.descriptor()
    }
}
