//! Stream sockets in the file system.

use std::fs::{self, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use rustix::process::geteuid;

use super::{CHUNK, Peer};
use crate::storage::create_private_directory;
use crate::{Descriptor, Error, Result};

/// How long a listener whose queue is full is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);
/// How often a listener that others get in the way of tries.
const ATTEMPTS: usize = 16;

pub(super) fn address(name: &str) -> Option<PathBuf> {
    Some(directory()?.join(format!("{name}.sock")))
}

pub(super) fn addresses() -> Vec<(String, PathBuf)> {
    let entries = directory().and_then(|directory| fs::read_dir(directory).ok());
    let sockets = entries.into_iter().flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        let is_socket = entry.file_type().ok()?.is_socket();
        let name = entry.file_name().into_string().ok()?;
        let name = name.strip_suffix(".sock")?.to_owned();
        is_socket.then(|| (name, entry.path()))
    });
    sockets.collect()
}

fn directory() -> Option<PathBuf> {
    let runtime = match geteuid().is_root() {
        true => {
            let places = ["/run", "/var/run"].map(PathBuf::from);
            places.into_iter().find(|place| place.is_dir())?
        }
        false => PathBuf::from(env::var_os("XDG_RUNTIME_DIR")?),
    };
    runtime.is_absolute().then(|| runtime.join("winddown"))
}

#[derive(Debug)]
pub(super) struct LocalListener {
    socket: UnixListener,
    path: PathBuf,
    /// The file that is this listener's: device and number.
    file: (u64, u64),
}

impl LocalListener {
    pub(super) fn bind(path: &Path) -> Result<Self> {
        let failed = |error| Error::os(format!("listening on {}", path.display()), error);
        let directory = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Err(failed(io::ErrorKind::InvalidInput.into())),
        };
        create_private_directory(directory).map_err(|error| {
            let what = format!("listening in the directory {}", directory.display());
            Error::os(what, error)
        })?;
        // It listens before it has its name: under that name nothing refuses a connection but what is dead.
        let unnamed = directory.join(format!(".{}.new", process::id()));
        let _ = fs::remove_file(&unnamed);
        let socket = UnixListener::bind(&unnamed).map_err(failed)?;
        let named = prepare(&socket, &unnamed)
            .map_err(failed)
            .and_then(|file| name(&unnamed, path).map(|()| file));
        let _ = fs::remove_file(&unnamed);
        Ok(Self {
            socket,
            path: path.to_owned(),
            file: named?,
        })
    }

    pub(super) fn accept(&self) -> Result<Option<LocalStream>> {
        loop {
            match self.socket.accept() {
                Ok((socket, _)) => return LocalStream::new(socket).map(Some),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                // Whoever connected has gone.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::os("accepting a connection", error)),
            }
        }
    }

    pub(super) fn descriptor(&self) -> Descriptor<'_> {
        self.socket.as_fd()
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        let is_ours = |metadata: &Metadata| identity(metadata) == self.file;
        if self.path.symlink_metadata().is_ok_and(|it| is_ours(&it)) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn prepare(socket: &UnixListener, path: &Path) -> io::Result<(u64, u64)> {
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.set_nonblocking(true)?;
    path.symlink_metadata().map(|it| identity(&it))
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Gives the socket `unnamed` its name, in the place of what a dead process left there.
fn name(unnamed: &Path, path: &Path) -> Result<()> {
    let failed = |error| Error::os(format!("listening on {}", path.display()), error);
    for _ in 0..ATTEMPTS {
        match fs::hard_link(unnamed, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => return linked.map_err(failed),
        }
        let there = path.symlink_metadata();
        if there.is_ok_and(|it| !it.file_type().is_socket()) {
            return Err(failed(io::Error::other(
                "something that is no socket is there already",
            )));
        }
        refuse_living(path, path)?;
        // Two that start at once may both have seen the dead one: only what is still dead under a name of its own is removed.
        let aside = unnamed.with_extension("old");
        match fs::rename(path, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            moved => moved.map_err(failed)?,
        }
        if let Err(living) = refuse_living(&aside, path) {
            let _ = fs::hard_link(&aside, path);
            let _ = fs::remove_file(&aside);
            return Err(living);
        }
        let _ = fs::remove_file(&aside);
    }
    Err(failed(io::ErrorKind::AddrInUse.into()))
}

/// Fails where a process listens on `socket`, which is known as `path`.
fn refuse_living(socket: &Path, path: &Path) -> Result<()> {
    match connect(socket) {
        Ok(connected) => Err(Error::AddressInUse {
            address: path.display().to_string(),
            pid: peer(&connected).ok().and_then(|peer| peer.pid),
        }),
        // It listens, and has no time.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Error::AddressInUse {
            address: path.display().to_string(),
            pid: None,
        }),
        Err(_) => Ok(()),
    }
}

