//! The running service: one lock, one order of events, and a thread of its own that no code of the program can hold up.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use winddown_core::report::HookOutcome;
use winddown_core::scm::Control;
use winddown_core::{Arrival, Clock, HookId, Input, Meaning, Mechanism, Origin, Timestamp, Wants};
#[cfg(feature = "tokio")]
use winddown_sys::Watch;
use winddown_sys::record::{self, Level};
use winddown_sys::{FirstLook, Sources, Waitable, Wake, wait_any};

use crate::engine::{Engine, Next};
use crate::error::Error;
use crate::exit::Exit;
use crate::guard::Guards;
use crate::stop::Stop;
use crate::subscription::Queue;

/// Everything that a running service shares between its threads.
pub(crate) struct Runtime {
    pub(crate) guards: Guards,
    wants: Wants,
    clock: Arc<dyn Clock>,
    engine: Mutex<Engine>,
    /// Told when a stop begins, and when the service has finished.
    changed: Condvar,
    /// How many wait for that. Changed under the engine's lock: a stop does not ask the system to wake nobody.
    waiting: AtomicUsize,
    /// Wakes the thread of the runtime.
    wake: Wake,
    /// What was posted from inside this process.
    inbox: Mutex<VecDeque<Posted>>,
    sources: OnceLock<Sources>,
    stopping: AtomicBool,
    /// Whether the host waits for progress: while the service starts or stops.
    advancing: AtomicBool,
    progressed: AtomicBool,
    alive: AtomicBool,
}

/// Something for the engine that came from inside this process.
pub(crate) enum Posted {
    Arrival(Arrival),
    Input(Input),
}

impl Runtime {
    pub(crate) fn new(
        wants: Wants,
        clock: Arc<dyn Clock>,
        engine: Engine,
    ) -> Result<Arc<Self>, Error> {
        let runtime = Arc::new(Self {
            guards: Guards::default(),
            wants,
            clock,
            engine: Mutex::new(engine),
            changed: Condvar::new(),
            waiting: AtomicUsize::new(0),
            wake: Wake::new()?,
            inbox: Mutex::default(),
            sources: OnceLock::new(),
            stopping: AtomicBool::new(false),
            advancing: AtomicBool::new(false),
            progressed: AtomicBool::new(false),
            alive: AtomicBool::new(false),
        });
        let waker: Weak<Self> = Arc::downgrade(&runtime);
        runtime.clock.on_advance(Arc::new(move || {
            if let Some(runtime) = waker.upgrade() {
                runtime.wake.wake();
            }
        }));
        Ok(runtime)
    }

