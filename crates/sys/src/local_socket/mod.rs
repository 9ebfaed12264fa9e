//! Connections between processes of one machine and one user: [`LocalListener`] and [`LocalStream`], which never block and can be waited
//! for, and which know who is at the other end.
//!
//! | system | made of | who may connect |
//! |---|---|---|
//! | Unix | a stream socket (`unix(7)`), mode 0600, in a directory that nobody else may write to | the same user, and root |
//! | Windows | a named pipe of this machine alone | the same user, administrators, the system |

use std::io;
use std::path::{Path, PathBuf};

use crate::{Descriptor, Result, Waitable};

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

/// The most that is read at once: whoever reads for many is not held by one.
const CHUNK: usize = 16 * 1024;

/// The process at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its number when it connected or began to listen; `None` where it is outside of this pid namespace.
    pub pid: Option<u32>,
    /// Its user; `None` on Windows.
    pub uid: Option<u32>,
    /// Whether it belongs to this process's user or to whoever rules the system. On Windows nobody else can connect at all.
    pub is_trusted: bool,
}

/// Where something with this name listens unless somebody says otherwise; `None` where the environment names no place.
///
/// | who | where |
/// |---|---|
/// | root | `/run/winddown/NAME.sock`; `/var/run/...` where there is no `/run` |
/// | another user of a Unix system | `$XDG_RUNTIME_DIR/winddown/NAME.sock` |
/// | Windows | `\\.\pipe\winddown-NAME` |
///
/// What a file name cannot hold is replaced by `_`.
#[must_use]
pub fn address(name: &str) -> Option<PathBuf> {
    let safe = |c: char| match c {
        '/' | '\\' | '\0' => '_',
        c => c,
    };
    imp::address(&name.chars().map(safe).collect::<String>())
}

/// What there is in the place of [`address`], by name, in order. Something may have left it there and be gone.
#[must_use]
pub fn addresses() -> Vec<(String, PathBuf)> {
    let mut found = imp::addresses();
    found.sort();
    found
}

/// Waits for connections, without blocking. Ready, as a [`Waitable`], when there may be one to [accept](Self::accept).
#[derive(Debug)]
pub struct LocalListener(imp::LocalListener);

impl LocalListener {
    /// Listens at `address`. On Unix the directory is made where it is missing, and what a dead process left is replaced; on Windows an
    /// address is `\\.\pipe\NAME`.
    ///
    /// # Errors
    /// [`Error::AddressInUse`](crate::Error::AddressInUse) where a process listens already; [`Error::Os`](crate::Error::Os) where the
    /// directory cannot be trusted (see [`create_private_directory`](crate::storage::create_private_directory)), where something
    /// else than a socket is in the way, and whatever else the system refuses.
    pub fn bind(address: &Path) -> Result<Self> {
        imp::LocalListener::bind(address).map(Self)
    }

    /// Takes the next connection, if there is one.
    ///
    /// # Errors
    /// [`Error::Os`](crate::Error::Os), such as for want of descriptors; the connection is there still.
    pub fn accept(&mut self) -> Result<Option<LocalStream>> {
        Ok(self.0.accept()?.map(LocalStream))
    }
}

impl Waitable for LocalListener {
    fn descriptor(&self) -> Descriptor<'_> {
        self.0.descriptor()
    }
}

/// One end of a connection. Ready, as a [`Waitable`], when there is something to [receive](Self::receive), or when more of what is
/// [unsent](Self::unsent) can go.
#[derive(Debug)]
pub struct LocalStream(imp::LocalStream);

impl LocalStream {
    /// Connects to what listens at `address`.
    ///
    /// # Errors
    /// [`Error::Os`](crate::Error::Os): with [`NotFound`](io::ErrorKind::NotFound) or [`ConnectionRefused`](io::ErrorKind::ConnectionRefused)
    /// where nothing listens, with [`PermissionDenied`](io::ErrorKind::PermissionDenied) where this user may not.
    pub fn connect(address: &Path) -> Result<Self> {
        imp::LocalStream::connect(address).map(Self)
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.0.peer()
    }

    /// Appends what has arrived to `buffer`, at most 16 KiB at once; `false` once nothing more will come. Never blocks.
    ///
    /// # Errors
    /// What the system says; the connection is of no more use.
    pub fn receive(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        self.0.receive(buffer)
    }

    /// Sends `bytes` behind all that is unsent, or keeps what does not go now. Never blocks.
    ///
    /// # Errors
    /// What the system says; the connection is of no more use.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.send(bytes)
    }

    /// How many bytes have not gone yet. [`send`](Self::send) nothing to have more of them go.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.0.unsent()
    }
}

impl Waitable for LocalStream {
    fn descriptor(&self) -> Descriptor<'_> {
        self.0.descriptor()
    }

    fn waits_for_room(&self) -> bool {
        self.unsent() > 0
    }
}
