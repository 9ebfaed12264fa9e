//! A log file that is rotated, and found again when somebody moves it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use winddown_sys::file::is_at;

use super::archive::{directory, next_name};
use super::notices::Notices;
use super::options::Rotation;
use super::outlet::Store;
use super::tidy::Tidier;

/// By how much a line may make a file longer than it should be before it is split after all.
const OVERRUN: u64 = 1024 * 1024;

/// The pause after a rotation that failed; the file grows meanwhile.
const ROTATE_AGAIN: Duration = Duration::from_secs(5);

/// Tells the wall-clock time; tests have their own.
pub(crate) type Now = fn() -> Timestamp;

pub(crate) struct FileStore {
    path: PathBuf,
    rotation: Rotation,
    tidier: Tidier,
    notices: Arc<Notices>,
    now: Now,
    open: Option<Open>,
    /// Not before this is a rotation tried again.
    rotate_after: Option<Instant>,
    tidied: bool,
}

struct Open {
    file: File,
    size: u64,
    /// The number of the period that it belongs to.
    period: i64,
    line_open: bool,
    /// Whether something was written that may not be on the disk.
    unsynced: bool,
}

impl FileStore {
    pub(crate) fn new(
        path: PathBuf,
        rotation: Rotation,
        tidier: Tidier,
        notices: Arc<Notices>,
        now: Now,
    ) -> Self {
        Self {
            path,
            rotation,
            tidier,
            notices,
            now,
            open: None,
            rotate_after: None,
            tidied: false,
        }
    }

    fn period(&self, at: Timestamp) -> i64 {
        let Some(every) = self.rotation.every else {
            return 0;
        };
        let every = i64::try_from(every.as_secs()).unwrap_or(i64::MAX).max(1);
        at.as_second().div_euclid(every)
    }

    /// The open file, opened anew when it is not where it belongs any more.
    fn opened(&mut self) -> io::Result<&mut Open> {
        if let Some(open) = &self.open {
            if !is_at(&open.file, &self.path) {
                self.open = None;
            }
        }
        if self.open.is_none() {
            self.open = Some(self.open_file()?);
            if !self.tidied {
                self.tidied = true;
                self.tidy();
            }
        }
        Ok(self.open.as_mut().expect("it was opened"))
    }

