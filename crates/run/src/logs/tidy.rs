//! Old files are compressed and removed by a thread of the lowest priority, which is there only while there is work.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use winddown_sys::schedule;

use super::archive::{self, Archive};
use super::notices::Notices;
use super::options::Rotation;

/// A log whose old files are to be looked at.
struct Job {
    log: PathBuf,
    rotation: Rotation,
    notices: Arc<Notices>,
}

#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    works: bool,
}

/// Tidies up behind the writers of all services.
#[derive(Clone, Default)]
pub(crate) struct Tidier(Arc<Mutex<State>>);

impl Tidier {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the old files of `log` compressed and removed, as `rotation` wants it, soon.
    pub(crate) fn tidy(&self, log: &Path, rotation: &Rotation, notices: &Arc<Notices>) {
        let mut state = self.lock();
        if state.jobs.iter().any(|job| job.log == log) {
            return;
        }
        state.jobs.push(Job {
            log: log.to_owned(),
            rotation: rotation.clone(),
            notices: Arc::clone(notices),
        });
        if state.works {
            return;
        }
        let tidier = self.clone();
        // Without a thread it is done after the next rotation.
        state.works = thread::Builder::new()
            .name("winddown-tidy".to_owned())
            .spawn(move || tidier.work())
            .is_ok();
    }

    fn work(&self) {
        schedule::run_in_background();
        loop {
            let mut state = self.lock();
            if state.jobs.is_empty() {
                state.works = false;
                return;
            }
            let job = state.jobs.remove(0);
            drop(state);
            let trouble = format!("cannot tidy up the old files of {}", job.log.display());
            match tidy(&job.log, &job.rotation) {
                Ok(()) => job.notices.ends(&trouble, || {
                    format!("the old files of {} are tidy", job.log.display())
                }),
                Err(error) => job.notices.begins(&trouble, || error.to_string()),
            }
        }
    }
}

fn tidy(log: &Path, rotation: &Rotation) -> io::Result<()> {
    for leftover in archive::beside(log)?.unfinished {
        remove(&leftover)?;
    }
    // Nothing is compressed that is not kept.
    remove_surplus(log, rotation)?;
    if rotation.compress {
        for archive in archive::beside(log)?.archives {
            if !archive.compressed {
                compress(&archive)?;
            }
        }
        // By now they are smaller than they were.
        remove_surplus(log, rotation)?;
    }
    Ok(())
}

fn remove_surplus(log: &Path, rotation: &Rotation) -> io::Result<()> {
    let beside = archive::beside(log)?;
    for archive in archive::surplus(&beside.archives, rotation, Timestamp::now()) {
        remove(&archive.path)?;
    }
    Ok(())
}

/// A crash at any point leaves the file, or its compressed form, or both, and each of them whole.
fn compress(archive: &Archive) -> io::Result<()> {
    let finished = archive.compressed_path();
    if !finished.exists() {
        let unfinished = archive.unfinished_path();
        let mut source = match File::open(&archive.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            source => source?,
        };
        let target = File::create(&unfinished)?;
        target.set_permissions(source.metadata()?.permissions())?;
        let mut encoder = GzEncoder::new(target, Compression::default());
        io::copy(&mut source, &mut encoder)?;
        encoder.finish()?.sync_all()?;
        fs::rename(&unfinished, &finished)?;
    }
    remove(&archive.path)
}

/// That somebody else was first is no error.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn rotation() -> Rotation {
        Rotation {
            compress: true,
            keep: Some(2),
            ..Rotation::default()
        }
    }

    #[test]
    fn wd_157_old_files_are_compressed_and_what_a_crash_left_is_put_right() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("a.log");
        let file = |ending: &str| directory.path().join(format!("a.log.2026-01-0{ending}"));
        fs::write(&log, "now").unwrap();
        fs::write(file("1T000000.000Z"), "too old").unwrap();
        // Cut off after the rename, before the original was removed.
        fs::write(file("2T000000.000Z"), "two").unwrap();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        io::copy(&mut "two".as_bytes(), &mut encoder).unwrap();
        fs::write(file("2T000000.000Z.gz"), encoder.finish().unwrap()).unwrap();
        // Cut off in the middle of compressing.
        fs::write(file("3T000000.000Z"), "three").unwrap();
        fs::write(file("3T000000.000Z.gz.unfinished"), "half").unwrap();
        // And then its original was removed.
        fs::write(file("4T000000.000Z.gz.unfinished"), "half").unwrap();

        let rotation = Rotation {
            keep: Some(3),
            ..rotation()
        };
        tidy(&log, &rotation).unwrap();
        let mut names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "a.log",
                "a.log.2026-01-02T000000.000Z.gz",
                "a.log.2026-01-03T000000.000Z.gz"
            ]
        );
        for (day, text) in [(2, "two"), (3, "three")] {
            let mut read = String::new();
            GzDecoder::new(File::open(file(&format!("{day}T000000.000Z.gz"))).unwrap())
                .read_to_string(&mut read)
                .unwrap();
            assert_eq!(read, text);
        }
    }
}
