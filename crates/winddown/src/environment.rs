//! [`Environment`]: the world that a service runs in, the real one or a test's.

use std::sync::Arc;

use winddown_core::Clock;
use winddown_core::scm::Scm;

/// The world that a service runs in.
///
/// [`Service::run`](crate::Service::run) uses the real one. Tests make one with [`Environment::simulated`], so that what a
/// service does under the Windows Service Control Manager can be tested on any system.
pub struct Environment {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) scm: Arc<dyn Scm>,
    /// Whether this is the process's own world: its signals, its notify socket, its exit.
    pub(crate) real: bool,
}

impl Environment {
    /// The real world.
    #[must_use]
    pub fn real() -> Self {
        Self {
            clock: Arc::new(winddown_sys::Monotonic),
            scm: Arc::new(winddown_sys::scm::SystemScm),
            real: true,
        }
    }

    /// A world of this Service Control Manager and this clock, without signals, and without end of the process: when the
    /// deadline of a stop passes, the service is reported as ended and its body is left where it hangs.
    #[must_use]
    pub fn simulated(scm: Arc<dyn Scm>, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            scm,
            real: false,
        }
    }
}
