//! `stat(2)`, and `poll(2)` before each `write(2)`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// What a pipe that has room takes at once, whole: `pipe(7)`.
const PIECE: usize = libc::PIPE_BUF;

pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (open, there) = (file.metadata()?, fs::metadata(path)?);
    Ok((open.dev(), open.ino()) == (there.dev(), there.ino()))
}

pub(super) fn standard_output() -> io::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

pub(super) fn standard_error() -> io::Result<File> {
    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}

pub(super) fn write_standard_error(text: &[u8], patience: Duration) -> io::Result<()> {
    write(&io::stderr(), text, patience)
}

pub(super) fn write_standard_output(text: &[u8], patience: Duration) -> io::Result<()> {
    write(&io::stdout(), text, patience)
}

pub(super) fn write_in_time(path: &Path, text: &[u8], patience: Duration) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    options.custom_flags(OFlags::NONBLOCK.bits() as i32);
    write(&options.open(path)?, text, patience)
}

fn write(to: &impl AsFd, mut text: &[u8], patience: Duration) -> io::Result<()> {
    let until = Instant::now() + patience;
    while !text.is_empty() {
        wait_for_room(to, until)?;
        match rustix::io::write(to, &text[..text.len().min(PIECE)]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => text = &text[written..],
            // Somebody else took the room.
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn wait_for_room(to: &impl AsFd, until: Instant) -> io::Result<()> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let mut file = [PollFd::new(to, PollFlags::OUT)];
        match poll(&mut file, Timespec::try_from(left).ok().as_ref()) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads it")),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
