//! The Application log, an event for each line.

use std::io;

use super::super::{Level, OTHER, entry};
use crate::Result;

/// What is left of an entry when every character takes as much as it can.
pub(super) const LONGEST: usize = 3 * 1024;

#[derive(Debug)]
pub(super) struct LineLog {
    source: String,
}

impl LineLog {
    pub(super) fn open(source: &str) -> Result<Self> {
        Ok(Self {
            source: source.to_owned(),
        })
    }

    pub(super) fn write(&mut self, level: Level, line: &[u8]) -> io::Result<()> {
        match entry(&self.source, level, OTHER, &String::from_utf8_lossy(line)) {
            true => Ok(()),
            false => Err(io::Error::last_os_error()),
        }
    }
}
