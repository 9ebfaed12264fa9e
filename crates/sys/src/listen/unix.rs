//! Descriptors from 3 on.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;

use rustix::fs::{FileType, fstat};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::net::{AddressFamily, SocketType, getsockname, sockopt};

use super::{ListenFd, ListenKind};
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
