use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use winddown_sys::testing::kill_if;

const VARIABLE: &str = "WINDDOWN_CENSUS";
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);
/// How often in a row nobody must be found: one look misses a process that moves on to a new number during it.
const EMPTY_LOOKS: u32 = 3;

/// Finds every process that a test started and that is still there, wherever it went.
///
/// What the test starts is marked with an environment variable that children inherit, through double forks and new
/// sessions too. Dropping the census kills what is left, so that a failed test leaves nothing behind.
///
/// ```no_run
/// use std::process::Command;
/// use winddown_testkit::Census;
///
/// let census = Census::begin();
/// let mut daemon = Command::new("my-daemon");
/// census.mark(&mut daemon).spawn()?.wait()?;
/// census.assert_empty();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Platforms
/// Linux, and other systems with `/proc/PID/environ`, which `proc_pid_environ(5)` describes.
///
/// # Limitations
/// A process that was started with a cleared environment is not found, nor one whose environment this user may not read,
/// nor a zombie: it runs nothing any more.
#[derive(Debug)]
pub struct Census {
    mark: String,
}

/// A process that outlived its test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// Its number.
    pub pid: u32,
    /// The name of its program, as `/proc/PID/comm` has it: at most 15 bytes.
    pub name: String,
    /// Its command line, the arguments separated by spaces.
    pub command: String,
}

impl Census {
    /// A census with a mark of its own. It holds for the commands given to [`Census::mark`].
    ///
    /// # Panics
    /// Where there is no `/proc/PID/environ`.
    #[must_use]
    pub fn begin() -> Self {
        assert!(
            is_supported(),
            "a census needs /proc/PID/environ, which this system lacks"
        );
        let random = RandomState::new().build_hasher().finish();
        Self {
            mark: format!("{}-{random:016x}", std::process::id()),
        }
    }

    /// Marks what `command` will start.
    pub fn mark<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env(VARIABLE, &self.mark)
    }

    /// The name and value of the variable that marks, for what is not started through a [`Command`].
    #[must_use]
    pub fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.mark)
    }

    /// The marked processes that are there now, by number.
    ///
    /// # Panics
    /// When `/proc` cannot be listed.
    #[must_use]
    pub fn survivors(&self) -> Vec<Survivor> {
        let mut survivors: Vec<_> = fs::read_dir("/proc")
            .expect("/proc can be listed")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| self.has_marked(*pid))
            .map(Survivor::of)
            .collect();
        survivors.sort_unstable_by_key(|survivor| survivor.pid);
        survivors
    }

    /// Kills what every census of this process marked; nothing where there can be none.
    pub(crate) fn kill_all() {
        if is_supported() {
            drop(Self {
                mark: format!("{}-", std::process::id()),
            });
        }
    }

    /// Waits up to 5 s of real time for every marked process to go.
    ///
    /// # Panics
    /// When some are still there then; the message lists them.
    pub fn assert_empty(&self) {
        let left = self.repeat_until_empty(|| {});
        assert!(
            left.is_empty(),
            "{} processes survive: {left:#?}",
            left.len()
        );
    }

    /// Kills every marked process, also those that appear meanwhile, for up to 5 s of real time.
    ///
    /// # Errors
    /// The first answer of the system that a process cannot be killed; [`io::ErrorKind::TimedOut`] when new ones kept
    /// appearing.
    pub fn kill_survivors(&self) -> io::Result<()> {
        let mut refused = Ok(());
        let left = self.repeat_until_empty(|| {
            for survivor in self.survivors() {
                if let Err(error) = kill_if(survivor.pid, || self.has_marked(survivor.pid)) {
                    refused = Err(error);
                }
            }
        });
        match (left.is_empty(), refused) {
            (true, _) => Ok(()),
            (false, Err(error)) => Err(error),
            (false, Ok(())) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn repeat_until_empty(&self, mut action: impl FnMut()) -> Vec<Survivor> {
        let deadline = Instant::now() + PATIENCE;
        let mut empty_looks = 0;
        loop {
            let survivors = self.survivors();
            if survivors.is_empty() {
                empty_looks += 1;
            } else {
                empty_looks = 0;
                action();
            }
            if empty_looks == EMPTY_LOOKS || Instant::now() >= deadline {
                return survivors;
            }
            thread::sleep(PAUSE);
        }
    }

    fn has_marked(&self, pid: u32) -> bool {
        let marked = format!("{VARIABLE}={}", self.mark);
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable.starts_with(marked.as_bytes()))
        })
    }
}

fn is_supported() -> bool {
    Path::new("/proc/self/environ").exists()
}

impl Drop for Census {
    fn drop(&mut self) {
        if let Err(error) = self.kill_survivors() {
            eprintln!("census: cannot kill what is left: {error}");
        }
    }
}

impl Survivor {
    fn of(pid: u32) -> Self {
        let read = |file| {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
            text.trim_end().to_owned()
        };
        Self {
            pid,
            name: read("comm"),
            command: read("cmdline"),
        }
    }
}
