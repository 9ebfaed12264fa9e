//! The stop reports that are kept: [`History`].
//!
//! One directory for each service, one JSON file for each report. A report is complete or not there: it is written under another
//! name first, so that it can be read while others write, and a crash leaves at most a file that the next one removes.

mod name;
mod reading;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use winddown_core::report::{StopReport, Verdict};
use winddown_sys::storage;

use crate::error::Error;

pub use reading::{Found, Kept, Skipped};

/// How many reports of a service are kept; older ones are removed.
pub const REPORTS_KEPT: usize = 50;
/// How many services have their reports kept; those that were stopped the longest ago are removed.
const SERVICES_KEPT: usize = 4_096;
/// The largest report that is kept, in bytes.
const LARGEST: u64 = 4 << 20;
/// The least time between two waits for the disk: a thousand services that are forced at once do not wait a thousand times.
const SYNC_GAP: Duration = Duration::from_secs(1);
/// After this a file that is not finished was left by a crash.
const ABANDONED: Duration = Duration::from_secs(60);

/// Stop reports, the newest of each service. Any number of processes may write and read at once.
#[derive(Debug)]
pub struct History {
    directory: PathBuf,
    synced: Option<Instant>,
    services_pruned: bool,
}

impl History {
    /// The history in a state directory, which need not be there yet.
    #[must_use]
    pub fn new(state_directory: &Path) -> Self {
        Self {
            directory: state_directory.join("history"),
            synced: None,
            services_pruned: false,
        }
    }

    /// Where the reports are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Keeps a report, and removes those of the service that are too many.
    ///
    /// After a loss of power, reports of graceful stops of the last half minute may be missing or empty: the disk is not waited
    /// for while a stop is under way that does well. Of the other verdicts, the first in a second is waited for.
    ///
    /// # Errors
    /// [`Error::History`] when the directory is not this user's alone, or when the report cannot be written there.
    pub fn add(&mut self, report: &StopReport) -> Result<(), Error> {
        let json = serde_json::to_vec_pretty(report).expect("reports are plain data");
        if json.len() as u64 > LARGEST {
            let too_large = io::Error::new(io::ErrorKind::FileTooLarge, "the report is too large");
            return Err(failure(&self.directory)(too_large));
        }
        let directory = self.directory.join(name::of_service(&report.service));
        let create = |path: &Path| storage::create_private_directory(path).map_err(failure(path));
        create(&self.directory)?;
        let is_new = create(&directory)?;
        let sync = report.verdict != Verdict::Graceful
            && self.synced.is_none_or(|last| last.elapsed() >= SYNC_GAP);
        let id = name::of_report(report);
        write(&directory, &id, &json, sync).map_err(failure(&directory))?;
        if sync {
            self.synced = Some(Instant::now());
        }
        prune_reports(&directory, &id).map_err(failure(&directory))?;
        // Once is enough for what one process adds, and a thousand services that end at once need not look a thousand times.
        if is_new && !self.services_pruned {
            self.services_pruned = true;
            prune_services(&self.directory).map_err(failure(&self.directory))?;
        }
        Ok(())
    }
}

fn failure(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::History { path, source }
}

fn write(directory: &Path, id: &str, json: &[u8], sync: bool) -> io::Result<()> {
    let unfinished = directory.join(name::unfinished(id));
    let written = (|| {
        let mut file = storage::create_private_file(&unfinished)?;
        file.write_all(json)?;
        if sync {
            file.sync_all()?;
        }
        drop(file);
        fs::rename(&unfinished, directory.join(name::finished(id)))
    })();
    match written {
        Ok(()) if sync => storage::sync_directory(directory),
        Ok(()) => Ok(()),
        Err(error) => {
            let _ = fs::remove_file(&unfinished);
            Err(error)
        }
    }
}

/// Removes the oldest reports of a service, but not the newest, which a clock that was set back may have given an old time.
fn prune_reports(directory: &Path, newest: &str) -> io::Result<()> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match name::id_in(&entry.file_name()) {
            Some(id) if id != newest => ids.push(id),
            None if name::is_unfinished(&entry.file_name()) && is_abandoned(&entry) => {
                remove(&entry.path())?;
            }
            _ => {}
        }
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    for id in ids.iter().skip(REPORTS_KEPT - 1) {
        remove(&directory.join(name::finished(id)))?;
    }
    Ok(())
}

/// Removes the services that were not stopped for the longest time.
fn prune_services(history: &Path) -> io::Result<()> {
    let mut services = Vec::new();
    for entry in fs::read_dir(history)? {
        let entry = entry?;
        if let Ok(metadata) = entry.metadata() {
            services.push((metadata.modified()?, entry.path()));
        }
    }
    services.sort_unstable_by(|a, b| b.cmp(a));
    for (_, service) in services.iter().skip(SERVICES_KEPT) {
        for entry in fs::read_dir(service)? {
            let entry = entry?;
            if name::id_in(&entry.file_name()).is_some() {
                remove(&entry.path())?;
            }
        }
        // It stays where somebody has just written to it.
        let _ = fs::remove_dir(service);
    }
    Ok(())
}

fn is_abandoned(entry: &fs::DirEntry) -> bool {
    let age = entry
        .metadata()
        .and_then(|metadata| metadata.modified())
        .map(|modified| {
            SystemTime::now()
                .duration_since(modified)
                .unwrap_or_default()
        });
    age.is_ok_and(|age| age > ABANDONED)
}

/// Removes a file that another process may be removing as well.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
