//! Named pipes of this machine.
//!
//! Reads and writes are overlapped and share one event, which is what others wait for. The system unsets it whenever one of them begins, so
//! each [`Pipe`] looks afterwards whether the other one has ended meanwhile ([`Pipe::rearm`]).

use std::fs;
use std::io;
use std::mem::{self, zeroed};
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BROKEN_PIPE, ERROR_IO_INCOMPLETE, ERROR_IO_PENDING, ERROR_NO_DATA,
    ERROR_PIPE_BUSY, ERROR_PIPE_CONNECTED, ERROR_PIPE_NOT_CONNECTED, FALSE, GENERIC_READ,
    GENERIC_WRITE, HANDLE, INVALID_HANDLE_VALUE, TRUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, OPEN_EXISTING,
    PIPE_ACCESS_DUPLEX, ReadFile, SECURITY_IDENTIFICATION, SECURITY_SQOS_PRESENT, WriteFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, GetNamedPipeClientProcessId, GetNamedPipeServerProcessId,
    PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE, PIPE_UNLIMITED_INSTANCES,
    PIPE_WAIT, WaitNamedPipeW,
};
use windows_sys::Win32::System::Threading::{CreateEventW, ResetEvent, SetEvent};

use super::{CHUNK, Peer};
use crate::windows::descriptor::SecurityDescriptor;
use crate::windows::text::wide;
use crate::{Descriptor, Error, Result};

const PIPES: &str = r"\\.\pipe\";
const PREFIX: &str = "winddown-";

/// Inherited from nowhere: everything to the system, to administrators and to the owner, nothing to others.
const OWNER_ONLY: &str = "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;OW)";

/// How long a connection waits, in milliseconds, while the listener has none to give; and how often.
const BUSY_WAIT: u32 = 250;
const BUSY_ATTEMPTS: u32 = 20;

pub(super) fn address(name: &str) -> Option<PathBuf> {
    Some(PathBuf::from(format!("{PIPES}{PREFIX}{name}")))
}

pub(super) fn addresses() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(PIPES);
    let pipes = entries.into_iter().flatten().filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        let name = name.strip_prefix(PREFIX)?.to_owned();
        Some((name.clone(), address(&name)?))
    });
    pipes.collect()
}

#[derive(Debug)]
pub(super) struct LocalListener {
    path: PathBuf,
    /// The instance that the next one connects to.
    next: Pipe,
}

impl LocalListener {
    pub(super) fn bind(path: &Path) -> Result<Self> {
        if !path.as_os_str().to_string_lossy().starts_with(PIPES) {
            let what = format!("listening on {}", path.display());
            let error = io::Error::other(r"a control address is \\.\pipe\NAME on Windows");
            return Err(Error::os(what, error));
        }
        let in_use = |pid| Error::AddressInUse {
            address: path.display().to_string(),
            pid,
        };
        // The flag refuses as well, without a name, and it holds for two that start at once. Wine 8 does not know it.
        if let Ok(living) = LocalStream::connect(path) {
            return Err(in_use(living.peer.pid));
        }
        let next = instance(path, FILE_FLAG_FIRST_PIPE_INSTANCE).map_err(|error| {
            match error.raw_os_error().map(|code| code as u32) {
                Some(ERROR_ACCESS_DENIED | ERROR_PIPE_BUSY) => in_use(None),
                _ => Error::os(format!("listening on {}", path.display()), error),
            }
        })?;
        Ok(Self {
            path: path.to_owned(),
            next,
        })
    }

