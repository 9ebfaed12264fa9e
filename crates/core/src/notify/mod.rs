//! The words of `sd_notify`: what a service tells its manager, as [`Message`] to send and as [`Notification`] received.
//!
//! Source: `sd_notify(3)`, <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>.

use std::fmt;
use std::str::{FromStr, from_utf8};
use std::time::Duration;

use thiserror::Error;

use crate::one_line;

/// The most bytes of one datagram: systemd drops a longer one whole.
pub const MAX_DATAGRAM: usize = 4096;

/// The most bytes of a stored descriptor's name.
const MAX_DESCRIPTOR_NAME: usize = 255;

/// One thing that a service tells its manager; its `Display` is the datagram.
///
/// Each is a datagram of its own: relays such as runc forward only those that *begin* with `READY=`, and what is dropped
/// for being too long must not take `READY=1` with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// Start-up, or a reload, is complete.
    Ready,
    /// A reload has begun, at this many microseconds of `CLOCK_MONOTONIC`.
    Reloading {
        /// When, which must not be before the manager asked for the reload.
        monotonic_usec: u64,
    },
    /// The service is stopping. systemd never takes this back.
    Stopping,
    /// What the service is doing, for people; made one line, and cut where it would not fit.
    Status(&'a str),
    /// The service needs this much longer from now, whichever time limit it is under.
    ExtendTimeout(Duration),
    /// The service is alive.
    Watchdog,
    /// The service found itself broken: treat it as if the watchdog had run out.
    WatchdogTrigger,
    /// The service's main process.
    MainPid(u32),
    /// The `errno` that the service fails with.
    Errno(i32),
    /// The status that the service will exit with; for information.
    ExitStatus(i32),
    /// Keep the descriptors that come with this datagram, under this name.
    FdStore(DescriptorName<'a>),
    /// Forget the descriptors stored under this name.
    FdStoreRemove(DescriptorName<'a>),
    /// Close the descriptor that comes with this datagram once all earlier datagrams were handled.
    Barrier,
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("READY=1"),
            Self::Reloading { monotonic_usec } => {
                write!(f, "RELOADING=1\nMONOTONIC_USEC={monotonic_usec}")
            }
            Self::Stopping => f.write_str("STOPPING=1"),
            Self::Status(text) => {
                const KEY: &str = "STATUS=";
                write!(f, "{KEY}{}", one_line(text, MAX_DATAGRAM - 1 - KEY.len()))
            }
            Self::ExtendTimeout(time) => {
                let usec = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                write!(f, "EXTEND_TIMEOUT_USEC={usec}")
            }
            Self::Watchdog => f.write_str("WATCHDOG=1"),
            Self::WatchdogTrigger => f.write_str("WATCHDOG=trigger"),
            Self::MainPid(pid) => write!(f, "MAINPID={pid}"),
            Self::Errno(errno) => write!(f, "ERRNO={errno}"),
            Self::ExitStatus(status) => write!(f, "EXIT_STATUS={status}"),
            Self::FdStore(name) => write!(f, "FDSTORE=1\nFDNAME={}", name.0),
            Self::FdStoreRemove(name) => write!(f, "FDSTOREREMOVE=1\nFDNAME={}", name.0),
            Self::Barrier => f.write_str("BARRIER=1"),
        }
    }
}

/// A name for stored descriptors: 1 to 255 printable ASCII characters without `:`.
///
/// Source: `FDNAME=` in `sd_notify(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorName<'a>(&'a str);

impl<'a> DescriptorName<'a> {
    /// `name`, if it is one.
    ///
    /// # Errors
    /// [`DescriptorNameError`] where the manager would refuse the name, or read another line out of it.
    pub fn new(name: &'a str) -> Result<Self, DescriptorNameError> {
        let allowed = |b: u8| matches!(b, b' '..=b'~') && b != b':';
        if (1..=MAX_DESCRIPTOR_NAME).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name))
        } else {
            Err(DescriptorNameError(one_line(name, MAX_DESCRIPTOR_NAME)))
        }
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// Why a text is not a [`DescriptorName`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` cannot name a descriptor: use 1 to 255 printable ASCII characters without a colon")]
pub struct DescriptorNameError(String);

/// Where a service says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// `READY=1`.
    Ready,
    /// `RELOADING=1`.
    Reloading {
        /// `MONOTONIC_USEC`: when the reload began, in microseconds of `CLOCK_MONOTONIC`.
        monotonic_usec: Option<u64>,
    },
    /// `STOPPING=1`.
    Stopping,
}

/// `WATCHDOG=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchdogWord {
    /// `WATCHDOG=1`: the service is alive.
    Alive,
    /// `WATCHDOG=trigger`: the service found itself broken.
    Trigger,
}

/// What happens to the descriptors that came with a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Descriptors {
    /// `FDSTORE=1`: keep them under this name, `stored` where none was given.
    Store(String),
    /// `FDSTOREREMOVE=1`: forget those stored under this name.
    Remove(String),
    /// `BARRIER=1`: close the one that came once all earlier datagrams were handled.
    Barrier,
}