    /// Attaches the sources of requests from outside, once.
    pub(crate) fn attach(&self) -> Result<(), Error> {
        let sources = Sources::attach(self.wants.signals())?;
        let _ = self.sources.set(sources);
        Ok(())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn meaning(&self, mechanism: &Mechanism) -> Option<Meaning> {
        self.wants.meaning(mechanism)
    }

    /// Hands a request to the engine; only notes it, so that a control handler may call this.
    pub(crate) fn arrive(&self, arrival: Arrival) {
        self.inbox().push_back(Posted::Arrival(arrival));
        self.wake.wake();
    }

    /// Notes a control of the SCM; whether the service wants it.
    pub(crate) fn control(&self, control: Control) -> bool {
        let mechanism = Mechanism::Control(control);
        let wanted = self.meaning(&mechanism).is_some();
        if wanted {
            self.request(mechanism, None);
        }
        wanted
    }

    /// Has the thread of the runtime look again at what is due.
    pub(crate) fn kick(&self) {
        self.wake.wake();
    }

    /// Hands an input of the program itself to the engine.
    pub(crate) fn post(&self, input: Input) {
        self.inbox().push_back(Posted::Input(input));
        self.wake.wake();
    }

    /// A request of the program itself, or of the runtime's own making.
    pub(crate) fn request(&self, mechanism: Mechanism, name: Option<String>) {
        self.arrive(Arrival {
            origin: Origin {
                name,
                ..Origin::of(mechanism)
            },
            at: self.now(),
            interactive: false,
        });
    }

    fn inbox(&self) -> MutexGuard<'_, VecDeque<Posted>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine, for one decision.
    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the engine decide about all that has arrived. Any thread may call this.
    pub(crate) fn pump(self: &Arc<Self>) {
        self.pump_locked(&mut self.engine());
    }

    fn pump_locked(self: &Arc<Self>, engine: &mut Engine) {
        for arrival in self.sources.get().map(Sources::drain).unwrap_or_default() {
            engine.arrive(self, &arrival);
        }
        let posted = std::mem::take(&mut *self.inbox());
        for item in posted {
            match item {
                Posted::Arrival(arrival) => engine.arrive(self, &arrival),
                Posted::Input(input) => engine.input(self, input),
            }
        }
    }

    /// The thread of the runtime: decides, keeps time, and ends the service. Returns how it ended.
    pub(crate) fn drive(self: &Arc<Self>) -> Exit {
        if let Some(sources) = self.sources.get() {
            sources.unblock_on_this_thread();
        }
        loop {
            self.wake.clear();
            if let Some(sources) = self.sources.get() {
                sources.clear();
            }
            let (next, unnamed, trouble) = {
                let mut engine = self.engine();
                self.pump_locked(&mut engine);
                let next = engine.tick(self);
                (next, engine.take_unnamed(), engine.take_trouble())
            };
            for asker in unnamed {
                // Soon, while the sender lives; whoever wants the name later finds it there.
                let _ = asker.origin();
            }
            if let Some((service, what)) = trouble {
                record::entry(&service, Level::Warning, record::OTHER, &what);
            }
            match next {
                Next::At(deadline) => self.wait(self.clock.sleep_until(deadline)),
                Next::Finished(ending) => {
                    let exit = ending.exit;
                    ending.write();
                    self.engine().end(self, exit);
                    return exit;
                }
            }
        }
    }

    fn wait(&self, timeout: Option<Duration>) {
        let mut wakes: Vec<&dyn Waitable> = vec![&self.wake];
        if let Some(sources) = self.sources.get() {
            wakes.push(sources.wake());
            wakes.extend(sources.backstop());
        }
        let _ = wait_any(&wakes, timeout);
    }

    /// Has a signal that interrupts the calling thread leave the thread of the runtime alone for a moment: the caller waits,
    /// and pumps as soon as its wait ends.
    pub(crate) fn look_first(&self) -> Option<FirstLook> {
        self.sources.get().map(Sources::look_first)
    }

    /// Notes that work advances, which matters to the host while the service starts or stops.
    pub(crate) fn progress(&self) {
        if self.advancing.load(Ordering::Acquire) && !self.progressed.swap(true, Ordering::AcqRel) {
            self.wake.wake();
        }
    }

    /// Called by the engine under its lock.
    pub(crate) fn set_advancing(&self, advancing: bool) {
        self.advancing.store(advancing, Ordering::Release);
    }

    /// Notes that a hook returned, with the exit code that its error asks for.
    pub(crate) fn hook_finished(&self, id: HookId, outcome: HookOutcome, code: Option<u8>) {
        self.engine().hook_finished(id, self.now(), outcome, code);
        self.progress();
        self.wake.wake();
    }

    /// Whether work has advanced since this was asked last.
    pub(crate) fn take_progress(&self) -> bool {
        self.progressed.swap(false, Ordering::AcqRel)
    }

    /// Says for the program that it is alive.
    pub(crate) fn say_alive(&self) {
        self.alive.store(true, Ordering::Release);
    }

    /// Whether the program was alive since this was asked last: it said so, or it came to wait for events.
    pub(crate) fn take_alive(&self) -> bool {
        self.alive.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn subscribe(self: &Arc<Self>, queue: &Arc<Queue>) {
        self.engine().subscribe(self, queue);
    }

    pub(crate) fn unsubscribe(&self, queue: &Arc<Queue>) {
        self.engine().unsubscribe(queue);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Called by the engine under its lock, once.
    pub(crate) fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
        self.tell_change();
    }

    /// Called by the engine under its lock, once.
    pub(crate) fn set_finished(&self) {
        self.tell_change();
    }

    fn tell_change(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.changed.notify_all();
        }
    }

    fn wait_for_change<'a>(&self, engine: MutexGuard<'a, Engine>) -> MutexGuard<'a, Engine> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let engine = self.changed.wait(engine);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        engine.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stop_deadline(&self) -> Option<Timestamp> {
        self.engine().stop_deadline()
    }

    /// Blocks until a stop was asked for.
    pub(crate) fn wait_for_stop(self: &Arc<Self>) -> Stop {
        let mut engine = self.engine();
        loop {
            if let Some(stop) = engine.stop(self) {
                return stop;
            }
            engine = self.wait_for_change(engine);
        }
    }

    /// Blocks until the service has finished.
    pub(crate) fn wait_for_exit(&self) -> Exit {
        let mut engine = self.engine();
        loop {
            if let Some(exit) = engine.exit() {
                return exit;
            }
            engine = self.wait_for_change(engine);
        }
    }

    /// Lets console handlers return that hold the process alive for the stop.
    pub(crate) fn release_sources(&self) {
        if let Some(sources) = self.sources.get() {
            sources.release();
        }
    }

    /// Lets tasks of the current tokio runtime hear of arrivals without a hop over the thread of the runtime; `None` where that
    /// cannot be, and they hear of events only.
    #[cfg(feature = "tokio")]
    pub(crate) fn watch(&self) -> Option<Watch> {
        self.sources.get()?.watch().ok()
    }
}
