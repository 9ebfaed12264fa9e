//! The output of supervised programs: read at once, kept in bounded memory, written to files that rotate, and never a reason for a
//! program to wait.
//!
//! ```text
//! program ─ pipe ─┐                       ┌─ queue ─ file, its old files ─ gzip
//! program ─ pipe ─┼─ one thread reads ────┼─ queue ─ journal, event log
//! program ─ pipe ─┘   and cuts at lines   ├─ queue ─ winddown's own streams
//!                                         └─ the last lines, subscribers
//! ```
//!
//! - One thread reads for all services ([`winddown_sys::pipe`]). Another one writes all files; more are there only while one of them hangs. No
//!   thread is there while nothing is captured.
//! - A program never waits for its log. While a destination cannot be written, what comes is kept in memory, up to
//!   [`LogOptions::buffer`]; beyond it the oldest is dropped, counted, and marked by a line in the log. Writing is tried again and again, with
//!   growing pauses up to 5 s. The operator is told once, and once more when it works again.
//! - Bytes are written as they came, in the order in which they came. Lines of the two streams are never mixed within a line, unless it is longer
//!   than 64 KiB or does not end within a second. Where both go to one raw file they share one pipe, so that even their order is the program's.
//! - A file that was renamed or removed is begun anew (`logrotate`). A file is set aside at the end of a line.

mod archive;
mod console;
mod drain;
mod file;
mod line;
mod notices;
mod options;
mod outlet;
mod pool;
mod queue;
mod reader;
mod service;
mod split;
mod system;
mod tail;
mod tidy;

use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use winddown_sys::process::Stream;
use winddown_sys::{Descriptor, Error, Waitable, Wake, pipe};

use console::{ConsoleStore, Label};
use drain::Drain;
use file::FileStore;
use notices::Notices;
use outlet::{Encoding, Outlet, Store};
use pool::Pool;
use queue::Item;
use reader::Reader;
use service::{Consoles, Forward, Service};
use system::SystemStore;
use tidy::Tidier;

pub use console::ConsoleOptions;
pub use line::{Line, Output};
pub use notices::Warn;
pub use options::{Destination, Files, Format, LogOptions, Rotation};
pub use queue::Lost;
pub use service::Summary;
pub use tail::{News, Subscription};

/// The size of a pipe, so that a program rarely waits even for the reading thread.
const PIPE: usize = 1024 * 1024;

/// How many pipes are made that large. An ordinary user may have 64 MiB of them; beyond it, every new pipe would be tiny
/// (`pipe(7)`, "pipe-user-pages-soft").
const LARGE_PIPES: usize = 32;

/// The output of all services of this process.
///
/// As a [`Waitable`] it is ready when a [drain](Captured::drain) is over; see [`Logs::noticed`].
pub struct Logs {
    console: ConsoleOptions,
    warn: Warn,
    pool: Pool,
    tidier: Tidier,
    consoles: OnceLock<Consoles>,
    reader: Mutex<Option<Arc<Reader>>>,
    services: AtomicUsize,
    width: Arc<AtomicUsize>,
    drained: Arc<Wake>,
}

impl Logs {
    /// Captures nothing yet, and starts no thread. `warn` hears what an operator must know; it is called on other threads and must
    /// not block.
    ///
    /// # Errors
    /// [`Error::Os`] when the process or the system has no descriptor left.
    pub fn new(console: ConsoleOptions, warn: Warn) -> Result<Self, Error> {
        Ok(Self {
            console,
            warn,
            pool: Pool::default(),
            tidier: Tidier::default(),
            consoles: OnceLock::new(),
            reader: Mutex::new(None),
            services: AtomicUsize::new(0),
            width: Arc::default(),
            drained: Arc::new(Wake::new()?),
        })
    }

    /// Prepares to capture the output of a service; `None` when `options` do not want that. Never blocks: files are opened by
    /// another thread, and a file that cannot be opened is told of like one that cannot be written.
    ///
    /// The first call starts the reading thread. It inherits the signal mask of the caller: attach signals first.
    ///
    /// # Errors
    /// [`Error::Os`] when there is no descriptor or no thread left.
    pub fn open(&self, name: &str, options: &LogOptions) -> Result<Option<Captured>, Error> {
        if !options.captures() {
            return Ok(None);
        }
        let reader = self.reader()?;
        let notices = Arc::new(Notices::new(name, Arc::clone(&self.warn)));
        let own = self.destinations(name, options, &notices);
        for outlet in &own {
            self.request(outlet, Item::Begin);
        }
        let number = self.services.fetch_add(1, Ordering::Relaxed);
        let forward = options.forward.then(|| Forward {
            label: Label::new(name, self.console, number, &self.width),
            consoles: self.consoles().clone(),
        });
        Ok(Some(Captured {
            one_pipe: shares_a_pipe(options),
            service: Arc::new(Service::new(own, forward, notices)),
            reader,
            pool: self.pool.clone(),
            drained: Arc::clone(&self.drained),
            drain: Mutex::new(None),
        }))
    }

