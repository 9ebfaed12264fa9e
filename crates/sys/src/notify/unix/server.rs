//! Receiving.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, Permissions, remove_dir_all, set_permissions};
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{env, process, ptr};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{SocketAddrUnix, bind};
use winddown_core::notify::{Descriptors, MAX_DATAGRAM, Notification, parse};

use super::client::{MAX_DESCRIPTORS, datagram_socket};
use crate::notify::{Received, Sender};
use crate::{Error, Result, Waitable};

/// Datagrams read by one call of [`NotifyServer::receive`], so that a sender cannot hold the caller's loop.
const AT_ONCE: usize = 64;

/// Directories that are tried under one parent before the next parent.
const ATTEMPTS: u32 = 16;

/// A socket that takes notifications from supervised programs.
#[derive(Debug)]
pub struct NotifyServer {
    socket: OwnedFd,
    address: OsString,
    directory: Option<PathBuf>,
    refused: u64,
}

impl NotifyServer {
    /// Opens a socket under a fresh directory of `/run` (for root), `XDG_RUNTIME_DIR` or the directory for temporary files; on
    /// Linux, where none of them can be written, one with an abstract name.
    ///
    /// Everybody may send to it, since the program may run as another user: [`Received::sender`] says who did.
    ///
    /// # Errors
    /// [`Error::Os`] where no socket can be made.
    pub fn bind() -> Result<Self> {
        let socket = datagram_socket()?;
        #[cfg(target_os = "linux")]
        rustix::net::sockopt::set_socket_passcred(&socket, true)
            .map_err(|errno| Error::os("asking for the credentials of senders", errno))?;
        let (address, directory) = bind_to_path(&socket)
            .map(|(address, directory)| (address, Some(directory)))
            .or_else(|error| Ok((bind_to_name(&socket, error)?, None)))
            .map_err(|error: io::Error| Error::os("binding a socket for notifications", error))?;
        Ok(Self {
            socket,
            address,
            directory,
            refused: 0,
        })
    }

    /// What to set `NOTIFY_SOCKET` to for the program.
    #[must_use]
    pub fn address(&self) -> &OsStr {
        &self.address
    }

    /// How many datagrams were dropped because they were too long or held a NUL byte.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes what has arrived, in order, at most 64 notifications; never waits.
    ///
    /// # Errors
    /// [`Error::Os`] where the socket cannot be read.
    pub fn receive(&mut self) -> Result<Vec<Received>> {
        let mut received = Vec::new();
        for _ in 0..AT_ONCE {
            let mut buffer = [0; MAX_DATAGRAM + 1];
            match receive_one(&self.socket, &mut buffer) {
                Ok((length, sender, descriptors)) => match parse(&buffer[..length]) {
                    Ok(notification) => received.push(Received {
                        descriptors: wanted(&notification, descriptors),
                        sender,
                        notification,
                    }),
                    Err(_) => self.refused += 1,
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::os("receiving a notification", error)),
            }
        }
        Ok(received)
    }
}

impl Waitable for NotifyServer {
    fn descriptor(&self) -> crate::Descriptor<'_> {
        self.socket.as_fd()
    }
}

impl Drop for NotifyServer {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            let _ = remove_dir_all(directory);
        }
    }
}

/// The descriptors that mean something; the others are closed.
fn wanted(notification: &Notification, descriptors: Vec<OwnedFd>) -> Vec<OwnedFd> {
    match notification.descriptors {
        Some(Descriptors::Store(_)) => descriptors,
        Some(Descriptors::Barrier) if descriptors.len() == 1 => descriptors,
        _ => Vec::new(),
    }
}

