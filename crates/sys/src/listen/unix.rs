//! Descriptors from 3 on.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::fs::{FileType, fstat};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::net::{AddressFamily, SocketType, getsockname, sockopt};

use winddown_core::ListenAddress;

use super::{ListenFd, ListenKind};
use crate::process::{EnvChange, SpawnOptions};
use crate::{Error, Result};

pub(super) type Descriptor = OwnedFd;

/// The first descriptor that a manager passes (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;

/// Takes one descriptor for each of `names`.
pub(super) fn adopt(names: Vec<Option<String>>) -> Result<Vec<ListenFd>> {
    let numbers = || (FIRST..).take(names.len());
    for number in numbers() {
        // SAFETY: only asks whether `number` is open; a number that is not is an error, and nothing is done with it.
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        if fcntl_getfd(borrowed).is_err() {
            return Err(Error::Variable {
                name: "LISTEN_FDS",
                why: format!("descriptor {number} is not open"),
            });
        }
    }
    numbers()
        .zip(&names)
        .map(|(number, name)| {
            // SAFETY: it is open, `LISTEN_PID` says that the manager passed it to this process, and the caller asks once.
            let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
            fcntl_setfd(&descriptor, FdFlags::CLOEXEC)
                .map_err(|errno| Error::os("setting close-on-exec", errno))?;
            Ok(ListenFd {
                kind: kind(&descriptor),
                descriptor,
                name: name.clone(),
            })
        })
        .collect()
}

fn kind(descriptor: &OwnedFd) -> ListenKind {
    match fstat(descriptor).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::Fifo) => ListenKind::Fifo,
        Ok(FileType::Socket) => socket_kind(descriptor).unwrap_or(ListenKind::Other),
        _ => ListenKind::Other,
    }
}

fn socket_kind(socket: &OwnedFd) -> rustix::io::Result<ListenKind> {
    let is_stream = match sockopt::socket_type(socket)? {
        SocketType::DGRAM => return Ok(ListenKind::Datagram),
        kind => kind == SocketType::STREAM,
    };
    let listens = is_stream && is_listening(socket)?;
    Ok(match getsockname(socket)?.address_family() {
        AddressFamily::INET | AddressFamily::INET6 if listens => ListenKind::TcpListener,
        AddressFamily::UNIX if listens => ListenKind::UnixListener,
        _ => ListenKind::Other,
    })
}

#[cfg(not(target_vendor = "apple"))]
fn is_listening(socket: &OwnedFd) -> rustix::io::Result<bool> {
    sockopt::socket_acceptconn(socket)
}

/// Apple's kernels do not answer `SO_ACCEPTCONN`; but who listens has no peer.
#[cfg(target_vendor = "apple")]
fn is_listening(socket: &OwnedFd) -> rustix::io::Result<bool> {
    Ok(rustix::net::getpeername(socket)?.is_none())
}

/// Connections that wait for the next program while one is replaced by the other.
const BACKLOG: i32 = 4096;

pub(super) fn open(address: &ListenAddress, name: &str) -> Result<ListenFd> {
    let opened = || {
        Ok(match address {
            ListenAddress::Tcp(address) => {
                let socket = OwnedFd::from(TcpListener::bind(address)?);
                rustix::net::listen(&socket, BACKLOG)?;
                (socket, ListenKind::TcpListener)
            }
            ListenAddress::Udp(address) => (UdpSocket::bind(address)?.into(), ListenKind::Datagram),
            ListenAddress::Unix(path) => {
                let socket = OwnedFd::from(bind_path(path)?);
                rustix::net::listen(&socket, BACKLOG)?;
                (socket, ListenKind::UnixListener)
            }
        })
    };
    let (descriptor, kind) = opened().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => Error::AddressInUse {
            address: address.to_string(),
            pid: None,
        },
        _ => Error::os(format!("listening on {address}"), error),
    })?;
    Ok(ListenFd {
        descriptor,
        name: Some(name.to_owned()),
        kind,
    })
}

fn bind_path(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let is_socket = std::fs::symlink_metadata(path)?.file_type().is_socket();
            match UnixStream::connect(path) {
                Err(refused) if is_socket && refused.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path)?;
                    UnixListener::bind(path)
                }
                _ => Err(error),
            }
        }
        result => result,
    }
}

pub(super) fn pass(sockets: &[ListenFd], options: &mut SpawnOptions) -> Result<()> {
    let mut names = Vec::new();
    for (number, socket) in (FIRST..).zip(sockets) {
        let duplicate = socket.descriptor.try_clone();
        let duplicate = duplicate.map_err(|error| Error::os("duplicating a socket", error))?;
        options.pass_fds.push((duplicate, number));
        names.push(socket.name().unwrap_or("unknown"));
    }
    let set = |value: String| EnvChange::Set(value.into());
    options.env.extend([
        ("LISTEN_FDS".into(), set(sockets.len().to_string())),
        ("LISTEN_FDNAMES".into(), set(names.join(":"))),
        ("LISTEN_PID".into(), EnvChange::OwnPid),
    ]);
    Ok(())
}

impl ListenFd {
    /// The standard library's listener (Unix only).
    ///
    /// # Errors
    /// `InvalidInput` where it is none: see [`ListenFd::kind`].
    pub fn into_unix_listener(self) -> io::Result<UnixListener> {
        self.check(ListenKind::UnixListener)?;
        Ok(self.descriptor.into())
    }

    /// The descriptor, whatever it is (Unix only).
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.descriptor
    }
}

impl AsFd for ListenFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
