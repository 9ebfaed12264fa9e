//! Non-blocking reading ends and a poller.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use super::{AT_ONCE, Read};
use crate::{Descriptor, Error, Poller, Result, Waitable, Wake};

/// The number by which the poller knows the wake.
const WAKE: usize = usize::MAX;

/// How many reads a pipe gets that is to end: 2 MiB, more than any pipe holds.
const LAST_READS: usize = 2 * 1024 * 1024 / AT_ONCE;

pub(super) fn pair(size: usize) -> Result<(File, File)> {
    #[cfg(target_vendor = "apple")]
    let ends = rustix::pipe::pipe().and_then(|(reader, writer)| {
        rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::CLOEXEC)?;
        rustix::io::fcntl_setfd(&writer, rustix::io::FdFlags::CLOEXEC)?;
        Ok((reader, writer))
    });
    #[cfg(not(target_vendor = "apple"))]
    let ends = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    let (reader, writer) = ends.map_err(|error| Error::os("pipe", error))?;
    #[cfg(target_os = "linux")]
    if size > AT_ONCE {
        // Refused above the user's allowance; the pipe is then as large as any.
        let _ = rustix::pipe::fcntl_setpipe_size(&writer, size);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = size;
    Ok((reader.into(), writer.into()))
}

#[derive(Debug)]
struct Pipe {
    file: File,
    /// How many reads are left to it, once it is to end.
    reads_left: Option<usize>,
}

impl Waitable for Pipe {
    fn descriptor(&self) -> Descriptor<'_> {
        self.file.as_fd()
    }
}

#[derive(Debug)]
pub(super) struct Pipes {
    wake: Arc<Wake>,
    poller: Poller,
    pipes: HashMap<usize, Pipe>,
    finishing: Vec<usize>,
    buffer: Box<[u8]>,
}

impl Pipes {
    pub(super) fn new(wake: Arc<Wake>) -> Result<Self> {
        let mut poller = Poller::new()?;
        poller.watch(WAKE, &[&*wake])?;
        Ok(Self {
            wake,
            poller,
            pipes: HashMap::new(),
            finishing: Vec::new(),
            buffer: vec![0; AT_ONCE].into(),
        })
    }

    pub(super) fn add(&mut self, id: usize, file: File) -> Result<()> {
        rustix::io::ioctl_fionbio(&file, true)
            .map_err(|error| Error::os("making a pipe non-blocking", error))?;
        let pipe = Pipe {
            file,
            reads_left: None,
        };
        self.poller.watch(id, &[&pipe])?;
        self.pipes.insert(id, pipe);
        Ok(())
    }

    pub(super) fn finish(&mut self, id: usize) {
        if let Some(pipe) = self.pipes.get_mut(&id) {
            if pipe.reads_left.is_none() {
                pipe.reads_left = Some(LAST_READS);
                self.finishing.push(id);
            }
        }
    }

    pub(super) fn wait(
        &mut self,
        timeout: Option<Duration>,
        take: &mut dyn FnMut(usize, Read<'_>),
    ) {
        let timeout = match self.finishing.is_empty() {
            true => timeout,
            false => Some(Duration::ZERO),
        };
        let mut ready = self.poller.wait(timeout);
        ready.append(&mut self.finishing.clone());
        ready.sort_unstable();
        ready.dedup();
        for id in ready {
            if id == WAKE {
                self.wake.clear();
            } else if !self.read(id, take) {
                self.pipes.remove(&id);
                self.finishing.retain(|other| *other != id);
                // It watches nothing any more, which cannot fail.
                let _ = self.poller.watch(id, &[]);
                take(id, Read::End);
            }
        }
    }

    /// Reads once, and says whether there may be more.
    fn read(&mut self, id: usize, take: &mut dyn FnMut(usize, Read<'_>)) -> bool {
        let Some(pipe) = self.pipes.get_mut(&id) else {
            return true;
        };
        match &mut pipe.reads_left {
            Some(0) => return false,
            Some(left) => *left -= 1,
            None => {}
        }
        match rustix::io::read(&pipe.file, &mut self.buffer[..]) {
            Ok(0) => false,
            Ok(count) => {
                take(id, Read::Data(&self.buffer[..count]));
                true
            }
            Err(Errno::AGAIN) => pipe.reads_left.is_none(),
            Err(Errno::INTR) => true,
            Err(_) => false,
        }
    }
}
