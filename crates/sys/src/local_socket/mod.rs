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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::{Error, Poller};

    /// An address of the test's own, and the directory that it is in.
    fn place(name: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = match cfg!(windows) {
            true => PathBuf::from(format!(r"\\.\pipe\{name}-{}", std::process::id())),
            false => directory.path().join("private").join(name),
        };
        (directory, path)
    }

    fn accepted(listener: &mut LocalListener) -> LocalStream {
        let mut poller = Poller::new().unwrap();
        poller.watch(1, &[&*listener]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(stream) = listener.accept().unwrap() {
                return stream;
            }
            assert!(Instant::now() < deadline);
            poller.wait(Some(Duration::from_secs(20)));
        }
    }

    #[test]
    fn much_is_sent_without_ever_blocking() {
        let (_directory, address) = place("much");
        let mut listener = LocalListener::bind(&address).unwrap();
        assert!(listener.accept().unwrap().is_none());
        let mut client = LocalStream::connect(&address).unwrap();
        let mut server = accepted(&mut listener);
        for peer in [client.peer(), server.peer()] {
            assert!(peer.is_trusted);
            assert!(peer.pid.is_none_or(|pid| pid == std::process::id()));
        }
        let much: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        server.send(&much).unwrap();
        assert!(server.unsent() > 0 && server.waits_for_room());
        client.send(b"hello").unwrap();

        let (mut got, mut asked) = (Vec::new(), Vec::new());
        let mut poller = Poller::new().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while got.len() < much.len() || asked.len() < 5 {
            assert!(Instant::now() < deadline, "{} of it", got.len());
            poller.watch(1, &[&client, &server]).unwrap();
            poller.wait(Some(Duration::from_secs(20)));
            server.send(&[]).unwrap();
            assert!(server.receive(&mut asked).unwrap());
            assert!(client.receive(&mut got).unwrap());
        }
        assert_eq!((asked.as_slice(), got == much), (&b"hello"[..], true));
        assert_eq!((server.unsent(), client.unsent()), (0, 0));
        // Nothing is left to deal with: nobody is woken.
        poller.watch(1, &[&client, &server]).unwrap();
        assert!(poller.wait(Some(Duration::ZERO)).is_empty());

        drop(client);
        assert_eq!(poller.wait(Some(Duration::from_secs(20))), [1]);
        while server.receive(&mut asked).unwrap() {
            assert!(Instant::now() < deadline);
            poller.wait(Some(Duration::from_secs(1)));
        }
        assert!(!server.receive(&mut asked).unwrap());
    }

    #[test]
    fn an_address_is_taken_once_and_given_back() {
        let (_directory, address) = place("taken");
        let listener = LocalListener::bind(&address).unwrap();
        match LocalListener::bind(&address) {
            Err(Error::AddressInUse { pid, .. }) => {
                assert!(pid.is_none_or(|pid| pid == std::process::id()));
            }
            other => panic!("{other:?}"),
        }
        drop(listener);
        match LocalStream::connect(&address) {
            Err(Error::Os { source, .. }) => assert_eq!(source.kind(), io::ErrorKind::NotFound),
            other => panic!("{other:?}"),
        }
        LocalListener::bind(&address).unwrap();
    }

    #[test]
    fn names_are_made_safe() {
        let address = address("../a/b").unwrap_or_else(|| PathBuf::from(".._a_b"));
        assert!(address.to_string_lossy().contains(".._a_b"), "{address:?}");
    }
}
