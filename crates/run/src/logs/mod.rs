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
mod captured;
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

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use winddown_sys::{Descriptor, Error, Waitable, Wake};

use console::{ConsoleStore, Label};
use file::FileStore;
use notices::Notices;
use outlet::{Encoding, Outlet, Store};
use pool::Pool;
use queue::Item;
use reader::Reader;
use service::{Consoles, Forward, Service};
use system::SystemStore;
use tidy::Tidier;

pub use captured::{Capture, Captured, Streams};
pub use console::ConsoleOptions;
pub use line::{Line, Output};
pub use notices::Warn;
pub use options::{Destination, Files, Format, LogOptions, Rotation};
pub use queue::Lost;
pub use service::Summary;
pub use tail::{News, Subscription};

/// The output of all services of this process.
///
/// As a [`Waitable`] it is ready when a [drain](Capture::drain) is over; see [`Logs::noticed`].
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
        let own: Vec<Arc<Outlet>> = stores(name, options, &self.tidier, &notices)
            .into_iter()
            .map(|(encoding, store)| {
                let notices = Arc::clone(&notices);
                Arc::new(Outlet::new(name, encoding, buffer(options), store, notices))
            })
            .collect();
        for outlet in &own {
            if outlet.request(Item::Begin) {
                self.pool.schedule(outlet);
            }
        }
        let number = self.services.fetch_add(1, Ordering::Relaxed);
        let forward = options.forward.then(|| Forward {
            label: Label::new(name, self.console, number, &self.width),
            consoles: self.consoles().clone(),
        });
        let service = Service {
            own,
            forward,
            notices,
            tail: Mutex::default(),
            runs: AtomicU64::new(0),
        };
        Ok(Some(Captured {
            name: name.to_owned(),
            options: Mutex::new(options.clone()),
            tidier: self.tidier.clone(),
            service: Arc::new(service),
            reader,
            pool: self.pool.clone(),
            drained: Arc::clone(&self.drained),
        }))
    }

    /// Unsets the latch that a drain has set; look at [`Capture::is_drained`] of each that drains, then.
    pub fn noticed(&self) {
        self.drained.clear();
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
}

impl Waitable for Logs {
    fn descriptor(&self) -> Descriptor<'_> {
        self.drained.descriptor()
    }
}

fn buffer(options: &LogOptions) -> usize {
    options.buffer.max(LogOptions::LEAST_BUFFER)
}

/// Where the output of service `name` is written, and how: nowhere, to one place, or standard output to the first and standard
/// error to the last.
fn stores(
    name: &str,
    options: &LogOptions,
    tidier: &Tidier,
    notices: &Arc<Notices>,
) -> Vec<(Encoding, Box<dyn Store>)> {
    match &options.to {
        Destination::Inherit => Vec::new(),
        Destination::SystemLog => vec![(Encoding::Records, Box::new(SystemStore::new(name)))],
        Destination::Files(files) => [Some(&files.file), files.errors_file.as_ref()]
            .into_iter()
            .flatten()
            .map(|path| {
                let store = FileStore::new(
                    path.clone(),
                    files.rotation.clone(),
                    tidier.clone(),
                    Arc::clone(notices),
                    Timestamp::now,
                );
                (Encoding::Text(files.format), Box::new(store) as _)
            })
            .collect(),
    }
}
