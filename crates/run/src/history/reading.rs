//! Reading the history, also while others write to it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use winddown_core::report::StopReport;

use super::{History, LARGEST, failure, name};
use crate::error::Error;

/// A report that was kept.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Kept {
    /// Its identifier, which sorts by time.
    pub id: String,
    /// The report.
    pub report: StopReport,
}

/// A file in the place of a report that is none.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Skipped {
    /// The file.
    pub file: PathBuf,
    /// Why it is not a report.
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
    /// [`Error::History`] when a directory is there and cannot be read. A file that cannot is in [`Found::skipped`].
    pub fn newest(&self, service: Option<&str>, count: usize) -> Result<Found, Error> {
        let mut files = self.files(service)?;
        files.sort_unstable_by(|a, b| b.cmp(a));
        let mut found = Found::default();
        for (id, file) in files {
            if found.reports.len() == count {
                break;
            }
            found.read(id, file);
        }
        Ok(found)
    }

    /// The report of this identifier, if it is there; in [`Found::skipped`] if it cannot be read.
    ///
    /// # Errors
    /// As [`newest`](Self::newest).
    pub fn find(&self, service: Option<&str>, id: &str) -> Result<Found, Error> {
        let mut found = Found::default();
        for (_, file) in self
            .files(service)?
            .into_iter()
            .filter(|(found, _)| found == id)
        {
            found.read(id.to_owned(), file);
        }
        Ok(found)
    }

    /// Identifier and path of each report.
    fn files(&self, service: Option<&str>) -> Result<Vec<(String, PathBuf)>, Error> {
        let services = match service {
            Some(service) => vec![self.directory.join(name::of_service(service))],
            None => list(&self.directory)?,
        };
        let mut files = Vec::new();
        for service in services {
            for file in list(&service)? {
                if let Some(id) = file.file_name().and_then(name::id_in) {
                    files.push((id, file));
                }
            }
        }
        Ok(files)
    }
}

impl Found {
    fn read(&mut self, id: String, file: PathBuf) {
        match read(&file) {
            Ok(report) => self.reports.push(Kept { id, report }),
            // Removed since it was listed: there are enough newer ones.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.skipped.push(Skipped {
                file,
                why: error.to_string(),
            }),
        }
    }
}

/// What is in a directory; nothing where there is none.
fn list(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(directory) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        entries => entries.map_err(failure(directory))?,
    };
    entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .map_err(failure(directory))
}

fn read(file: &Path) -> io::Result<StopReport> {
    // Whoever else may write here: a pipe is not waited for.
    if !file.symlink_metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut json = Vec::new();
    File::open(file)?.take(LARGEST + 1).read_to_end(&mut json)?;
    if json.len() as u64 > LARGEST {
        return Err(io::Error::other("it is too large for a report"));
    }
    serde_json::from_slice(&json).map_err(io::Error::other)
}
