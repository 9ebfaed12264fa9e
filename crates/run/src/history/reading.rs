//! Reading the history, also while others write to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::IgnoredAny;
use winddown_core::report::StopReport;

use super::{History, LARGEST, failure, name};
use crate::error::Error;

/// More is not read of a file, which is full long before that.
const LARGEST_FILE: u64 = 4 * LARGEST;
/// A line that is being written is complete after this.
const WRITTEN_WITHIN: Duration = Duration::from_millis(10);

/// A report that was kept.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Kept {
    /// Its identifier, which sorts by time.
    pub id: String,
    /// The report.
    pub report: StopReport,
}

/// A file, or a line of one, in the place of a report that is none.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Skipped {
    /// The file.
    pub file: PathBuf,
    /// Which line, and why it is not a report.
    pub why: String,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "winddown history")]
pub struct Found {
    /// The reports, the newest first.
    pub reports: Vec<Kept>,
    /// What could not be read.
    pub skipped: Vec<Skipped>,
}

impl History {
    /// The newest `count` reports: of one service, or of all together.
    ///
    /// # Errors
    /// [`Error::History`] when the directory is there and cannot be read. A file that cannot is in [`Found::skipped`].
    pub fn newest(&self, service: Option<&str>, count: usize) -> Result<Found, Error> {
        self.read(service, count, |_| true)
    }

    /// The reports of this identifier: one, unless several services have one of it.
    ///
    /// # Errors
    /// As [`newest`](Self::newest).
    pub fn find(&self, service: Option<&str>, id: &str) -> Result<Found, Error> {
        self.read(service, usize::MAX, |found| found == id)
    }

    fn read(
        &self,
        service: Option<&str>,
        count: usize,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Found, Error> {
        // By identifier and service, so that it does no harm to read a report twice: the newer file, and the same as the older one.
        let mut reports = BTreeMap::new();
        let mut skipped = Vec::new();
        let services = match service {
            Some(service) => BTreeSet::from([name::encoded(service)]),
            None => self.services().map_err(failure(&self.directory))?,
        };
        for service in &services {
            for suffix in [name::NEWER, name::OLDER] {
                read_lines(
                    &self.file(service, suffix),
                    &mut skipped,
                    |report: StopReport| {
                        let id = name::of_report(&report);
                        if wanted(&id) {
                            reports.insert((id, service), report);
                        }
                        if reports.len() > count {
                            reports.pop_first();
                        }
                    },
                );
            }
        }
        let newest_first = reports.into_iter().rev();
        Ok(Found {
            reports: newest_first
                .map(|((id, _), report)| Kept { id, report })
                .collect(),
            skipped,
        })
    }

    /// The encoded names of the services of which something is kept.
    fn services(&self) -> io::Result<BTreeSet<String>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if is_not_there(&error) => return Ok(BTreeSet::new()),
            entries => entries?,
        };
        let mut services = BTreeSet::new();
        for entry in entries {
            let file = entry?.file_name();
            services.extend(name::service_in(&file).map(str::to_owned));
        }
        Ok(services)
    }
}

fn is_not_there(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Hands out each report in a file that may not be there.
fn read_lines(file: &Path, skipped: &mut Vec<Skipped>, mut found: impl FnMut(StopReport)) {
    let mut skip = |why| {
        let file = file.to_owned();
        skipped.push(Skipped { file, why });
    };
    let bytes = match read_whole(file) {
        Ok(bytes) => bytes,
        Err(error) if is_not_there(&error) => return,
        Err(error) => return skip(error.to_string()),
    };
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(report) => found(report),
            Err(error) => skip(format!("line {number}: {error}")),
        }
    }
}

/// What is in a file. A last line that is not complete is given time as long as there comes more.
fn read_whole(file: &Path) -> io::Result<Vec<u8>> {
    let mut before = None;
    loop {
        let bytes = read(file)?;
        let last = bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or(&[]);
        let complete = serde_json::from_slice::<IgnoredAny>(last).is_ok();
        if complete || before == Some(bytes.len()) {
            return Ok(bytes);
        }
        before = Some(bytes.len());
        thread::sleep(WRITTEN_WITHIN);
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    // Whoever else may write here: a pipe is not waited for.
    if !file.symlink_metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(file)?
        .take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(io::Error::other("it is too large for a file of reports"));
    }
    Ok(bytes)
}