    pub(super) fn accept(&mut self) -> Result<Option<LocalStream>> {
        let failed = |error| Error::os("accepting a connection", error);
        match self.next.result(Direction::In) {
            None => return Ok(None),
            Some(Ok(_)) => {}
            // Whoever connected has gone; the next one gets a new instance.
            Some(Err(_)) => {
                self.next = instance(&self.path, 0).map_err(failed)?;
                return Ok(None);
            }
        }
        // Made first, so that at no time nobody listens.
        let next = instance(&self.path, 0).map_err(failed)?;
        let mut pipe = mem::replace(&mut self.next, next);
        let mut pid = 0;
        // SAFETY: the handle is open, and the result outlives the call.
        let known = unsafe { GetNamedPipeClientProcessId(pipe.handle(), &raw mut pid) } != 0;
        pipe.rearm();
        Ok(Some(LocalStream::new(pipe, known.then_some(pid))))
    }

    pub(super) fn descriptor(&self) -> Descriptor<'_> {
        self.next.event.as_handle()
    }
}

/// A new instance of a pipe, which waits for somebody to connect.
fn instance(path: &Path, flags: u32) -> io::Result<Pipe> {
    let owner_only = SecurityDescriptor::read(OWNER_ONLY)?;
    let attributes = owner_only.attributes();
    // SAFETY: the path ends with a zero and the attributes live as long as the call; the handle is checked before it is owned.
    let handle = unsafe {
        let handle = CreateNamedPipeW(
            wide(path).as_ptr(),
            PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | flags,
            PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
            PIPE_UNLIMITED_INSTANCES,
            CHUNK as u32,
            CHUNK as u32,
            0,
            &raw const attributes,
        );
        owned(handle)?
    };
    let mut pipe = Pipe::new(handle)?;
    let (handle, overlapped) = (pipe.handle(), pipe.begin(Direction::In));
    // SAFETY: the handle is open, and the operation stays where it is until it has ended: `Pipe` sees to that.
    let done = unsafe { ConnectNamedPipe(handle, overlapped) } != 0;
    match (done, io::Error::last_os_error().raw_os_error()) {
        (true, _) => {}
        (false, Some(code)) if code == ERROR_IO_PENDING as i32 => {}
        (false, Some(code)) if code == ERROR_PIPE_CONNECTED as i32 => {
            pipe.incoming.state = State::Ended(Ok(0));
            pipe.rearm();
        }
        (false, code) => {
            pipe.incoming.state = State::Idle;
            return Err(io::Error::from_raw_os_error(code.unwrap_or_default()));
        }
    }
    Ok(pipe)
}

/// # Safety
/// `handle` is new and nobody else's, or `INVALID_HANDLE_VALUE` with the error of this thread.
unsafe fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: says the caller.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

#[derive(Debug)]
pub(super) struct LocalStream {
    pipe: Pipe,
    peer: Peer,
    unsent: Vec<u8>,
}

impl LocalStream {
    fn new(pipe: Pipe, pid: Option<u32>) -> Self {
        let peer = Peer {
            pid,
            uid: None,
            is_trusted: true,
        };
        Self {
            pipe,
            peer,
            unsent: Vec::new(),
        }
    }

