//! [`Events`]: a subscription to a service's events, and the queue behind it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(feature = "tokio")]
use winddown_sys::Watch;
use winddown_sys::{Wake, wait_any};

use crate::event::Event;
use crate::runtime::Runtime;

/// How many events a subscriber may leave unread; past it, all but stops are counted and dropped.
pub(crate) const CAPACITY: usize = 4_096;

/// How many events a queue has room for from the start.
const ROOM: usize = 8;

/// A subscription to a service's events, in order. Dropping it ends it (WD-16).
///
/// As an iterator it blocks for each event and ends after [`Event::Stop`]. The first subscription also gets what arrived
/// before it (WD-10); every subscription made after a stop was asked for sees that stop.
pub struct Events {
    runtime: Arc<Runtime>,
    queue: Arc<Queue>,
    ended: bool,
    #[cfg(feature = "tokio")]
    watch: Option<Watch>,
}

impl Events {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Result<Self, crate::Error> {
        Self::on(runtime, Queue::new(false)?)
    }

    /// The stop alone, for a token.
    #[cfg(feature = "tokio")]
    pub(crate) fn of_the_stop(runtime: Arc<Runtime>) -> Result<Self, crate::Error> {
        Self::on(runtime, Queue::new(true)?)
    }

    fn on(runtime: Arc<Runtime>, queue: Queue) -> Result<Self, crate::Error> {
        let queue = Arc::new(queue);
        runtime.subscribe(&queue);
        Ok(Self {
            runtime,
            queue,
            ended: false,
            #[cfg(feature = "tokio")]
            watch: None,
        })
    }

    /// Waits at most `timeout` for the next event; `None` when there was none, or after the stop.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Event> {
        let until = self.runtime.now() + timeout;
        loop {
            if let Some(event) = self.try_next() {
                return Some(event);
            }
            let left = until.since(self.runtime.now());
            if left.is_zero() || self.ended {
                return None;
            }
            self.wait(Some(left));
        }
    }

    /// The next event if there is one; never blocks.
    pub fn try_next(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        let event = self.queue.pop().or_else(|| {
            // A signal handler may just have run on this very thread: look before the runtime's own thread does.
            self.runtime.pump();
            self.queue.pop()
        })?;
        self.ended = matches!(event, Event::Stop(_));
        Some(event)
    }

    /// How many events were dropped because this subscriber did not read them.
    #[must_use]
    pub fn missed(&self) -> u32 {
        self.queue.missed.load(Ordering::Relaxed)
    }

    /// Who comes here to wait is alive (WD-58). Who waits already is asked to come again: see [`Queue::ask`].
    fn show_life(&self) {
        if !self.queue.stop_only {
            self.runtime.say_alive();
        }
    }

    fn wait(&self, timeout: Option<Duration>) {
        self.show_life();
        if self.queue.will_wait() {
            let _first = self.runtime.look_first();
            let _ = wait_any(&[&self.queue.wake], timeout);
        }
    }
}

impl Iterator for Events {
    type Item = Event;

    /// Blocks until the next event; `None` after the stop.
    fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.try_next() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            self.wait(None);
        }
    }
}

#[cfg(feature = "tokio")]
impl Events {
    /// Waits for the next event without blocking the thread; `None` after the stop.
    ///
    /// # Cancel safety
    /// An event is taken only when it is returned, so none is lost if the future is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime, or within one that has no I/O.
    pub async fn next_async(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.try_next() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            self.show_life();
            self.watch = match self.watch.take() {
                Some(watch) if watch.is_of_this_runtime() => Some(watch),
                _ => self.runtime.watch(),
            };
            tokio::select! {
                () = self.queue.told.notified() => {}
                () = arrived(self.watch.as_ref()) => {}
            }
        }
    }
}

#[cfg(feature = "tokio")]
async fn arrived(watch: Option<&Watch>) {
    match watch {
        Some(watch) => watch.arrived().await,
        None => std::future::pending().await,
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.runtime.unsubscribe(&self.queue);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("missed", &self.missed())
            .finish_non_exhaustive()
    }
}

/// What one subscriber has not read yet.
pub(crate) struct Queue {
    unread: Mutex<Unread>,
    wake: Wake,
    /// The wake of a subscriber that is a task.
    #[cfg(feature = "tokio")]
    told: tokio::sync::Notify,
    missed: AtomicU32,
    /// Whether this takes nothing but the stop: neither what was kept for the first subscriber, nor a part in the program's life.
    pub(crate) stop_only: bool,
}

struct Unread {
    events: VecDeque<Event>,
    /// Whether the subscriber waits for the wake. One that finds an event on its own way back from the system needs none.
    waited_for: bool,
    /// Whether the wake is set.
    woken: bool,
}

impl Queue {
    fn new(stop_only: bool) -> Result<Self, crate::Error> {
        Ok(Self {
            unread: Mutex::new(Unread {
                // Room for what comes, so that a stop is not held up by memory that was never touched.
                events: VecDeque::with_capacity(ROOM),
                waited_for: false,
                woken: false,
            }),
            wake: Wake::new()?,
            #[cfg(feature = "tokio")]
            told: tokio::sync::Notify::new(),
            missed: AtomicU32::new(0),
            stop_only,
        })
    }

    pub(crate) fn push(&self, event: Event) {
        let is_stop = matches!(event, Event::Stop(_));
        if self.stop_only && !is_stop {
            return;
        }
        let mut unread = self.unread();
        if unread.events.len() >= CAPACITY && !is_stop {
            self.missed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        unread.events.push_back(event);
        self.wake_up(&mut unread);
    }

    /// Asks whoever waits here for a sign of life: a task that waits may be on an executor that is stuck.
    pub(crate) fn ask(&self) {
        if !self.stop_only {
            self.wake_up(&mut self.unread());
        }
    }

    fn wake_up(&self, unread: &mut Unread) {
        if unread.waited_for && !unread.woken {
            unread.woken = true;
            self.wake.wake();
        }
        #[cfg(feature = "tokio")]
        self.told.notify_one();
    }

    fn pop(&self) -> Option<Event> {
        let mut unread = self.unread();
        unread.waited_for = false;
        if unread.woken {
            unread.woken = false;
            self.wake.clear();
        }
        unread.events.pop_front()
    }

    /// Asks for the wake; whether there is anything to wait for.
    fn will_wait(&self) -> bool {
        let mut unread = self.unread();
        unread.waited_for = unread.events.is_empty();
        unread.waited_for
    }

    fn unread(&self) -> MutexGuard<'_, Unread> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
