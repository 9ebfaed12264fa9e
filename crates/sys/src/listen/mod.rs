//! Socket activation: [`take`] the listening sockets that the manager opened for this process, or be the manager: [`open`] them,
//! and [`pass`] them on.
//!
//! The manager keeps each socket open across a restart, so that whoever connects meanwhile waits and is not refused. To stop
//! accepting, stop calling `accept`, and drop the socket at the end; never `shutdown(2)` it: that would shut the manager's.
//!
//! | System | What it does |
//! |---|---|
//! | Unix | the protocol of `sd_listen_fds_with_names(3)`: `LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES` |
//! | Windows | no sockets: there is no such protocol |

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as imp;
#[cfg(windows)]
use windows as imp;

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};

use winddown_core::ListenAddress;

use crate::notify::Environment;
use crate::process::SpawnOptions;
use crate::{Error, Result};

/// What a descriptor from the manager is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ListenKind {
    /// A TCP socket that listens.
    TcpListener,
    /// A stream socket of the Unix domain that listens.
    UnixListener,
    /// A datagram socket of any family.
    Datagram,
    /// A named pipe.
    Fifo,
    /// Something else, such as a stored descriptor.
    Other,
}

/// A descriptor from the manager.
#[derive(Debug)]
pub struct ListenFd {
    descriptor: imp::Descriptor,
    name: Option<String>,
    kind: ListenKind,
}

impl ListenFd {
    /// `FileDescriptorName=` of the socket unit, or the name under which it was stored. `None` where the manager names none.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The same under another name.
    #[must_use]
    pub fn renamed(self, name: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            ..self
        }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> ListenKind {
        self.kind
    }

    /// The standard library's listener.
    ///
    /// # Errors
    /// `InvalidInput` where it is none: see [`ListenFd::kind`].
    pub fn into_tcp_listener(self) -> io::Result<TcpListener> {
        self.check(ListenKind::TcpListener)?;
        Ok(self.descriptor.into())
    }

    fn check(&self, wanted: ListenKind) -> io::Result<()> {
        if self.kind == wanted {
            return Ok(());
        }
        let name = self.name.as_deref().unwrap_or("unnamed");
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("the descriptor {name} is {:?}, not {wanted:?}", self.kind),
        ))
    }
}

/// Takes the descriptors that the manager passed to this process, each set to close on exec; the sockets of socket units first,
/// then stored descriptors.
///
/// None where `LISTEN_PID` names another process (an inherited variable), where nothing was passed, and on every call but the
/// first: a descriptor has one owner. The variables are those of [`Environment::take`].
///
/// # Errors
/// [`Error::Variable`] where `LISTEN_FDS` or `LISTEN_FDNAMES` cannot be right. No descriptor is taken then.
///
/// ```no_run
/// for socket in winddown_sys::listen::take()? {
///     println!("{:?} {:?}", socket.name(), socket.kind());
/// }
/// # Ok::<(), winddown_sys::Error>(())
/// ```
pub fn take() -> Result<Vec<ListenFd>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let environment = Environment::take();
    let text = |name| {
        environment
            .variable(name)
            .map(|value| value.to_string_lossy())
    };
    let is_ours = text("LISTEN_PID").is_some_and(|pid| pid == std::process::id().to_string());
    if !is_ours {
        return Ok(Vec::new());
    }
    let names = parse(
        &text("LISTEN_FDS").unwrap_or_default(),
        text("LISTEN_FDNAMES").as_deref(),
    )?;
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    imp::adopt(names)
}

/// Opens a socket that listens, under a name for whoever it is passed to.
///
/// A Unix socket whose owner has gone is replaced; it stays in the file system when the descriptor is closed.
///
/// # Errors
/// [`Error::AddressInUse`] where the address is taken, [`Error::Os`] where it may not be used, [`Error::Unsupported`] on Windows.
pub fn open(address: &ListenAddress, name: &str) -> Result<ListenFd> {
    imp::open(address, name)
}

/// Passes sockets on to a program that is about to be spawned, by the protocol of `sd_listen_fds_with_names(3)`. They stay open
/// here as well, so that the next one can have them, too.
///
/// # Errors
/// [`Error::Os`] when the process has no descriptor left, [`Error::Unsupported`] on Windows.
pub fn pass(sockets: &[ListenFd], options: &mut SpawnOptions) -> Result<()> {
    match sockets.is_empty() {
        true => Ok(()),
        false => imp::pass(sockets, options),
    }
}

/// The name of each descriptor.
///
/// `sd_listen_fds_with_names(3)`: names are separated by `:`, which cannot be in one; there is one for each descriptor.
fn parse(fds: &str, names: Option<&str>) -> Result<Vec<Option<String>>> {
    /// As many descriptors as any process may have.
    const MOST: usize = 1 << 20;
    let wrong = |name, why| Error::Variable { name, why };
    let count = fds
        .parse()
        .ok()
        .filter(|count| (1..=MOST).contains(count))
        .ok_or_else(|| wrong("LISTEN_FDS", format!("`{fds}` is no number of descriptors")))?;
    let Some(names) = names else {
        return Ok(vec![None; count]);
    };
    let names: Vec<_> = names.split(':').map(|name| Some(name.to_owned())).collect();
    if names.len() == count {
        Ok(names)
    } else {
        let why = format!("it has {} names for {count} descriptors", names.len());
        Err(wrong("LISTEN_FDNAMES", why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_name_for_each_descriptor() {
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(parse("2", None).unwrap(), [None, None]);
        assert_eq!(
            parse("2", Some("http:admin")).unwrap(),
            [name("http"), name("admin")]
        );
        assert_eq!(parse("2", Some(":x%20")).unwrap(), [name(""), name("x%20")]);
    }

    #[test]
    fn an_error_names_the_variable() {
        for (fds, names, says) in [
            ("", None, "LISTEN_FDS "),
            ("0", None, "LISTEN_FDS "),
            ("-1", None, "LISTEN_FDS "),
            ("99999999999", None, "LISTEN_FDS "),
            ("2", Some("http"), "LISTEN_FDNAMES "),
            ("1", Some("a:b"), "LISTEN_FDNAMES "),
        ] {
            let error = parse(fds, names).unwrap_err().to_string();
            assert!(error.contains(says), "{fds} {names:?}: {error}");
        }
    }
}