    pub(super) fn connect(path: &Path) -> Result<Self> {
        let failed = |error| Error::os(format!("connecting to {}", path.display()), error);
        let mut attempts = 0;
        loop {
            // The listener may know who this is, and not act in its name.
            // SAFETY: the path ends with a zero; the handle is checked before it is owned.
            let opened = unsafe {
                owned(CreateFileW(
                    wide(path).as_ptr(),
                    GENERIC_READ | GENERIC_WRITE,
                    0,
                    null(),
                    OPEN_EXISTING,
                    FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION,
                    null_mut(),
                ))
            };
            match opened {
                Ok(handle) => {
                    let mut pipe = Pipe::new(handle).map_err(failed)?;
                    let mut pid = 0;
                    // SAFETY: the handle is open, and the result outlives the call.
                    let known =
                        unsafe { GetNamedPipeServerProcessId(pipe.handle(), &raw mut pid) } != 0;
                    pipe.read().map_err(failed)?;
                    return Ok(Self::new(pipe, known.then_some(pid)));
                }
                Err(error)
                    if error.raw_os_error() == Some(ERROR_PIPE_BUSY as i32)
                        && attempts < BUSY_ATTEMPTS =>
                {
                    attempts += 1;
                    // SAFETY: the path ends with a zero.
                    unsafe { WaitNamedPipeW(wide(path).as_ptr(), BUSY_WAIT) };
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    pub(super) const fn peer(&self) -> Peer {
        self.peer
    }

    pub(super) fn receive(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        match self.pipe.incoming.state {
            State::Idle => self.pipe.read()?,
            State::Over => return Ok(false),
            State::Begun | State::Ended(_) => {}
        }
        let result = self.pipe.result(Direction::In);
        let open = match result {
            None => true,
            Some(Ok(length)) => {
                buffer.extend_from_slice(&self.pipe.incoming.buffer[..length]);
                self.pipe.read()?;
                true
            }
            Some(Err(error)) if is_end(&error) => {
                self.pipe.incoming.state = State::Over;
                false
            }
            Some(Err(error)) => return Err(error),
        };
        self.pipe.rearm();
        Ok(open)
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unsent.extend_from_slice(bytes);
        loop {
            match self.pipe.outgoing.state {
                State::Idle if self.unsent.is_empty() => break,
                State::Idle => self.pipe.write(&self.unsent)?,
                _ => match self.pipe.result(Direction::Out) {
                    None => break,
                    Some(sent) => drop(self.unsent.drain(..sent?)),
                },
            }
        }
        self.pipe.rearm();
        Ok(())
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    pub(super) fn descriptor(&self) -> Descriptor<'_> {
        self.pipe.event.as_handle()
    }
}

fn is_end(error: &io::Error) -> bool {
    let ends = [ERROR_BROKEN_PIPE, ERROR_PIPE_NOT_CONNECTED, ERROR_NO_DATA];
    let code = error.raw_os_error();
    ends.iter().any(|end| code == Some(*end as i32))
}

#[derive(Clone, Copy)]
enum Direction {
    /// Connecting and reading.
    In,
    /// Writing.
    Out,
}

/// One handle of a pipe, with at most one operation in each direction.
#[derive(Debug)]
struct Pipe {
    pipe: OwnedHandle,
    event: OwnedHandle,
    incoming: Operation,
    outgoing: Operation,
}

#[derive(Debug)]
struct Operation {
    /// Boxed: the system writes to it while the operation goes on.
    overlapped: Box<Overlapped>,
    buffer: Vec<u8>,
    state: State,
}

struct Overlapped(OVERLAPPED);

impl std::fmt::Debug for Overlapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Overlapped")
    }
}

#[derive(Debug)]
enum State {
    Idle,
    Begun,
    Ended(io::Result<usize>),
    /// The pipe has ended, and was told to have.
    Over,
}

// SAFETY: an operation belongs to its handle and not to a thread, and `Pipe` is changed through `&mut` only.
unsafe impl Send for Pipe {}

impl Pipe {
    fn new(pipe: OwnedHandle) -> io::Result<Self> {
        // SAFETY: null means no name and rights that are not inherited; the handle is checked before it is owned.
        let event = unsafe {
            let event = CreateEventW(null(), TRUE, FALSE, null());
            if event.is_null() {
                return Err(io::Error::last_os_error());
            }
            OwnedHandle::from_raw_handle(event)
        };
        let operation = || Operation {
            // SAFETY: all zeroes are an operation that was not begun.
            overlapped: Box::new(Overlapped(unsafe { zeroed() })),
            buffer: Vec::new(),
            state: State::Idle,
        };
        Ok(Self {
            pipe,
            event,
            incoming: operation(),
            outgoing: operation(),
        })
    }

    fn handle(&self) -> HANDLE {
        self.pipe.as_raw_handle()
    }

    fn operation(&mut self, direction: Direction) -> &mut Operation {
        match direction {
            Direction::In => &mut self.incoming,
            Direction::Out => &mut self.outgoing,
        }
    }

    /// The operation of a direction, about to be begun.
    fn begin(&mut self, direction: Direction) -> *mut OVERLAPPED {
        let event = self.event.as_raw_handle();
        let operation = self.operation(direction);
        operation.state = State::Begun;
        // SAFETY: as in `new`; the one before has ended.
        operation.overlapped.0 = unsafe { zeroed() };
        operation.overlapped.0.hEvent = event;
        &raw mut operation.overlapped.0
    }

    fn read(&mut self) -> io::Result<()> {
        self.incoming.buffer.resize(CHUNK, 0);
        let (handle, overlapped) = (self.handle(), self.begin(Direction::In));
        let buffer = self.incoming.buffer.as_mut_ptr();
        // SAFETY: the buffer has that much room; it and the operation stay where they are until it has ended.
        let done = unsafe { ReadFile(handle, buffer, CHUNK as u32, null_mut(), overlapped) } != 0;
        self.begun(Direction::In, done)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.outgoing.buffer.clear();
        let some = &bytes[..bytes.len().min(CHUNK)];
        self.outgoing.buffer.extend_from_slice(some);
        let (handle, overlapped) = (self.handle(), self.begin(Direction::Out));
        let buffer = self.outgoing.buffer.as_ptr();
        // SAFETY: there are that many bytes; they and the operation stay where they are until it has ended.
        let done =
            unsafe { WriteFile(handle, buffer, some.len() as u32, null_mut(), overlapped) } != 0;
        self.begun(Direction::Out, done)
    }

    /// Notes that an operation could not be begun; the end of the pipe is told as the operation's result.
    fn begun(&mut self, direction: Direction, done: bool) -> io::Result<()> {
        let error = io::Error::last_os_error();
        if done || error.raw_os_error() == Some(ERROR_IO_PENDING as i32) {
            return Ok(());
        }
        let is_end = is_end(&error);
        let operation = self.operation(direction);
        operation.state = State::Idle;
        if !is_end {
            return Err(error);
        }
        operation.state = State::Ended(Err(error));
        Ok(())
    }

    /// The result of the operation that was begun last, once; `None` while it goes on.
    fn result(&mut self, direction: Direction) -> Option<io::Result<usize>> {
        let handle = self.handle();
        let operation = self.operation(direction);
        match mem::replace(&mut operation.state, State::Idle) {
            State::Idle => None,
            State::Over => {
                operation.state = State::Over;
                None
            }
            State::Ended(result) => Some(result),
            State::Begun => {
                let mut length = 0;
                // SAFETY: the operation was begun on this handle, and the result outlives the call.
                let done = unsafe {
                    GetOverlappedResult(
                        handle,
                        &raw const operation.overlapped.0,
                        &raw mut length,
                        FALSE,
                    )
                } != 0;
                if done {
                    return Some(Ok(length as usize));
                }
                let error = io::Error::last_os_error();
                if error.raw_os_error() == Some(ERROR_IO_INCOMPLETE as i32) {
                    operation.state = State::Begun;
                    return None;
                }
                Some(Err(error))
            }
        }
    }

    /// Sets the event where an operation has ended that nobody has dealt with, and unsets it otherwise.
    fn rearm(&mut self) {
        let event = self.event.as_raw_handle();
        // SAFETY: the event is open.
        unsafe { ResetEvent(event) };
        for direction in [Direction::In, Direction::Out] {
            if let Some(result) = self.result(direction) {
                self.operation(direction).state = State::Ended(result);
                // SAFETY: the event is open.
                unsafe { SetEvent(event) };
            }
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let handle = self.handle();
        for operation in [&mut self.incoming, &mut self.outgoing] {
            if matches!(operation.state, State::Begun) {
                let mut length = 0;
                // SAFETY: the operation was begun on this handle; its memory is freed only once it has ended.
                unsafe {
                    CancelIoEx(handle, &raw const operation.overlapped.0);
                    GetOverlappedResult(
                        handle,
                        &raw const operation.overlapped.0,
                        &raw mut length,
                        TRUE,
                    );
                }
            }
        }
    }
}
