//! The captured output of one service, and of each of its runs.

use std::fs::File;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use winddown_sys::process::Stream;
use winddown_sys::{Error, Wake, pipe};

use super::drain::Drain;
use super::line::Output;
use super::options::{Destination, Format, LogOptions};
use super::pool::Pool;
use super::queue::Item;
use super::reader::Reader;
use super::service::{Run, Service, Summary};
use super::tail::Subscription;
use super::tidy::Tidier;
use super::{buffer, stores};

/// The size of a pipe, so that a program rarely waits even for the reading thread.
const PIPE: usize = 1024 * 1024;

/// How many pipes are made that large. An ordinary user may have 64 MiB of them; beyond it, every new pipe would be tiny
/// (`pipe(7)`, "pipe-user-pages-soft").
const LARGE_PIPES: usize = 32;

/// The captured output of one service, over all runs of its program.
///
/// Dropping it loses nothing: what is still open is read to its end, as long as the [`Logs`](super::Logs) are there.
pub struct Captured {
    pub(super) name: String,
    pub(super) options: Mutex<LogOptions>,
    pub(super) tidier: Tidier,
    pub(super) service: Arc<Service>,
    pub(super) reader: Arc<Reader>,
    pub(super) pool: Pool,
    pub(super) drained: Arc<Wake>,
}

/// What a program is started with.
#[derive(Debug)]
pub struct Streams {
    /// Its standard output.
    pub stdout: Stream,
    /// Its standard error.
    pub stderr: Stream,
}

impl Captured {
    /// Captures the output of one run. Runs may overlap; all go on in the same files.
    ///
    /// Drop the streams when the program has started, or could not be started: its output ends when nobody has them open any more.
    ///
    /// # Errors
    /// [`Error::Os`] when there is no descriptor left.
    pub fn begin(&self) -> Result<(Streams, Capture), Error> {
        let run = Arc::new(Run::new(&self.service));
        let stdout = self.pipe(&run, Output::Stdout)?;
        let stderr = match shares_a_pipe(&self.options()) {
            true => stdout
                .try_clone()
                .map_err(|error| Error::os("duplicating a pipe", error))?,
            false => self.pipe(&run, Output::Stderr)?,
        };
        let streams = Streams {
            stdout: Stream::File(stdout),
            stderr: Stream::File(stderr),
        };
        let capture = Capture {
            run,
            reader: Arc::clone(&self.reader),
            drained: Arc::clone(&self.drained),
            drain: None,
        };
        Ok((streams, capture))
    }

    fn pipe(&self, run: &Arc<Run>, output: Output) -> Result<File, Error> {
        let large = self.reader.large.fetch_add(1, Ordering::Relaxed) < LARGE_PIPES;
        let size = if large { PIPE } else { 0 };
        let pair = pipe::pair(size);
        if !large || pair.is_err() {
            self.reader.large.fetch_sub(1, Ordering::Relaxed);
        }
        let (ours, theirs) = pair?;
        self.reader.read(run, output, ours, large);
        Ok(theirs)
    }

    /// Goes on with other options from what comes now: another file, rotation or buffer. Never blocks. `false`, and nothing has
    /// changed, when only a new start of the program can make them hold: another format or kind of destination.
    pub fn amend(&self, options: &LogOptions) -> bool {
        let mut present = self.options();
        if *present == *options {
            return true;
        }
        if !can_follow(&present, options) {
            return false;
        }
        *present = options.clone();
        let stores = stores(&self.name, options, &self.tidier, &self.service.notices);
        for (outlet, (_, store)) in self.service.own.iter().zip(stores) {
            if outlet.move_to(store, buffer(options)) {
                self.pool.schedule(outlet);
            }
        }
        true
    }

    fn options(&self) -> MutexGuard<'_, LogOptions> {
        self.options.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a new file with what comes now. Never blocks.
    pub fn rotate(&self) {
        for outlet in &self.service.own {
            if outlet.request(Item::Rotate) {
                self.pool.schedule(outlet);
            }
        }
    }

    /// The lines that come from now on, after the last `last` that are kept in memory (up to 64 KiB).
    ///
    /// # Errors
    /// [`Error::Os`] when there is no descriptor left.
    pub fn subscribe(&self, last: usize) -> Result<Subscription, Error> {
        self.service.tail().subscribe(last)
    }
}

/// The captured output of one run.
pub struct Capture {
    run: Arc<Run>,
    reader: Arc<Reader>,
    drained: Arc<Wake>,
    drain: Option<Arc<Drain>>,
}

impl Capture {
    /// The lines of this run that come from now on, without those of runs that overlap.
    ///
    /// # Errors
    /// [`Error::Os`] when there is no descriptor left.
    pub fn subscribe(&self) -> Result<Subscription, Error> {
        self.run.service.tail().subscribe_to(self.run.number)
    }

    /// Begins to read the output of the run to its end, to write it, and to bring it to the disk. Call it when nothing of the
    /// program is left. Never blocks: the [`Logs`](super::Logs) are ready when it is over, at the latest when `within` has passed.
    ///
    /// A pipe that a survivor holds open is given up a little before, with what is in it.
    pub fn drain(&mut self, within: Duration) {
        let destinations = self.run.service.outlets().count();
        let drain = Arc::new(Drain::new(destinations, Arc::clone(&self.drained)));
        self.reader.drain(&self.run, &drain, within);
        self.drain = Some(drain);
    }

    /// Whether a [drain](Self::drain) is over.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.drain.as_ref().is_some_and(|drain| drain.is_over())
    }

    /// What became of the output so far; once it is drained, for good.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.run.summary()
    }
}

/// Whether a program that was started with `before` can go on while its output is treated as `after` wants it.
fn can_follow(before: &LogOptions, after: &LogOptions) -> bool {
    let files = match (&before.to, &after.to) {
        (Destination::Files(before), Destination::Files(after)) => {
            before.format == after.format
                && before.errors_file.is_some() == after.errors_file.is_some()
        }
        (before, after) => before == after,
    };
    files && before.forward == after.forward
}

/// Both streams, in the order in which the program wrote, where nothing needs to know them apart.
fn shares_a_pipe(options: &LogOptions) -> bool {
    match &options.to {
        Destination::Files(files) => {
            files.format == Format::Raw && files.errors_file.is_none() && !options.forward
        }
        Destination::Inherit | Destination::SystemLog => false,
    }
}
