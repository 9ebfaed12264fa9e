//! The old files of a log: their names, and which of them are kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::options::Rotation;

const STAMP: &str = "%Y-%m-%dT%H%M%S%.3fZ";

/// The ending of a compressed file.
const COMPRESSED: &str = ".gz";
/// The ending of a compressed file that is not finished.
const UNFINISHED: &str = ".gz.unfinished";

/// An old file of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Archive {
    pub(crate) path: PathBuf,
    /// When it was set aside.
    pub(crate) at: Timestamp,
    /// Its size on disk, in bytes.
    pub(crate) size: u64,
    pub(crate) compressed: bool,
}

impl Archive {
    pub(crate) fn compressed_path(&self) -> PathBuf {
        with_ending(&self.path, COMPRESSED)
    }

    pub(crate) fn unfinished_path(&self) -> PathBuf {
        with_ending(&self.path, UNFINISHED)
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// What lies beside a log: its old files, oldest first, and compressed files that were never finished.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    pub(crate) archives: Vec<Archive>,
    pub(crate) unfinished: Vec<PathBuf>,
}

pub(crate) fn beside(log: &Path) -> io::Result<Beside> {
    let mut beside = Beside::default();
    for entry in fs::read_dir(directory(log))? {
        let entry = entry?;
        let path = entry.path();
        match stamp_of(log, &path) {
            Some((_, UNFINISHED)) => beside.unfinished.push(path),
            Some((at, ending)) => beside.archives.push(Archive {
                // One that has gone in between counts nothing.
                size: entry.metadata().map_or(0, |metadata| metadata.len()),
                compressed: ending == COMPRESSED,
                path,
                at,
            }),
            None => {}
        }
    }
    beside
        .archives
        .sort_by(|a, b| (a.at, &a.path).cmp(&(b.at, &b.path)));
    Ok(beside)
}

pub(crate) fn directory(log: &Path) -> &Path {
    match log.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The time and the ending in the name of an old file of `log`.
fn stamp_of(log: &Path, path: &Path) -> Option<(Timestamp, &'static str)> {
    let (log, name) = (log.file_name()?.to_str()?, path.file_name()?.to_str()?);
    let stamp = name.strip_prefix(log)?.strip_prefix('.')?;
    let ending = [UNFINISHED, COMPRESSED, ""]
        .into_iter()
        .find(|ending| stamp.ends_with(ending))?;
    let stamp = &stamp[..stamp.len() - ending.len()];
    let at = DateTime::strptime(STAMP, stamp)
        .ok()?
        .to_zoned(TimeZone::UTC)
        .ok()?
        .timestamp();
    (at.strftime(STAMP).to_string() == stamp).then_some((at, ending))
}

/// The name for a file that is set aside now: later than that of every other, whatever the clock says.
pub(crate) fn next_name(log: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let newest = beside(log)?.archives.last().map(|archive| archive.at);
    let after = newest.and_then(|at| at.checked_add(SignedDuration::from_millis(1)).ok());
    let at = after.map_or(now, |after| after.max(now));
    Ok(with_ending(log, &format!(".{}", at.strftime(STAMP))))
}

/// Which of `archives`, oldest first, are not to be kept.
pub(crate) fn surplus<'a>(
    archives: &'a [Archive],
    rotation: &Rotation,
    now: Timestamp,
) -> &'a [Archive] {
    let too_many = archives
        .len()
        .saturating_sub(rotation.keep.unwrap_or(usize::MAX));
    let age = |archive: &Archive| {
        Duration::try_from(now.duration_since(archive.at)).unwrap_or(Duration::ZERO)
    };
    let too_old = rotation.keep_for.map_or(0, |limit| {
        archives.partition_point(|archive| age(archive) > limit)
    });
    let mut total: u64 = archives.iter().map(|archive| archive.size).sum();
    let mut too_much = 0;
    while too_much < archives.len() && total > rotation.keep_total.unwrap_or(u64::MAX) {
        total -= archives[too_much].size;
        too_much += 1;
    }
    &archives[..too_many.max(too_old).max(too_much)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_says_when_and_is_later_than_all_others() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("orders.log");
        let now = at("2026-11-23T12:00:00.5Z");
        let first = next_name(&log, now).unwrap();
        assert_eq!(
            first.file_name().unwrap(),
            "orders.log.2026-11-23T120000.500Z"
        );
        fs::write(&first, "one").unwrap();
        // The clock was set back.
        let second = next_name(&log, at("2020-01-01T00:00:00Z")).unwrap();
        assert_eq!(
            second.file_name().unwrap(),
            "orders.log.2026-11-23T120000.501Z"
        );
        fs::write(with_ending(&second, COMPRESSED), "two!").unwrap();
        for other in [
            "orders.log",
            "orders.log.1",
            "orders.log.2026-11-23",
            "orders.log.2026-11-23T120000.500Z.bak",
            "other.log.2026-11-23T120000.500Z",
            "orders.log.2026-13-23T120000.500Z",
        ] {
            fs::write(directory.path().join(other), "").unwrap();
        }
        let unfinished = with_ending(&second, UNFINISHED);
        fs::write(&unfinished, "").unwrap();
        let beside = beside(&log).unwrap();
        assert_eq!(beside.unfinished, [unfinished]);
        let found: Vec<_> = beside
            .archives
            .iter()
            .map(|archive| (archive.size, archive.compressed))
            .collect();
        assert_eq!(found, [(3, false), (4, true)]);
    }

    #[test]
    fn wd_157_what_is_kept_is_bounded_by_number_age_and_total() {
        let archives: Vec<Archive> = (1..=5)
            .map(|day| Archive {
                path: format!("{day}").into(),
                at: at(&format!("2026-11-0{day}T00:00:00Z")),
                size: 10,
                compressed: false,
            })
            .collect();
        let now = at("2026-11-06T00:00:00Z");
        let day = Duration::from_secs(86_400);
        for (keep, keep_for, keep_total, surplus_files) in [
            (None, None, None, 0),
            (Some(2), None, None, 3),
            (Some(9), None, None, 0),
            (None, Some(3 * day), None, 2),
            (None, Some(9 * day), None, 0),
            (None, None, Some(29), 3),
            (None, None, Some(30), 2),
            (None, None, Some(0), 5),
            (Some(4), Some(2 * day), Some(40), 3),
        ] {
            let rotation = Rotation {
                keep,
                keep_for,
                keep_total,
                ..Rotation::default()
            };
            assert_eq!(
                surplus(&archives, &rotation, now).len(),
                surplus_files,
                "{rotation:?}"
            );
        }
        let keep_for = Rotation {
            keep_for: Some(day),
            ..Rotation::default()
        };
        assert_eq!(
            surplus(&archives, &keep_for, at("2020-01-01T00:00:00Z")),
            []
        );
    }
}
