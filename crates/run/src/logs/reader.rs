//! The thread that reads the pipes of all services.
//!
//! It never waits for anything but pipes, its commands and the time: what it reads goes into bounded queues.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use winddown_sys::pipe::{Pipes, Read};
use winddown_sys::{Error, Wake};

use super::drain::Drain;
use super::line::Output;
use super::pool::Pool;
use super::queue::Item;
use super::service::{Run, Scratch};
use super::split::Splitter;

/// How long the beginning of a line waits for its end before it goes on alone.
const HOLD: Duration = Duration::from_secs(1);

/// What the reading thread is asked to do.
enum Command {
    Read {
        run: Arc<Run>,
        output: Output,
        pipe: File,
        large: bool,
    },
    Drain {
        run: Arc<Run>,
        drain: Arc<Drain>,
        /// When pipes that are still open are given up.
        close_at: Instant,
        /// When all is given up.
        deadline: Instant,
    },
    Quit,
}

/// The reading thread, as others speak to it.
pub(crate) struct Reader {
    commands: Arc<Mutex<Vec<Command>>>,
    wake: Arc<Wake>,
    /// How many pipes are larger than the system makes them.
    pub(crate) large: Arc<AtomicUsize>,
}

impl Reader {
    pub(crate) fn start(pool: Pool) -> winddown_sys::Result<Self> {
        let wake = Arc::new(Wake::new()?);
        let (commands, large) = (Arc::default(), Arc::default());
        let mut reading = Reading {
            commands: Arc::clone(&commands),
            pipes: Pipes::new(Arc::clone(&wake))?,
            pool,
            large: Arc::clone(&large),
            sources: HashMap::new(),
            next_id: 0,
            holding: VecDeque::new(),
            draining: Vec::new(),
            scratch: Scratch::default(),
        };
        thread::Builder::new()
            .name("winddown-logs".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || while reading.turn() {})
            .map_err(|error| Error::os("starting the thread that reads output", error))?;
        Ok(Self {
            commands,
            wake,
            large,
        })
    }

    fn ask(&self, command: Command) {
        self.commands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(command);
        self.wake.wake();
    }

    /// Reads a pipe of `run` until its end.
    pub(crate) fn read(&self, run: &Arc<Run>, output: Output, pipe: File, large: bool) {
        run.pipe_opened();
        self.ask(Command::Read {
            run: Arc::clone(run),
            output,
            pipe,
            large,
        });
    }

    /// Has all of the output of `run` read and written, until `within` from now at the latest.
    pub(crate) fn drain(&self, run: &Arc<Run>, drain: &Arc<Drain>, within: Duration) {
        let now = Instant::now();
        // What is read last must still be written.
        let to_write = (within / 4).min(Duration::from_secs(1));
        self.ask(Command::Drain {
            run: Arc::clone(run),
            drain: Arc::clone(drain),
            close_at: now + (within - to_write),
            deadline: now + within,
        });
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.ask(Command::Quit);
    }
}

/// A pipe that is read.
struct Source {
    run: Arc<Run>,
    output: Output,
    large: bool,
    splitter: Splitter,
    /// When the line began that has not ended.
    held_since: Option<Instant>,
}

struct Draining {
    run: Arc<Run>,
    drain: Arc<Drain>,
    close_at: Instant,
    deadline: Instant,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Reading,
    /// The pipes that are still open are given up.
    Closing,
    Flushing,
}

/// What the reading thread has.
struct Reading {
    commands: Arc<Mutex<Vec<Command>>>,
    pipes: Pipes,
    pool: Pool,
    large: Arc<AtomicUsize>,
    sources: HashMap<usize, Source>,
    next_id: usize,
    /// Pipes that may hold the beginning of a line, by its age.
    holding: VecDeque<(Instant, usize)>,
    draining: Vec<Draining>,
    scratch: Scratch,
}

