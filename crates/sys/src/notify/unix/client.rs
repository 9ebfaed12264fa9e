//! Sending.

use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketType, sendmsg_addr, socket,
};
use winddown_core::notify::{DescriptorName, Message};

use crate::notify::Notifier;
use crate::{Error, Result};

/// As many descriptors as the kernel passes with one datagram (`SCM_MAX_FD`).
pub(super) const MAX_DESCRIPTORS: usize = 253;

/// A timeout that every system's `poll(2)` takes.
const LONGEST_POLL: Duration = Duration::from_secs(86_400);

/// A socket, and where to send to.
#[derive(Debug)]
pub(in crate::notify) struct Socket {
    socket: OwnedFd,
    address: SocketAddrUnix,
}

impl Socket {
    pub(in crate::notify) fn to(address: &OsStr) -> Result<Self> {
        Ok(Self {
            address: parse_address(address)?,
            socket: datagram_socket()?,
        })
    }

    pub(in crate::notify) fn send(&self, message: &Message<'_>) -> io::Result<()> {
        self.send_with(message, &[])
    }

    /// Sends without waiting for room: a manager that does not read must not stop the service.
    fn send_with(&self, message: &Message<'_>, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let datagram = message.to_string();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        sendmsg_addr(
            &self.socket,
            &self.address,
            &[IoSlice::new(datagram.as_bytes())],
            &mut control,
            SendFlags::DONTWAIT,
        )?;
        Ok(())
    }
}

/// A datagram socket that children do not inherit.
pub(super) fn datagram_socket() -> Result<OwnedFd> {
    let failed = |errno: Errno| Error::os("opening a datagram socket", errno);
    let socket = socket(AddressFamily::UNIX, SocketType::DGRAM, None).map_err(failed)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC).map_err(failed)?;
    Ok(socket)
}

fn parse_address(address: &OsStr) -> Result<SocketAddrUnix> {
    let wrong = |why: String| Error::Variable {
        name: "NOTIFY_SOCKET",
        why,
    };
    let parsed = match address.as_bytes() {
        [b'/', ..] => SocketAddrUnix::new(address),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        [b'@', name @ ..] if !name.is_empty() => SocketAddrUnix::new_abstract_name(name),
        bytes if bytes.starts_with(b"vsock") => {
            return Err(Error::Unsupported {
                what: format!("the NOTIFY_SOCKET {address:?}"),
                instead: "sockets are a path or, on Linux, `@` and an abstract name",
            });
        }
        _ => {
            return Err(wrong(format!(
                "{address:?} is neither a path nor `@` and a name"
            )));
        }
    };
    parsed.map_err(|errno| wrong(format!("{address:?}: {}", io::Error::from(errno))))
}

impl Notifier {
    /// Has the manager keep `descriptors` under `name` and pass them to the next start of the service (Unix only).
    ///
    /// At most 253, and as many as `FileDescriptorStoreMax=` allows.
    pub fn fdstore(&self, name: DescriptorName<'_>, descriptors: &[BorrowedFd<'_>]) -> bool {
        self.count(|socket| socket.send_with(&Message::FdStore(name), descriptors))
    }

    /// Has the manager close the descriptors that it keeps under `name` (Unix only).
    pub fn fdstore_remove(&self, name: DescriptorName<'_>) -> bool {
        self.count(|socket| socket.send(&Message::FdStoreRemove(name)))
    }

    /// Waits until the manager has handled all earlier messages, for at most `timeout` (Unix only).
    ///
    /// For helpers that exit right after they have sent something, which the manager otherwise might not be able to attribute
    /// any more. It proves nothing through a relay that drops descriptors: those answer at once.
    ///
    /// `false` when it could not be sent or `timeout` passed.
    pub fn barrier(&self, timeout: Duration) -> bool {
        self.count(|socket| {
            let (ours, theirs) = UnixStream::pair()?;
            socket.send_with(&Message::Barrier, &[theirs.as_fd()])?;
            drop(theirs);
            wait_for_hang_up(&ours, timeout)
        })
    }
}

/// Waits until the last copy of the other end of `stream` was closed.
fn wait_for_hang_up(stream: &UnixStream, timeout: Duration) -> io::Result<()> {
    let start = Instant::now();
    loop {
        let left = timeout.saturating_sub(start.elapsed()).min(LONGEST_POLL);
        let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(&left)) {
            Ok(0) if start.elapsed() >= timeout => return Err(io::ErrorKind::TimedOut.into()),
            Ok(0) | Err(Errno::INTR) => {}
            answered => return answered.map(drop).map_err(io::Error::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_named() {
        for (address, says) in [
            ("", "neither"),
            ("@", "neither"),
            ("run/notify", "neither"),
            ("vsock:2:1234", "not supported"),
            ("vsock-stream:2:1234", "not supported"),
        ] {
            let error = Notifier::to(OsStr::new(address)).unwrap_err().to_string();
            assert!(error.contains(says), "{address}: {error}");
        }
        let long = format!("/{}", "x".repeat(200));
        let error = Notifier::to(OsStr::new(&long)).unwrap_err().to_string();
        assert!(error.contains("NOTIFY_SOCKET"), "{error}");
    }
}
