//! Lines on standard error.

use std::env;
use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Level;
use crate::host::file_id;

pub(super) fn write(source: &str, level: Level, event: u16, text: &str) -> bool {
    let stderr = io::stderr();
    let journal = env::var("JOURNAL_STREAM").unwrap_or_default();
    let is_journal = file_id(&stderr).is_some_and(|file| file.is_journal_stream(&journal));
    let line = if is_journal {
        // The journal knows the unit; the priority must be the first thing of the line.
        format!("<{}>{text} (event {event})\n", priority(level))
    } else {
        format!("{source}: {level}: {text} (event {event})\n")
    };
    has_room(&stderr) && rustix::io::write(&stderr, line.as_bytes()) == Ok(line.len())
}

pub(super) fn is_only_way() -> bool {
    false
}

/// The priorities of `syslog(3)`.
pub(super) fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warning => 4,
        Level::Info => 6,
    }
}

/// Whether a line can be written at once: a full pipe that nobody reads must not hold up a stop.
fn has_room(file: &impl AsFd) -> bool {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut file = [PollFd::new(file, PollFlags::OUT)];
    poll(&mut file, Some(&now)) == Ok(1) && file[0].revents().contains(PollFlags::OUT)
}
