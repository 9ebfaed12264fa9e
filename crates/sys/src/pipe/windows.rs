//! A thread for each pipe: an anonymous pipe can only be waited for by reading it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr::{null, null_mut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use windows_sys::Win32::System::IO::CancelSynchronousIo;
use windows_sys::Win32::System::Pipes::{CreatePipe, PeekNamedPipe};

use super::{AT_ONCE, Read};
use crate::{Error, Result, Wake, wait_any};

/// How many reads a pipe gets that is to end.
const LAST_READS: usize = 2 * 1024 * 1024 / AT_ONCE;

/// How often a thread is freed from its read: it may not have begun it at the first time.
const FREE_EVERY: Duration = Duration::from_millis(5);

pub(super) fn pair(size: usize) -> Result<(File, File)> {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    let (mut reader, mut writer): (RawHandle, RawHandle) = (null_mut(), null_mut());
    // SAFETY: both handles outlive the call, and are owned only after it succeeded. Null means that they are not inherited.
    unsafe {
        if CreatePipe(&raw mut reader, &raw mut writer, null(), size) == 0 {
            return Err(Error::os("CreatePipe", io::Error::last_os_error()));
        }
        Ok((
            OwnedHandle::from_raw_handle(reader).into(),
            OwnedHandle::from_raw_handle(writer).into(),
        ))
    }
}

/// What the thread of a pipe and the waiting one share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    taken: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What was read and not yet taken; empty at the end.
    read: Option<Vec<u8>>,
    finishing: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Pipe {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

impl Pipe {
    /// Ends the read that the thread may be in.
    fn free(&self) {
        // SAFETY: the handle of the thread is open. When the thread reads nothing, nothing is cancelled.
        unsafe { CancelSynchronousIo(self.thread.as_raw_handle()) };
    }
}

#[derive(Debug)]
pub(super) struct Pipes {
    wake: Arc<Wake>,
    pipes: BTreeMap<usize, Pipe>,
}

impl Pipes {
    pub(super) fn new(wake: Arc<Wake>) -> Result<Self> {
        Ok(Self {
            wake,
            pipes: BTreeMap::new(),
        })
    }

    pub(super) fn add(&mut self, id: usize, file: File) -> Result<()> {
        let shared = Arc::new(Shared::default());
        let (theirs, wake) = (Arc::clone(&shared), Arc::clone(&self.wake));
        let thread = thread::Builder::new()
            .name(format!("winddown-pipe-{id}"))
            .stack_size(128 * 1024)
            .spawn(move || read(file, &theirs, &wake))
            .map_err(|error| Error::os("starting a thread for a pipe", error))?;
        self.pipes.insert(id, Pipe { shared, thread });
        Ok(())
    }

    pub(super) fn finish(&mut self, id: usize) {
        if let Some(pipe) = self.pipes.get(&id) {
            pipe.shared.lock().finishing = true;
            pipe.free();
        }
    }

    pub(super) fn wait(
        &mut self,
        timeout: Option<Duration>,
        take: &mut dyn FnMut(usize, Read<'_>),
    ) {
        let finishing: Vec<&Pipe> = self
            .pipes
            .values()
            .filter(|pipe| pipe.shared.lock().finishing)
            .collect();
        let timeout = match finishing.is_empty() {
            true => timeout,
            false => Some(timeout.unwrap_or(FREE_EVERY).min(FREE_EVERY)),
        };
        for pipe in finishing {
            pipe.free();
        }
        wait_any(&[&*self.wake], timeout);
        self.wake.clear();
        self.pipes.retain(|id, pipe| {
            let Some(data) = pipe.shared.lock().read.take() else {
                return true;
            };
            pipe.shared.taken.notify_one();
            match data.is_empty() {
                true => take(*id, Read::End),
                false => take(*id, Read::Data(&data)),
            }
            !data.is_empty()
        });
    }
}

impl Drop for Pipes {
    /// The threads end; none is waited for.
    fn drop(&mut self) {
        for pipe in self.pipes.values() {
            let mut state = pipe.shared.lock();
            state.finishing = true;
            state.read = None;
            drop(state);
            pipe.shared.taken.notify_one();
            pipe.free();
        }
    }
}

/// The thread of a pipe.
fn read(mut file: File, shared: &Shared, wake: &Wake) {
    let mut buffer = vec![0; AT_ONCE];
    let mut reads_left = LAST_READS;
    loop {
        let finishing = shared.lock().finishing;
        let ends = finishing && (reads_left == 0 || available(&file) == 0);
        reads_left -= usize::from(finishing && !ends);
        let data = match ends {
            true => Vec::new(),
            false => match file.read(&mut buffer) {
                Ok(count) => buffer[..count].to_vec(),
                // Freed, to look whether it is to end.
                Err(error) if error.raw_os_error() == Some(OPERATION_ABORTED) => continue,
                Err(_) => Vec::new(),
            },
        };
        let is_end = data.is_empty();
        shared.lock().read = Some(data);
        wake.wake();
        if is_end {
            return;
        }
        let mut state = shared.lock();
        while state.read.is_some() {
            state = shared
                .taken
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

const OPERATION_ABORTED: i32 = windows_sys::Win32::Foundation::ERROR_OPERATION_ABORTED as i32;

/// How many bytes can be read at once; 0 also when the pipe is broken.
fn available(file: &File) -> u32 {
    let mut available = 0;
    // SAFETY: the handle is open, the number outlives the call, and nothing else is asked for.
    let peeked = unsafe {
        PeekNamedPipe(
            file.as_raw_handle(),
            null_mut(),
            0,
            null_mut(),
            &raw mut available,
            null_mut(),
        )
    };
    if peeked == 0 { 0 } else { available }
}