fn bind_to_path(socket: &OwnedFd) -> io::Result<(OsString, PathBuf)> {
    let run = rustix::process::geteuid()
        .is_root()
        .then(|| PathBuf::from("/run"));
    let user = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let parents = run.into_iter().chain(user).chain([env::temp_dir()]);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for parent in parents.filter(|parent| parent.is_absolute()) {
        match bind_below(socket, &parent) {
            Ok(bound) => return Ok(bound),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Binds `socket` in a directory of its own, which nobody else can write, so that nobody can put another socket in its place.
fn bind_below(socket: &OwnedFd, parent: &Path) -> io::Result<(OsString, PathBuf)> {
    let directory = (0..ATTEMPTS)
        .map(|n| parent.join(format!("winddown-{}-{n}", process::id())))
        .find_map(|path| match DirBuilder::new().mode(0o711).create(&path) {
            // Left by a process that had this pid before.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
            made => Some(made.map(|()| path)),
        })
        .ok_or(io::ErrorKind::AlreadyExists)??;
    let path = directory.join("notify");
    let bound = SocketAddrUnix::new(&path)
        .and_then(|address| bind(socket, &address))
        .map_err(io::Error::from)
        // The umask counts neither for the directory nor for the socket.
        .and_then(|()| set_permissions(&directory, Permissions::from_mode(0o711)))
        .and_then(|()| set_permissions(&path, Permissions::from_mode(0o777)));
    match bound {
        Ok(()) => Ok((path.into_os_string(), directory)),
        Err(error) => {
            let _ = remove_dir_all(&directory);
            Err(error)
        }
    }
}

#[cfg(target_os = "linux")]
fn bind_to_name(socket: &OwnedFd, _: io::Error) -> io::Result<OsString> {
    let name = (0..ATTEMPTS).find_map(|n| {
        let name = format!("winddown-{}-{n}", process::id());
        let bound = SocketAddrUnix::new_abstract_name(name.as_bytes())
            .and_then(|address| bind(socket, &address));
        match bound {
            Err(rustix::io::Errno::ADDRINUSE) => None,
            bound => Some(bound.map(|()| format!("@{name}").into())),
        }
    });
    Ok(name.ok_or(io::ErrorKind::AddrInUse)??)
}

#[cfg(not(target_os = "linux"))]
fn bind_to_name(_: &OwnedFd, no_path: io::Error) -> io::Result<OsString> {
    Err(no_path)
}

/// Room for a full set of descriptors and the sender's credentials, aligned as `cmsghdr` has to be.
type Control = [u64; 160];

/// Reads one datagram without waiting: its length, its sender and its descriptors.
///
/// By hand, because the sender's pid is 0 where it is outside this pid namespace, for which rustix's type has no place.
fn receive_one(
    socket: &OwnedFd,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<Sender>, Vec<OwnedFd>)> {
    const _: () = assert!(size_of::<Control>() >= (MAX_DESCRIPTORS + 1) * 4 + 128);
    let mut control = MaybeUninit::<Control>::uninit();
    let mut iov = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: all zeroes are a `msghdr` without any buffers.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = &raw mut iov;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of::<Control>() as _;
    let flags = libc::MSG_DONTWAIT | CLOSE_ON_EXEC;
    // SAFETY: `header` points to `iov` and `control`, which outlive the call, and tells their true sizes.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;

    let (mut sender, mut descriptors) = (None, Vec::new());
    // SAFETY: `recvmsg` filled `header` and what it points to.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    while !message.is_null() {
        // SAFETY: `message` is a header that lies within `control`, as `CMSG_FIRSTHDR` and `CMSG_NXTHDR` give it.
        let (kind, data, size) = unsafe {
            let start = libc::CMSG_DATA(message);
            let size = (*message).cmsg_len as usize - (start as usize - message as usize);
            (((*message).cmsg_level, (*message).cmsg_type), start, size)
        };
        match kind {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                for n in 0..size / size_of::<libc::c_int>() {
                    // SAFETY: the kernel put `size` bytes of descriptors here, which are open and nobody else's.
                    let fd = unsafe {
                        let fd = ptr::read_unaligned(data.cast::<libc::c_int>().add(n));
                        OwnedFd::from_raw_fd(fd)
                    };
                    if CLOSE_ON_EXEC == 0 {
                        fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
                    }
                    descriptors.push(fd);
                }
            }
            // SAFETY: `data` are the `size` bytes of a message of this kind.
            _ => sender = sender.or_else(|| unsafe { sender_of(kind, data, size) }),
        }
        // SAFETY: `message` came from this `header`.
        message = unsafe { libc::CMSG_NXTHDR(&raw const header, message) };
    }
    Ok((length, sender, descriptors))
}

/// The sender, if that is what the message tells.
///
/// # Safety
/// At `data` are `size` bytes of a control message of this level and type.
#[cfg(target_os = "linux")]
unsafe fn sender_of(
    kind: (libc::c_int, libc::c_int),
    data: *const u8,
    size: usize,
) -> Option<Sender> {
    if kind != (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) || size < size_of::<libc::ucred>() {
        return None;
    }
    // SAFETY: the kernel put a whole `ucred` here, says the caller.
    let credentials = unsafe { ptr::read_unaligned(data.cast::<libc::ucred>()) };
    Some(Sender {
        pid: u32::try_from(credentials.pid).ok().filter(|pid| *pid != 0),
        uid: credentials.uid,
    })
}

/// The sender: other systems do not tell.
///
/// # Safety
/// None is needed.
#[cfg(not(target_os = "linux"))]
unsafe fn sender_of(_: (libc::c_int, libc::c_int), _: *const u8, _: usize) -> Option<Sender> {
    None
}

#[cfg(not(target_vendor = "apple"))]
const CLOSE_ON_EXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;
#[cfg(target_vendor = "apple")]
const CLOSE_ON_EXEC: libc::c_int = 0;
