//! [`Notifier`]: the service's side.

use std::ffi::{OsStr, OsString};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use winddown_core::notify::Message;

use super::{Environment, imp};
use crate::{Error, Result};

/// Tells the service manager how this service stands.
///
/// Nothing here blocks or fails the program: a message that cannot be sent at once is counted in [`Notifier::errors`], and the
/// function answers `false`. Without a manager that listens, all answer `false` and count nothing.
///
/// Each message is a datagram of its own. READY goes alone because relays look no further than the beginning of a datagram
/// (runc, crun), and because a manager drops what is too long as a whole. No text can bring a second word in.
///
/// ```no_run
/// use winddown_sys::notify::{Environment, Notifier};
/// let notifier = Notifier::from_environment(Environment::take())?;
/// notifier.ready();
/// notifier.status("serving 3 clients");
/// # Ok::<(), winddown_sys::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Notifier {
    pub(super) socket: Option<imp::Socket>,
    address: OsString,
    stopping: AtomicBool,
    errors: AtomicU64,
    first_error: OnceLock<Error>,
}

impl Notifier {
    /// A notifier to `NOTIFY_SOCKET`; one that tells nobody where that is not set, or empty.
    ///
    /// # Errors
    /// As [`Notifier::to`].
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        match environment.variable("NOTIFY_SOCKET") {
            Some(address) if !address.is_empty() => Self::to(address),
            _ => Ok(Self::default()),
        }
    }

    /// A notifier to the socket at `address`: a path, or `@` and an abstract name (Linux).
    ///
    /// The socket need not be there yet, and may go and come: each message looks for it anew.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) for `vsock:` addresses, which only process 1 of a virtual machine is
    /// given, and on Windows; [`Error::Variable`](crate::Error::Variable) where `address` is none of these.
    pub fn to(address: &OsStr) -> Result<Self> {
        Ok(Self {
            socket: Some(imp::Socket::to(address)?),
            address: address.to_owned(),
            ..Self::default()
        })
    }

    /// Whether there is a manager to notify.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// How many messages could not be sent.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Why the first of them could not be sent, with the address.
    #[must_use]
    pub fn first_error(&self) -> Option<&Error> {
        self.first_error.get()
    }

    /// Start-up, or a reload, is complete.
    pub fn ready(&self) -> bool {
        self.send(&Message::Ready)
    }

    /// The service is stopping, irrevocably: systemd then sends no stop signal any more, and ends it after its stop timeout.
    ///
    /// Sent once: later calls do nothing, and answer `true`.
    pub fn stopping(&self) -> bool {
        if self.stopping.swap(true, Ordering::Relaxed) {
            return true;
        }
        let sent = self.send(&Message::Stopping);
        self.stopping.store(sent, Ordering::Relaxed);
        sent
    }

    /// What the service is doing, for people: made one line, and cut to what fits.
    pub fn status(&self, text: &str) -> bool {
        self.send(&Message::Status(text))
    }

    /// A reload has begun at `monotonic_usec` microseconds of `CLOCK_MONOTONIC`; end it with [`Notifier::ready`].
    pub fn reloading(&self, monotonic_usec: u64) -> bool {
        self.send(&Message::Reloading { monotonic_usec })
    }

    /// The service needs `time` more, from now, for the start, reload or stop that it is in.
    ///
    /// Ask only while progress is made, and again well before `time` is over: systemd 252 forgets what it granted when somebody
    /// does a `daemon-reload`, and is then back at the limit of the unit.
    pub fn extend_timeout(&self, time: Duration) -> bool {
        self.send(&Message::ExtendTimeout(time))
    }

    /// The service is alive: to be sent at half of [`Environment::watchdog_interval`], by what would stand still with it.
    pub fn watchdog(&self) -> bool {
        self.send(&Message::Watchdog)
    }

    /// The service found itself broken: the manager shall act as if the watchdog had run out.
    pub fn watchdog_trigger(&self) -> bool {
        self.send(&Message::WatchdogTrigger)
    }

    /// The main process of the service is `pid`.
    pub fn main_pid(&self, pid: u32) -> bool {
        self.send(&Message::MainPid(pid))
    }

    /// The service fails with `errno`.
    pub fn errno(&self, errno: i32) -> bool {
        self.send(&Message::Errno(errno))
    }

    /// The service will exit with `status`.
    pub fn exit_status(&self, status: i32) -> bool {
        self.send(&Message::ExitStatus(status))
    }

    fn send(&self, message: &Message<'_>) -> bool {
        self.count(|socket| socket.send(message))
    }

    /// Sends, and counts what fails.
    pub(super) fn count(&self, send: impl FnOnce(&imp::Socket) -> std::io::Result<()>) -> bool {
        let Some(socket) = &self.socket else {
            return false;
        };
        let Err(error) = send(socket) else {
            return true;
        };
        self.errors.fetch_add(1, Ordering::Relaxed);
        let what = || format!("sending to NOTIFY_SOCKET {:?}", self.address);
        self.first_error.get_or_init(|| Error::os(what(), error));
        false
    }
}
