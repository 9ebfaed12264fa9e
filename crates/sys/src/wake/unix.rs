//! A pair of sockets: not every Unix can make a pipe that is close-on-exec from the start.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use super::Descriptor;
use crate::{Error, Result};

#[derive(Debug)]
pub(super) struct Wake {
    reader: UnixStream,
    writer: UnixStream,
}

impl Wake {
    pub(super) fn new() -> Result<Self> {
        let pair = || {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            writer.set_nonblocking(true)?;
            Ok(Self { reader, writer })
        };
        pair().map_err(|error: std::io::Error| Error::os("socketpair", error))
    }

    pub(super) fn wake(&self) {
        // It fails only when the buffer is full, and then the latch is set.
        let _ = (&self.writer).write(&[1]);
    }

    pub(super) fn clear(&self) {
        let mut buffer = [0; 64];
        while matches!((&self.reader).read(&mut buffer), Ok(1..)) {}
    }

    pub(super) fn descriptor(&self) -> Descriptor<'_> {
        self.reader.as_fd()
    }
}