/// Connects without waiting for a listener whose queue is full.
fn connect(path: &Path) -> io::Result<UnixStream> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    let address = SocketAddrUnix::new(path.as_os_str().as_bytes())?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket.into())
}

#[derive(Debug)]
pub(super) struct LocalStream {
    socket: UnixStream,
    peer: Peer,
    unsent: Vec<u8>,
}

impl LocalStream {
    fn new(socket: UnixStream) -> Result<Self> {
        let prepared = socket.set_nonblocking(true).and_then(|()| peer(&socket));
        Ok(Self {
            peer: prepared.map_err(|error| Error::os("looking who has connected", error))?,
            socket,
            unsent: Vec::new(),
        })
    }

    pub(super) fn connect(path: &Path) -> Result<Self> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match connect(path) {
                Ok(socket) => return Self::new(socket),
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline =>
                {
                    thread::sleep(PAUSE);
                }
                Err(error) => {
                    return Err(Error::os(
                        format!("connecting to {}", path.display()),
                        error,
                    ));
                }
            }
        }
    }

    pub(super) const fn peer(&self) -> Peer {
        self.peer
    }

    pub(super) fn receive(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        let mut chunk = [0; CHUNK];
        loop {
            match self.socket.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(length) => {
                    buffer.extend_from_slice(&chunk[..length]);
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unsent.extend_from_slice(bytes);
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.socket.write(&self.unsent[sent..]) {
                Ok(length) => sent += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent.drain(..sent);
        Ok(())
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    pub(super) fn descriptor(&self) -> Descriptor<'_> {
        self.socket.as_fd()
    }
}

fn peer(socket: &UnixStream) -> io::Result<Peer> {
    let (pid, uid) = credentials(socket)?;
    Ok(Peer {
        pid: pid
            .and_then(|pid| u32::try_from(pid).ok())
            .filter(|pid| *pid != 0),
        uid: Some(uid),
        is_trusted: uid == 0 || uid == geteuid().as_raw(),
    })
}

/// By hand, because the pid is 0 where the peer is outside this pid namespace, for which rustix's type has no place.
#[cfg(target_os = "linux")]
fn credentials(socket: &UnixStream) -> io::Result<(Option<libc::pid_t>, libc::uid_t)> {
    let mut found = libc::ucred {
        pid: 0,
        uid: libc::uid_t::MAX,
        gid: libc::gid_t::MAX,
    };
    socket_option(socket, libc::SOL_SOCKET, libc::SO_PEERCRED, &mut found)?;
    Ok((Some(found.pid), found.uid))
}

#[cfg(target_vendor = "apple")]
fn credentials(socket: &UnixStream) -> io::Result<(Option<libc::pid_t>, libc::uid_t)> {
    let mut pid: libc::pid_t = 0;
    socket_option(socket, libc::SOL_LOCAL, libc::LOCAL_PEERPID, &mut pid)?;
    Ok((Some(pid), user(socket)?))
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn credentials(socket: &UnixStream) -> io::Result<(Option<libc::pid_t>, libc::uid_t)> {
    Ok((None, user(socket)?))
}

#[cfg(not(target_os = "linux"))]
fn user(socket: &UnixStream) -> io::Result<libc::uid_t> {
    let (mut uid, mut gid) = (libc::uid_t::MAX, libc::gid_t::MAX);
    // SAFETY: the descriptor is open, and both results outlive the call.
    match unsafe { libc::getpeereid(socket.as_raw_fd(), &raw mut uid, &raw mut gid) } {
        0 => Ok(uid),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn socket_option<T: Copy>(
    socket: &UnixStream,
    level: libc::c_int,
    option: libc::c_int,
    value: &mut T,
) -> io::Result<()> {
    let mut size = size_of::<T>() as libc::socklen_t;
    // SAFETY: the descriptor is open, `size` is the room that `value` has, and the callers' types are those of their options.
    let code = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw mut *value).cast(),
            &raw mut size,
        )
    };
    match code {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