impl Reading {
    /// Does what there is to do and waits for more; `false` at the end.
    fn turn(&mut self) -> bool {
        let commands =
            std::mem::take(&mut *self.commands.lock().unwrap_or_else(PoisonError::into_inner));
        for command in commands {
            match command {
                Command::Read {
                    run,
                    output,
                    pipe,
                    large,
                } => self.add(run, output, pipe, large),
                Command::Drain {
                    run,
                    drain,
                    close_at,
                    deadline,
                } => self.draining.push(Draining {
                    run,
                    drain,
                    close_at,
                    deadline,
                    stage: Stage::Reading,
                }),
                Command::Quit => {
                    self.pool.quit();
                    return false;
                }
            }
        }
        let now = Instant::now();
        let next = [
            self.release(now),
            self.advance_drains(now),
            self.pool.relieve(),
        ];
        let next = next.into_iter().flatten().min();
        let timeout = next.map(|next| next.saturating_duration_since(Instant::now()));
        let Self {
            pipes,
            pool,
            large,
            sources,
            holding,
            scratch,
            ..
        } = self;
        pipes.wait(timeout, |id, read| {
            let Some(source) = sources.get_mut(&id) else {
                return;
            };
            match read {
                Read::Data(data) => {
                    source.push(data, scratch, pool);
                    if let (true, None) = (source.splitter.holds(), source.held_since) {
                        let now = Instant::now();
                        source.held_since = Some(now);
                        holding.push_back((now, id));
                    }
                }
                Read::End => {
                    source.flush(scratch, pool);
                    source.end(large);
                    sources.remove(&id);
                }
            }
        });
        true
    }

    fn add(&mut self, run: Arc<Run>, output: Output, pipe: File, large: bool) {
        let source = Source {
            run,
            output,
            large,
            splitter: Splitter::default(),
            held_since: None,
        };
        let id = self.next_id;
        self.next_id += 1;
        match self.pipes.add(id, pipe) {
            Ok(()) => {
                self.sources.insert(id, source);
            }
            Err(error) => {
                source
                    .run
                    .service
                    .notices
                    .begins("cannot read its output", || error.to_string());
                source.end(&self.large);
            }
        }
    }

    /// Lets the beginnings of lines go that have waited for their end, and says when the next has.
    fn release(&mut self, now: Instant) -> Option<Instant> {
        while let Some((since, id)) = self.holding.front().copied() {
            if now < since + HOLD {
                return Some(since + HOLD);
            }
            self.holding.pop_front();
            if let Some(source) = self.sources.get_mut(&id) {
                if source.held_since == Some(since) {
                    source.flush(&mut self.scratch, &self.pool);
                }
            }
        }
        None
    }

    /// Takes each drain a step further, and says when there is more to do.
    fn advance_drains(&mut self, now: Instant) -> Option<Instant> {
        let Self {
            pipes,
            pool,
            sources,
            draining,
            ..
        } = self;
        for drain in draining.iter_mut() {
            if drain.stage == Stage::Reading && now >= drain.close_at {
                drain.stage = Stage::Closing;
                for (id, source) in sources.iter() {
                    if Arc::ptr_eq(&source.run, &drain.run) {
                        drain.run.was_held_open();
                        pipes.finish(*id);
                    }
                }
            }
            if drain.stage != Stage::Flushing && !drain.run.has_open_pipes() {
                drain.stage = Stage::Flushing;
                for outlet in drain.run.service.outlets() {
                    if outlet.request(Item::Flush(Arc::clone(&drain.drain))) {
                        pool.schedule(outlet);
                    } else {
                        pool.hurry(outlet);
                    }
                }
            }
            if now >= drain.deadline {
                drain.drain.give_up();
            }
        }
        draining.retain(|drain| !drain.drain.is_over());
        let next = |drain: &Draining| match drain.stage {
            Stage::Reading => drain.close_at,
            Stage::Closing | Stage::Flushing => drain.deadline,
        };
        draining.iter().map(next).min()
    }
}

impl Source {
    fn push(&mut self, data: &[u8], scratch: &mut Scratch, pool: &Pool) {
        let (run, output, time) = (&self.run, self.output, Timestamp::now());
        let mut went_on = false;
        self.splitter.push(data, |piece| {
            went_on = true;
            run.take(output, time, piece, scratch, pool);
        });
        if went_on {
            // What is held now, if anything, came just now.
            self.held_since = None;
        }
    }

    fn flush(&mut self, scratch: &mut Scratch, pool: &Pool) {
        let (run, output, time) = (&self.run, self.output, Timestamp::now());
        self.splitter
            .flush(|piece| run.take(output, time, piece, scratch, pool));
        self.held_since = None;
    }

    fn end(&self, large: &AtomicUsize) {
        self.run.pipe_closed();
        large.fetch_sub(usize::from(self.large), Ordering::Relaxed);
    }
}
