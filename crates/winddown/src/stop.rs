//! [`Stop`], the stop under way, and [`StopToken`], which tells whether there is one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use winddown_core::{Origin, Timestamp};

use crate::asker::Asker;
use crate::runtime::Runtime;

/// The stop under way, as events and hooks see it.
#[derive(Clone)]
pub struct Stop {
    pub(crate) asker: Arc<Asker>,
    pub(crate) deadline: Timestamp,
    pub(crate) runtime: Arc<Runtime>,
}

impl Stop {
    /// Who asked first, and how (WD-12).
    ///
    /// On Linux a sender's name is looked up by whoever calls this first: the program, or the runtime 5 ms after the request. A
    /// sender that ends at once, as `kill(1)` does, has a name only for a program that calls this first of all; its pid and uid
    /// are always there.
    #[must_use]
    pub fn reason(&self) -> &Origin {
        self.asker.origin()
    }

    /// How much time is left: for a hook until the end of its phase, for an event until the end of the stop. Zero once it
    /// has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        let deadline = self
            .runtime
            .stop_deadline()
            .map_or(self.deadline, |end| end.min(self.deadline));
        deadline.since(self.runtime.now())
    }

    /// Says that work advances: the host is asked for more time (WD-40). Cheap enough to call for each piece of work.
    pub fn progress(&self) {
        self.runtime.progress();
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop")
            .field("reason", self.reason())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

/// Tells whether a stop was asked for. Cheap to clone and to ask.
#[derive(Clone)]
pub struct StopToken {
    pub(crate) runtime: Arc<Runtime>,
}

impl StopToken {
    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.runtime.is_stopping()
    }

    /// Blocks until a stop was asked for, and gives it.
    ///
    /// Whoever waits here does not count as alive (WD-58), since any thread may: under a host with a watchdog wait for events
    /// instead, or have the thread that does the work call [`Context::alive`](crate::Context::alive).
    #[must_use]
    pub fn wait(&self) -> Stop {
        self.runtime.wait_for_stop()
    }
}

impl fmt::Debug for StopToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopToken")
            .field("is_stopping", &self.is_stopping())
            .finish()
    }
}
