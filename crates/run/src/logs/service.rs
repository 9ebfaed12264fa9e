//! What the parts share about the output of one service.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use super::console::Label;
use super::line::Output;
use super::notices::Notices;
use super::outlet::Outlet;
use super::pool::Pool;
use super::queue::Lost;
use super::tail::{Subscription, Tail};

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

/// The output of one service, as its pipes, its readers and its owner know it.
pub(crate) struct Service {
    /// Where it goes: nowhere, to one destination, or standard output to the first and standard error to the last.
    pub(crate) own: Vec<Arc<Outlet>>,
    pub(crate) forward: Option<Forward>,
    pub(crate) notices: Arc<Notices>,
    /// How many pipes of it are open.
    pub(crate) pipes: AtomicUsize,
    state: Mutex<State>,
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

#[derive(Default)]
struct State {
    tail: Tail,
    held_open: bool,
    bytes: u64,
    lines: u64,
    /// What had been dropped at the last summary.
    dropped: Lost,
}

impl Service {
    pub(crate) fn new(
        own: Vec<Arc<Outlet>>,
        forward: Option<Forward>,
        notices: Arc<Notices>,
    ) -> Self {
        Self {
            own,
            forward,
            notices,
            pipes: AtomicUsize::new(0),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a piece of output to all who want it.
    pub(crate) fn take(
        &self,
        output: Output,
        time: Timestamp,
        piece: &[u8],
        scratch: &mut Scratch,
        pool: &Pool,
    ) {
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
        let mut state = self.state();
        state.bytes += piece.len() as u64;
        state.lines += state.tail.push(output, time, piece);
    }

    /// All destinations.
    pub(crate) fn outlets(&self) -> impl Iterator<Item = &Arc<Outlet>> {
        let consoles = self.forward.iter().map(|forward| &forward.consoles);
        let consoles = consoles.flat_map(|consoles| [&consoles.stdout, &consoles.stderr]);
        self.own.iter().chain(consoles)
    }

    pub(crate) fn subscribe(&self, last: usize) -> winddown_sys::Result<Subscription> {
        self.state().tail.subscribe(last)
    }

    /// Notes that its pipes were not closed in time.
    pub(crate) fn held_open(&self) {
        self.state().held_open = true;
    }

    /// The figures since the last [`restart_count`](Self::restart_count).
    pub(crate) fn summary(&self) -> Summary {
        let (dropped, unwritten) = self.missing();
        let state = self.state();
        Summary {
            bytes: state.bytes,
            lines: state.lines,
            dropped: Lost {
                bytes: dropped.bytes - state.dropped.bytes,
                lines: dropped.lines - state.dropped.lines,
            },
            unwritten,
            held_open: state.held_open,
            warnings: self.notices.texts(),
        }
    }

    /// Begins to count anew.
    pub(crate) fn restart_count(&self) {
        let (dropped, _) = self.missing();
        let mut state = self.state();
        (state.bytes, state.lines, state.held_open) = (0, 0, false);
        state.dropped = dropped;
        self.notices.clear();
    }

    fn missing(&self) -> (Lost, u64) {
        let (mut dropped, mut unwritten) = (Lost::default(), 0);
        for outlet in &self.own {
            let (lost, bytes) = outlet.missing();
            dropped += lost;
            unwritten += bytes as u64;
        }
        (dropped, unwritten)
    }

    pub(crate) fn has_open_pipes(&self) -> bool {
        self.pipes.load(Ordering::Relaxed) > 0
    }
}

/// Room to write in, shared by all services.
#[derive(Default)]
pub(crate) struct Scratch {
    encoded: Vec<u8>,
    labelled: Vec<u8>,
}
