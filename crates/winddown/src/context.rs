//! [`Context`]: what the body of a service works with.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use winddown_core::{Input, Mechanism, Phase, State};
use winddown_sys::listen::ListenFd;

use crate::error::{Error, HookResult};
use crate::guard::Guard;
use crate::runtime::Runtime;
use crate::stop::{Stop, StopToken};
use crate::subscription::Events;
use crate::worker::Hook;

/// The service from the inside. Cheap to clone; every method may be called on any thread.
#[derive(Clone)]
pub struct Context {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) start: Arc<StartInfo>,
}

/// What the host gave at the start.
pub(crate) struct StartInfo {
    pub(crate) arguments: Vec<String>,
    pub(crate) sockets: std::sync::Mutex<Vec<ListenFd>>,
}

impl Context {
    /// The arguments that the host started the service with: of a Windows service those of `StartService` without its name,
    /// else the command line without the program.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.start.arguments
    }

    /// Takes the sockets that the host opened for this service (`LISTEN_FDS`); the second call gives none.
    ///
    /// Stop accepting on such a socket, but never `shutdown(2)` it: the host keeps it open for the next start, so that no
    /// connection is refused in between.
    #[must_use]
    pub fn take_sockets(&self) -> Vec<ListenFd> {
        let mut sockets = self
            .start
            .sockets
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut sockets)
    }

    /// Tells the host that the service serves (WD-50). Calling it again is nothing.
    ///
    /// # Errors
    /// [`Error::Stopping`] when a stop was asked for already. Return it from the body: it is no failure.
    pub fn ready(&self) -> Result<(), Error> {
        self.runtime.pump();
        let mut engine = self.runtime.engine();
        if engine.state() >= State::Stopping {
            return Err(Error::Stopping);
        }
        engine.input(&self.runtime, Input::Ready);
        Ok(())
    }

    /// Where the service is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        self.runtime.engine().state()
    }

    /// Says in one line what the service does; shown by `systemctl status`. Line breaks become spaces.
    pub fn status(&self, text: &str) {
        self.runtime.engine().status(text);
    }

    /// Subscribes to the events from now on; a stop that was asked for already comes first (WD-16).
    ///
    /// # Panics
    /// When the process has no file descriptor left for the subscription: see [`Context::subscribe`].
    #[must_use]
    pub fn events(&self) -> Events {
        self.subscribe()
            .expect("a file descriptor for the subscription")
    }

    /// Like [`Context::events`], without the panic.
    ///
    /// # Errors
    /// [`Error::System`] when the process has no file descriptor left.
    pub fn subscribe(&self) -> Result<Events, Error> {
        Events::new(Arc::clone(&self.runtime))
    }

    /// Tells whether a stop was asked for.
    #[must_use]
    pub fn stopping(&self) -> StopToken {
        StopToken {
            runtime: Arc::clone(&self.runtime),
        }
    }

    /// Registers `hook` to run once in `phase` of the stop. `name` and the place of this call stand in the report.
    ///
    /// Hooks run one after the other on a thread of their own; an error or a panic of one is recorded and the next runs
    /// (WD-22).
    ///
    /// # Errors
    /// [`Error::TooLate`] when a stop has gone past `phase`: the hook will not run, so do its work now.
    #[track_caller]
    pub fn on_stop<R: HookResult>(
        &self,
        phase: Phase,
        name: &str,
        hook: impl FnOnce(&Stop) -> R + Send + 'static,
    ) -> Result<(), Error> {
        let hook = Box::new(move |stop: &Stop| hook(stop).into_result());
        self.register(phase, name, Location::caller(), hook)
    }

    pub(crate) fn register(
        &self,
        phase: Phase,
        name: &str,
        place: &'static Location<'static>,
        hook: Hook,
    ) -> Result<(), Error> {
        self.runtime.engine().register(phase, name, place, hook)
    }

    /// Counts a piece of work in flight until the guard is dropped; `name` is its kind, such as `request`.
    #[track_caller]
    pub fn guard(&self, name: &'static str) -> Guard {
        Guard::new(Arc::clone(&self.runtime), (name, Location::caller()))
    }

    /// Says that work advances; while the service starts or stops, the host is asked for more time (WD-40).
    pub fn progress(&self) {
        self.runtime.progress();
    }

    /// Says that the program is alive: feeds the host's watchdog where there is one (WD-58). Waiting for events says it too.
    pub fn alive(&self) {
        self.runtime.say_alive();
    }

    /// Asks this service to stop, and returns at once. `why` stands in the report as the name of who asked.
    pub fn request_stop(&self, why: &str) {
        self.runtime.request(Mechanism::Own, Some(why.to_owned()));
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