/// What one datagram of a service said. Unknown words are passed over, as `sd_notify(3)` demands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notification {
    /// Where the service is. Of several in one datagram, stopping counts before ready, and ready before reloading.
    pub lifecycle: Option<Lifecycle>,
    /// `STATUS=`, as one line of text.
    pub status: Option<String>,
    /// `EXTEND_TIMEOUT_USEC=`: how much longer it needs from now.
    pub extend_timeout: Option<Duration>,
    /// `WATCHDOG=`.
    pub watchdog: Option<WatchdogWord>,
    /// `WATCHDOG_USEC=`: the new watchdog interval.
    pub watchdog_interval: Option<Duration>,
    /// `MAINPID=`: the main process; the receiver judges whether to believe it.
    pub main_pid: Option<u32>,
    /// `ERRNO=`.
    pub errno: Option<i32>,
    /// `EXIT_STATUS=`.
    pub exit_status: Option<i32>,
    /// What to do with descriptors.
    pub descriptors: Option<Descriptors>,
    /// The known words whose value cannot be read; each was passed over.
    pub malformed: Vec<&'static str>,
}

/// Why a whole datagram is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotificationError {
    /// It is longer than [`MAX_DATAGRAM`].
    #[error("the notification is longer than 4096 bytes")]
    TooLong,
    /// It holds a NUL byte before its last byte.
    #[error("the notification holds a NUL byte")]
    Nul,
}

/// Reads one datagram, by systemd's rules: the first of equal words counts, unknown words and malformed values do not.
///
/// # Errors
/// [`NotificationError`] where systemd drops the datagram whole.
///
/// ```
/// use winddown_core::notify::{Lifecycle, parse};
/// let said = parse(b"READY=1\nSTATUS=serving").unwrap();
/// assert_eq!(said.lifecycle, Some(Lifecycle::Ready));
/// assert_eq!(said.status.as_deref(), Some("serving"));
/// ```
pub fn parse(datagram: &[u8]) -> Result<Notification, NotificationError> {
    if datagram.len() > MAX_DATAGRAM {
        return Err(NotificationError::TooLong);
    }
    let text = datagram.strip_suffix(b"\0").unwrap_or(datagram);
    if text.contains(&0) {
        return Err(NotificationError::Nul);
    }
    let mut words = Words {
        text,
        malformed: Vec::new(),
    };
    let usec = Duration::from_micros;
    Ok(Notification {
        lifecycle: words.lifecycle(),
        status: words.text("STATUS", MAX_DATAGRAM),
        extend_timeout: words.number("EXTEND_TIMEOUT_USEC").map(usec),
        watchdog: words.read("WATCHDOG", |value| match value {
            "1" => Some(WatchdogWord::Alive),
            "trigger" => Some(WatchdogWord::Trigger),
            _ => None,
        }),
        watchdog_interval: words.number("WATCHDOG_USEC").map(usec),
        main_pid: words.read("MAINPID", |value| {
            digits::<u32>(value).filter(|pid| (1..=i32::MAX as u32).contains(pid))
        }),
        errno: words.number("ERRNO"),
        exit_status: words.number("EXIT_STATUS"),
        descriptors: words.descriptors(),
        malformed: words.malformed,
    })
}

/// The lines of a datagram, and which known words could not be read.
struct Words<'a> {
    text: &'a [u8],
    malformed: Vec<&'static str>,
}

impl Words<'_> {
    /// The value of the first `key=value` that `read` takes. Noted as malformed where there is one that it does not take.
    fn read<T>(&mut self, key: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.text.split(|b| *b == b'\n').find_map(|line| {
            line.strip_prefix(key.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"="))
        })?;
        let taken = from_utf8(value).ok().and_then(read);
        if taken.is_none() {
            self.malformed.push(key);
        }
        taken
    }

    fn flag(&mut self, key: &'static str) -> bool {
        self.read(key, |value| (value == "1").then_some(()))
            .is_some()
    }

    fn number<T: FromStr>(&mut self, key: &'static str) -> Option<T> {
        self.read(key, digits)
    }

    fn text(&mut self, key: &'static str, limit: usize) -> Option<String> {
        self.read(key, |value| Some(one_line(value, limit)))
    }

    fn lifecycle(&mut self) -> Option<Lifecycle> {
        let (ready, reloading, stopping) = (
            self.flag("READY"),
            self.flag("RELOADING"),
            self.flag("STOPPING"),
        );
        let monotonic_usec = self.number("MONOTONIC_USEC");
        match (stopping, ready, reloading) {
            (true, _, _) => Some(Lifecycle::Stopping),
            (_, true, _) => Some(Lifecycle::Ready),
            (_, _, true) => Some(Lifecycle::Reloading { monotonic_usec }),
            (false, false, false) => None,
        }
    }

    fn descriptors(&mut self) -> Option<Descriptors> {
        let name = self.read("FDNAME", |value| {
            DescriptorName::new(value).ok().map(|_| value.to_owned())
        });
        let (store, remove) = (self.flag("FDSTORE"), self.flag("FDSTOREREMOVE"));
        // A barrier counts only as the sole word of its datagram.
        if self.text == b"BARRIER=1" {
            Some(Descriptors::Barrier)
        } else if remove {
            name.map(Descriptors::Remove)
        } else if store {
            Some(Descriptors::Store(name.unwrap_or("stored".to_owned())))
        } else {
            None
        }
    }
}

/// A number of nothing but ASCII digits: no sign, no space.
fn digits<T: FromStr>(value: &str) -> Option<T> {
    value
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| value.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests;