    fn open_file(&self) -> io::Result<Open> {
        // Whether it is a file is asked first: opening a named pipe would wait for its reader.
        if fs::metadata(&self.path).is_ok_and(|metadata| !metadata.is_file()) {
            let what = "it is not a regular file; use `to` for anything else";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        fs::create_dir_all(directory(&self.path))?;
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .open(&self.path)?;
        let metadata = file.metadata()?;
        let size = metadata.len();
        let written = match size {
            0 => None,
            _ => Timestamp::try_from(metadata.modified()?).ok(),
        };
        Ok(Open {
            size,
            period: self.period(written.unwrap_or_else(self.now)),
            line_open: size > 0 && last_byte(&mut file)? != b'\n',
            unsynced: false,
            file,
        })
    }

    fn tidy(&self) {
        self.tidier.tidy(&self.path, &self.rotation, &self.notices);
    }

    /// Sets the file aside. If that fails, writing goes on in it.
    fn set_aside(&mut self) {
        if self.rotate_after.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let trouble = format!("cannot rotate {}", self.path.display());
        // Closed first: not every system renames a file that is open.
        self.open = None;
        let renamed = next_name(&self.path, (self.now)())
            .and_then(|name| fs::rename(&self.path, name))
            .or_else(|error| match error.kind() {
                // Somebody else has moved it.
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            });
        match renamed {
            Ok(()) => {
                self.rotate_after = None;
                self.notices.ends(&trouble, || {
                    format!("{} is rotated again", self.path.display())
                });
                self.tidy();
            }
            Err(error) => {
                self.rotate_after = Some(Instant::now() + ROTATE_AGAIN);
                self.notices.begins(&trouble, || {
                    format!("{error}; it grows, and this is tried again")
                });
            }
        }
    }
}

fn last_byte(file: &mut File) -> io::Result<u8> {
    let mut byte = [b'\n'];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// How much of `bytes` goes into `open`, which should not grow beyond `limit` bytes; `None` when a new file must be begun first,
/// also because this one is `due`. What is written ends with a line, if a line does not make a file far too long.
fn share(bytes: &[u8], open: &Open, limit: u64, due: bool) -> Option<usize> {
    let is_end = |byte: &u8| *byte == b'\n';
    let room = match due {
        true => 0,
        false => limit.saturating_sub(open.size),
    };
    if bytes.len() as u64 <= room {
        return Some(bytes.len());
    }
    let fitting = &bytes[..usize::try_from(room).unwrap_or(usize::MAX)];
    if let Some(last) = fitting.iter().rposition(is_end) {
        return Some(last + 1);
    }
    if open.size > 0 && (!open.line_open || open.size > limit.saturating_add(OVERRUN)) {
        return None;
    }
    // A line that is longer than the file should be, or the rest of one.
    let end = bytes.iter().position(is_end);
    Some(end.map_or(bytes.len(), |end| end + 1))
}

impl Store for FileStore {
    fn begin(&mut self) -> io::Result<()> {
        self.opened().map(|_| ())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let period = self.period((self.now)());
        let limit = self.rotation.size.unwrap_or(u64::MAX);
        let mut share = {
            let open = self.opened()?;
            share(bytes, open, limit, open.size > 0 && period > open.period)
        };
        if share.is_none() {
            self.set_aside();
            let open = self.opened()?;
            // One that could not be set aside grows.
            let is_new = open.size == 0;
            share = is_new
                .then(|| self::share(bytes, open, limit, false))
                .flatten();
        }
        let open = self.opened()?;
        if open.size == 0 {
            open.period = period;
        }
        let count = open.file.write(&bytes[..share.unwrap_or(bytes.len())])?;
        open.size += count as u64;
        open.unsynced = true;
        if count > 0 {
            open.line_open = bytes[count - 1] != b'\n';
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(open) = self.open.as_mut().filter(|open| open.unsynced) {
            open.file.sync_all()?;
            open.unsynced = false;
        }
        Ok(())
    }

    fn rotate(&mut self) {
        // Where there is no file yet there is nothing to set aside; an error shows with the next write.
        if matches!(self.opened(), Ok(open) if open.size > 0) {
            self.rotate_after = None;
            self.set_aside();
        }
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicI64, Ordering};

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    struct Bench {
        directory: TempDir,
        told: Arc<Mutex<Vec<String>>>,
        store: FileStore,
    }

    fn bench(rotation: Rotation, now: Now) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let warn = move |_: &str, text: &str| log.lock().unwrap().push(text.to_owned());
        let store = FileStore::new(
            directory.path().join("logs/a.log"),
            rotation,
            Tidier::default(),
            Arc::new(Notices::new("a", Arc::new(warn))),
            now,
        );
        Bench {
            directory,
            told,
            store,
        }
    }

    impl Bench {
        fn write(&mut self, mut bytes: &[u8]) {
            while !bytes.is_empty() {
                let count = self.store.write(bytes).unwrap();
                bytes = &bytes[count..];
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join("logs").join(name)
        }

        /// The contents of all files of the log, oldest first.
        fn files(&self) -> Vec<Vec<u8>> {
            let mut paths: Vec<_> = fs::read_dir(self.path(""))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect();
            // The present file is the newest.
            paths.sort_by_key(|path| (path.ends_with("a.log"), path.clone()));
            paths.iter().map(|path| fs::read(path).unwrap()).collect()
        }
    }

    fn size(size: u64) -> Rotation {
        Rotation {
            size: Some(size),
            ..Rotation::default()
        }
    }

    #[test]
    fn wd_152_a_file_is_full_at_a_line_end() {
        let mut bench = bench(size(10), Timestamp::now);
        bench.write(b"one\ntwo\nthree\n");
        bench.write(b"four\na line that is longer\nfive");
        bench.write(b"\nsix\n");
        let files = bench.files();
        let expected: [&[u8]; 5] = [
            b"one\ntwo\n",
            b"three\n",
            b"four\n",
            b"a line that is longer\n",
            b"five\nsix\n",
        ];
        assert_eq!(files, expected);
    }

    #[test]
    fn a_line_without_end_is_split_in_the_end() {
        let mut bench = bench(size(10), Timestamp::now);
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..40 {
            bench.write(&piece);
        }
        let files = bench.files();
        assert_eq!(files.concat().len(), 40 * piece.len());
        assert!(files.len() > 1);
        let most = 10 + OVERRUN as usize + piece.len();
        assert!(files.iter().all(|file| file.len() <= most));
    }

    #[test]
    fn an_open_line_of_an_earlier_run_is_not_torn() {
        let mut bench = bench(size(10), Timestamp::now);
        fs::create_dir(bench.path("")).unwrap();
        fs::write(bench.path("a.log"), "0123456789 and").unwrap();
        bench.write(b" on\nnext\n");
        let expected: [&[u8]; 2] = [b"0123456789 and on\n", b"next\n"];
        assert_eq!(bench.files(), expected);
    }

    #[test]
    fn a_new_period_begins_a_new_file_with_the_first_output() {
        static SECONDS: AtomicI64 = AtomicI64::new(0);
        fn now() -> Timestamp {
            Timestamp::from_second(SECONDS.load(Ordering::Relaxed)).unwrap()
        }
        let day = Duration::from_secs(86_400);
        let daily = Rotation {
            every: Some(day),
            ..Rotation::default()
        };
        let mut bench = bench(daily, now);
        let set = |text: &str| {
            let time: Timestamp = text.parse().unwrap();
            SECONDS.store(time.as_second(), Ordering::Relaxed);
        };
        set("2026-11-22T22:00:00Z");
        bench.store.begin().unwrap();
        // What is still empty begins with the first output.
        set("2026-11-23T22:00:00Z");
        bench.write(b"evening\n");
        set("2026-11-23T23:59:59Z");
        bench.write(b"late\nopen");
        set("2026-11-24T00:00:00Z");
        // The line that is open at midnight is not torn.
        bench.write(b" line\nearly\n");
        set("2026-11-24T23:00:00Z");
        bench.write(b"all day\n");
        set("2026-11-27T01:00:00Z");
        bench.write(b"next\n");
        let expected: [&[u8]; 3] = [
            b"evening\nlate\nopen line\n",
            b"early\nall day\n",
            b"next\n",
        ];
        assert_eq!(bench.files(), expected);
        assert!(bench.path("a.log.2026-11-24T000000.000Z").exists());
        assert!(bench.path("a.log.2026-11-27T010000.000Z").exists());
    }

    #[test]
    fn a_file_of_an_earlier_period_is_set_aside_at_the_start() {
        let hourly = Rotation {
            every: Some(Duration::from_secs(3_600)),
            ..Rotation::default()
        };
        let mut bench = bench(hourly, Timestamp::now);
        fs::create_dir(bench.path("")).unwrap();
        fs::write(bench.path("a.log"), "old\n").unwrap();
        let old = File::options()
            .write(true)
            .open(bench.path("a.log"))
            .unwrap();
        let long_ago = std::time::SystemTime::now() - Duration::from_secs(7_200);
        old.set_modified(long_ago).unwrap();
        bench.write(b"new\n");
        let expected: [&[u8]; 2] = [b"old\n", b"new\n"];
        assert_eq!(bench.files(), expected);
    }

    #[test]
    fn wd_151_a_file_that_somebody_moved_is_begun_anew() {
        let mut bench = bench(Rotation::default(), Timestamp::now);
        bench.write(b"one\n");
        fs::rename(bench.path("a.log"), bench.path("a.log.moved")).unwrap();
        bench.write(b"two\n");
        assert_eq!(fs::read(bench.path("a.log.moved")).unwrap(), b"one\n");
        assert_eq!(fs::read(bench.path("a.log")).unwrap(), b"two\n");
    }

    #[test]
    fn a_rotation_on_demand_leaves_no_empty_file() {
        let mut bench = bench(Rotation::default(), Timestamp::now);
        bench.store.rotate();
        bench.write(b"one\n");
        bench.store.rotate();
        bench.store.rotate();
        bench.write(b"two\n");
        let expected: [&[u8]; 2] = [b"one\n", b"two\n"];
        assert_eq!(bench.files(), expected);
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let mut bench = bench(Rotation::default(), Timestamp::now);
        fs::create_dir_all(bench.path("a.log")).unwrap();
        assert_eq!(
            bench.store.write(b"one\n").unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
        assert!(bench.told.lock().unwrap().is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn wd_151_the_files_are_the_bytes(
            writes in prop::collection::vec(prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n')], 1..40), 1..30),
            limit in 1u64..60,
        ) {
            let mut bench = bench(size(limit), Timestamp::now);
            for write in &writes {
                bench.write(write);
            }
            let files = bench.files();
            prop_assert_eq!(files.concat(), writes.concat());
            for (at, file) in files.iter().enumerate() {
                let last = file.split_inclusive(|byte| *byte == b'\n').next_back();
                let before_it = file.len() - last.map_or(0, <[u8]>::len);
                prop_assert!(before_it as u64 <= limit, "{file:?}");
                prop_assert!(at + 1 == files.len() || file.ends_with(b"\n"), "{file:?}");
            }
        }
    }
}
