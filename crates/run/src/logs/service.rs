//! What the parts share about the output of one service.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use super::console::Label;
use super::line::Output;
use super::notices::Notices;
use super::outlet::Outlet;
use super::pool::Pool;
use super::queue::Lost;
use super::tail::Tail;

/// What became of the output of one run of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many bytes the program wrote.
    pub bytes: u64,
    /// How many lines.
    pub lines: u64,
    /// What had to be dropped, as it would have been written, because it could not be written for too long.
    pub dropped: Lost,
    /// How many bytes were not yet written when time was up.
    pub unwritten: u64,
    /// Whether a process that outlived the program held its output open until time was up.
    pub held_open: bool,
    /// What the operator was told about: errors, and that they were over.
    pub warnings: Vec<String>,
}

impl Summary {
    /// What is not as it should be, for people.
    pub(crate) fn troubles(&self) -> impl Iterator<Item = String> {
        let lost = &self.dropped;
        let dropped = (lost.bytes > 0).then(|| {
            format!(
                "of its output {} bytes ({} lines) were dropped",
                lost.bytes, lost.lines
            )
        });
        let unwritten = (self.unwritten > 0).then(|| {
            format!(
                "of its output {} bytes were not written in time",
                self.unwritten
            )
        });
        let held = self
            .held_open
            .then(|| "a process that outlived it held its output open".to_owned());
        let warnings = self
            .warnings
            .iter()
            .map(|warning| format!("logs: {warning}"));
        let troubles: Vec<String> = [dropped, unwritten, held]
            .into_iter()
            .flatten()
            .chain(warnings)
            .collect();
        troubles.into_iter()
    }
}

/// The output of one service, over all runs of its program.
pub(crate) struct Service {
    /// Where it goes: nowhere, to one destination, or standard output to the first and standard error to the last.
    pub(crate) own: Vec<Arc<Outlet>>,
    pub(crate) forward: Option<Forward>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) tail: Mutex<Tail>,
    /// How many runs there were.
    pub(crate) runs: AtomicU64,
}

/// Winddown's own streams, and the name that stands in front.
pub(crate) struct Forward {
    pub(crate) label: Label,
    pub(crate) consoles: Consoles,
}

/// Winddown's own streams.
#[derive(Clone)]
pub(crate) struct Consoles {
    pub(crate) stdout: Arc<Outlet>,
    pub(crate) stderr: Arc<Outlet>,
}

impl Service {
    /// Hands a piece of output to all who want it, and says how many lines it is.
    fn take(
        &self,
        run: u64,
        output: Output,
        time: Timestamp,
        piece: &[u8],
        scratch: &mut Scratch,
        pool: &Pool,
    ) -> u64 {
        let own = match output {
            Output::Stdout => self.own.first(),
            Output::Stderr => self.own.last(),
        };
        if let Some(outlet) = own {
            if outlet.push(output, time, piece, &mut scratch.encoded) {
                pool.schedule(outlet);
            }
        }
        if let Some(Forward { label, consoles }) = &self.forward {
            let outlet = match output {
                Output::Stdout => &consoles.stdout,
                Output::Stderr => &consoles.stderr,
            };
            scratch.labelled.clear();
            label.write(piece, &mut scratch.labelled);
            if outlet.push(output, time, &scratch.labelled, &mut scratch.encoded) {
                pool.schedule(outlet);
            }
        }
        self.tail().push(run, output, time, piece)
    }

    pub(crate) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All destinations.
    pub(crate) fn outlets(&self) -> impl Iterator<Item = &Arc<Outlet>> {
        let consoles = self.forward.iter().map(|forward| &forward.consoles);
        let consoles = consoles.flat_map(|consoles| [&consoles.stdout, &consoles.stderr]);
        self.own.iter().chain(consoles)
    }

    /// What was dropped so far, and how many bytes are not written yet.
    fn missing(&self) -> (Lost, u64) {
        let (mut dropped, mut unwritten) = (Lost::default(), 0);
        for outlet in &self.own {
            let (lost, bytes) = outlet.missing();
            dropped += lost;
            unwritten += bytes as u64;
        }
        (dropped, unwritten)
    }
}

/// The output of one run of a service's program.
pub(crate) struct Run {
    pub(crate) service: Arc<Service>,
    pub(crate) number: u64,
    /// How many of its pipes are open.
    open: AtomicUsize,
    held_open: AtomicBool,
    bytes: AtomicU64,
    lines: AtomicU64,
    /// What had been dropped and told when it began.
    before: (Lost, usize),
}

impl Run {
    pub(crate) fn new(service: &Arc<Service>) -> Self {
        Self {
            service: Arc::clone(service),
            number: service.runs.fetch_add(1, Ordering::Relaxed),
            open: AtomicUsize::new(0),
            held_open: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            lines: AtomicU64::new(0),
            before: (service.missing().0, service.notices.mark()),
        }
    }

    pub(crate) fn take(
        &self,
        output: Output,
        time: Timestamp,
        piece: &[u8],
        scratch: &mut Scratch,
        pool: &Pool,
    ) {
        let lines = self
            .service
            .take(self.number, output, time, piece, scratch, pool);
        self.bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        self.lines.fetch_add(lines, Ordering::Relaxed);
    }

    pub(crate) fn pipe_opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn pipe_closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn has_open_pipes(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// Notes that a pipe was not closed in time.
    pub(crate) fn was_held_open(&self) {
        self.held_open.store(true, Ordering::Relaxed);
    }

    pub(crate) fn summary(&self) -> Summary {
        let (dropped, unwritten) = self.service.missing();
        let (dropped_before, told_before) = self.before;
        Summary {
            bytes: self.bytes.load(Ordering::Relaxed),
            lines: self.lines.load(Ordering::Relaxed),
            dropped: Lost {
                bytes: dropped.bytes - dropped_before.bytes,
                lines: dropped.lines - dropped_before.lines,
            },
            unwritten,
            held_open: self.held_open.load(Ordering::Relaxed),
            warnings: self.service.notices.since(told_before),
        }
    }
}

/// Room to write in, shared by all services.
#[derive(Default)]
pub(crate) struct Scratch {
    encoded: Vec<u8>,
    labelled: Vec<u8>,
}