    /// Unsets the latch that a drain has set; look at [`Captured::drained`] of each that drains, then.
    pub fn noticed(&self) {
        self.drained.clear();
    }

    fn destinations(
        &self,
        name: &str,
        options: &LogOptions,
        notices: &Arc<Notices>,
    ) -> Vec<Arc<Outlet>> {
        let outlet = |encoding, store: Box<dyn Store>| {
            let buffer = options.buffer.max(LogOptions::LEAST_BUFFER);
            let notices = Arc::clone(notices);
            Arc::new(Outlet::new(name, encoding, buffer, store, notices))
        };
        match &options.to {
            Destination::Inherit => Vec::new(),
            Destination::SystemLog => {
                vec![outlet(Encoding::Records, Box::new(SystemStore::new(name)))]
            }
            Destination::Files(files) => [Some(&files.file), files.errors_file.as_ref()]
                .into_iter()
                .flatten()
                .map(|path| {
                    let store = FileStore::new(
                        path.clone(),
                        files.rotation.clone(),
                        self.tidier.clone(),
                        Arc::clone(notices),
                        Timestamp::now,
                    );
                    outlet(Encoding::Text(files.format), Box::new(store))
                })
                .collect(),
        }
    }

    fn consoles(&self) -> &Consoles {
        self.consoles.get_or_init(|| {
            let console = |output| {
                let notices = Arc::new(Notices::new("winddown", Arc::clone(&self.warn)));
                let store = Box::new(ConsoleStore::new(output));
                let encoding = Encoding::Text(Format::Raw);
                let buffer = LogOptions::BUFFER;
                Arc::new(Outlet::new("winddown", encoding, buffer, store, notices))
            };
            Consoles {
                stdout: console(Output::Stdout),
                stderr: console(Output::Stderr),
            }
        })
    }

    fn reader(&self) -> Result<Arc<Reader>, Error> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = &*reader {
            return Ok(Arc::clone(reader));
        }
        let started = Arc::new(Reader::start(self.pool.clone())?);
        *reader = Some(Arc::clone(&started));
        Ok(started)
    }

    fn request(&self, outlet: &Arc<Outlet>, item: Item) {
        if outlet.request(item) {
            self.pool.schedule(outlet);
        }
    }
}

impl Waitable for Logs {
    fn descriptor(&self) -> Descriptor<'_> {
        self.drained.descriptor()
    }
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

/// The captured output of one service, over all starts of its program.
///
/// Dropping it loses nothing: what is still open is read to its end, as long as the [`Logs`] are there.
pub struct Captured {
    one_pipe: bool,
    service: Arc<Service>,
    reader: Arc<Reader>,
    pool: Pool,
    drained: Arc<Wake>,
    drain: Mutex<Option<Arc<Drain>>>,
}

impl Captured {
    /// Standard output and standard error for a start of the program. What an earlier start still writes is read as well.
    ///
    /// Drop them when the program has started, or could not be started: output ends when nobody has them open any more.
    ///
    /// # Errors
    /// [`Error::Os`] when there is no descriptor left.
    pub fn streams(&self) -> Result<(Stream, Stream), Error> {
        let stdout = self.pipe(Output::Stdout)?;
        let stderr = match self.one_pipe {
            true => stdout
                .try_clone()
                .map_err(|error| Error::os("duplicating a pipe", error))?,
            false => self.pipe(Output::Stderr)?,
        };
        Ok((Stream::File(stdout), Stream::File(stderr)))
    }

    fn pipe(&self, output: Output) -> Result<File, Error> {
        let large = self.reader.large.fetch_add(1, Ordering::Relaxed) < LARGE_PIPES;
        let size = if large { PIPE } else { 0 };
        let pair = pipe::pair(size);
        if !large || pair.is_err() {
            self.reader.large.fetch_sub(1, Ordering::Relaxed);
        }
        let (ours, theirs) = pair?;
        self.reader.read(&self.service, output, ours, large);
        Ok(theirs)
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
        self.service.subscribe(last)
    }

    /// The figures so far, since the last drain.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.service.summary()
    }

    /// Begins to read all output to its end, to write it, and to bring it to the disk. Call it when nothing of the program is left.
    /// Never blocks: the [`Logs`] are ready when it is over, at the latest when `within` has passed.
    ///
    /// A pipe that a survivor holds open is given up before, with what is in it.
    pub fn drain(&self, within: Duration) {
        let destinations = self.service.outlets().count();
        let drain = Arc::new(Drain::new(destinations, Arc::clone(&self.drained)));
        *self.draining() = Some(Arc::clone(&drain));
        self.reader.drain(&self.service, &drain, within);
    }

    /// What became of the output, once a [drain](Self::drain) is over; `None` before. It then counts anew.
    #[must_use]
    pub fn drained(&self) -> Option<Summary> {
        let mut draining = self.draining();
        if !draining.as_ref()?.is_over() {
            return None;
        }
        *draining = None;
        let summary = self.service.summary();
        self.service.restart_count();
        Some(summary)
    }

    fn draining(&self) -> MutexGuard<'_, Option<Arc<Drain>>> {
        self.drain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
