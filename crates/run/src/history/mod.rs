//! The stop reports that are kept: [`History`].
//!
//! One file for each service, one line of JSON for each report: a report costs one `open` and one `write`. Once the file is full it
//! becomes the older of two, and what was the older one before goes.
//!
//! A line begins with its line feed and ends without one: what a crash has left of a line is a line of its own, and hides no other.

mod name;
mod reading;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use winddown_core::report::{StopReport, Verdict};
use winddown_sys::storage;

use crate::error::Error;

pub use reading::{Found, Kept, Skipped};

/// So many bytes of the newest reports of a service are kept at least, which is some 500 reports without much to tell; of more than
/// twice as many the oldest are removed.
pub const BYTES_KEPT: u64 = 256 << 10;
/// How many files are kept, of which a service has one or two; those that were written to the longest ago are removed.
const FILES_KEPT: usize = 4_096;
/// The largest report that is kept, in bytes.
const LARGEST: u64 = 4 << 20;
/// The least time between two waits for the disk: a thousand services that are forced at once do not wait a thousand times.
const SYNC_GAP: Duration = Duration::from_secs(1);

/// Stop reports, the newest of each service. Any number of processes may write and read at once.
#[derive(Debug)]
pub struct History {
    directory: PathBuf,
    synced: Option<Instant>,
    files_pruned: bool,
}

impl History {
    /// The history in a state directory, which need not be there yet.
    #[must_use]
    pub fn new(state_directory: &Path) -> Self {
        Self {
            directory: state_directory.join("history"),
            synced: None,
            files_pruned: false,
        }
    }

    /// Where the reports are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn file(&self, service: &str, suffix: &str) -> PathBuf {
        self.directory.join(format!("{service}{suffix}"))
    }

    /// Keeps a report, and removes the oldest of the service if there are too many.
    ///
    /// After a loss of power, reports of graceful stops of the last half minute may be missing: the disk is not waited for while a
    /// stop is under way that does well. Of the other verdicts, the first in a second is waited for.
    ///
    /// # Errors
    /// [`Error::History`] when the directory is not this user's alone, or when the report cannot be written there.
    pub fn add(&mut self, report: &StopReport) -> Result<(), Error> {
        let mut line = vec![b'\n'];
        serde_json::to_writer(&mut line, report).expect("reports are plain data");
        let sync = report.verdict != Verdict::Graceful
            && self.synced.is_none_or(|last| last.elapsed() >= SYNC_GAP);
        self.append(&report.service, &line, sync)
            .map_err(failure(&self.directory))?;
        if sync {
            self.synced = Some(Instant::now());
        }
        Ok(())
    }

    fn append(&mut self, service: &str, line: &[u8], sync: bool) -> io::Result<()> {
        if line.len() as u64 > LARGEST {
            let too_large = "the report is too large";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, too_large));
        }
        storage::create_private_directory(&self.directory)?;
        let service = name::encoded(service);
        let newer = self.file(&service, name::NEWER);
        let (mut file, mut length) = storage::append_to_private_file(&newer)?;
        if length > BYTES_KEPT && self.turn_over(&newer, &self.file(&service, name::OLDER))? {
            (file, length) = storage::append_to_private_file(&newer)?;
        }
        let is_new = length == 0;
        // In one call, which keeps it apart from what others write.
        file.write_all(line)?;
        if sync {
            file.sync_all()?;
            if is_new {
                storage::sync_directory(&self.directory)?;
            }
        }
        drop(file);
        // Once is enough for what one process adds, and a thousand services that end at once need not look a thousand times.
        if is_new && !self.files_pruned {
            self.files_pruned = true;
            self.prune()?;
        }
        Ok(())
    }

    /// Makes a full file the older one, unless somebody else does that at this moment, who is not waited for. Whether it is done.
    ///
    /// Whoever has opened the file before still writes to it, and so to the older one.
    fn turn_over(&self, newer: &Path, older: &Path) -> io::Result<bool> {
        let Some(_lock) = storage::try_lock(&self.directory.join(name::LOCK))? else {
            return Ok(false);
        };
        match newer.symlink_metadata() {
            Ok(full) if full.len() > BYTES_KEPT => fs::rename(newer, older)?,
            // Somebody else was faster.
            _ => {}
        }
        Ok(true)
    }

    /// Removes the files of services that were not stopped for the longest time.
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if name::service_in(&entry.file_name()).is_some() {
                if let Ok(metadata) = entry.metadata() {
                    files.push((metadata.modified()?, entry.path()));
                }
            }
        }
        files.sort_unstable_by(|a, b| b.cmp(a));
        for (_, file) in files.iter().skip(FILES_KEPT) {
            match fs::remove_file(file) {
                // Another process removes them as well.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        Ok(())
    }
}

fn failure(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::History { path, source }
}

#[cfg(test)]
mod tests;
