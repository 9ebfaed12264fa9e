//! What a service tells its host, whoever that is: for programs that keep a loop of their own, such as `winddown run`.

mod scm;
mod systemd;

use std::time::Duration;

use winddown_core::{Extension, Mechanism};

use crate::exit::Exit;

pub use scm::{ControlHandler, ScmHost, ScmProgram, ServiceBody};
pub use systemd::SystemdHost;

/// The ear of a host manager. Every call says what is so already; none of them may block.
pub trait Host: Send {
    /// Work on the way to ready advances.
    fn extend_start(&mut self, extension: Extension);
    /// The service serves (WD-50).
    fn running(&mut self);
    /// The start has failed, and is tried again after a while.
    fn retrying(&mut self) {}
    /// The service has paused.
    fn paused(&mut self);
    /// The service reads its configuration again.
    fn reloading(&mut self);
    /// A stop has begun (WD-51); more may be said within `wait`.
    fn stopping(&mut self, wait: Duration);
    /// Work on the way to the end advances (WD-40).
    fn extend_stop(&mut self, extension: Extension);
    /// A line about what the service does.
    fn status(&mut self, text: &str);
    /// The program is alive.
    fn alive(&mut self);
    /// How often the host wants to hear [`Host::alive`] at least; `None` when it does not.
    fn watchdog(&self) -> Option<Duration>;
    /// How long the host lets a stop take that was asked for in this way; `None` where it does not say.
    fn limit(&self, mechanism: &Mechanism) -> Option<Duration>;
    /// What is in the way of telling it anything, for the operator; once (WD-59).
    fn take_trouble(&mut self) -> Option<String> {
        None
    }
    /// The last words (WD-53).
    fn stopped(&mut self, exit: Exit);
}

/// A host that listens to nothing but the end of the process: a console, a plain container, most supervisors.
#[derive(Clone, Copy, Debug)]
pub struct SilentHost;

impl Host for SilentHost {
    fn extend_start(&mut self, _: Extension) {}
    fn running(&mut self) {}
    fn paused(&mut self) {}
    fn reloading(&mut self) {}
    fn stopping(&mut self, _: Duration) {}
    fn extend_stop(&mut self, _: Extension) {}
    fn status(&mut self, _: &str) {}
    fn alive(&mut self) {}
    fn watchdog(&self) -> Option<Duration> {
        None
    }
    fn limit(&self, mechanism: &Mechanism) -> Option<Duration> {
        mechanism.limit(false)
    }
    fn stopped(&mut self, _: Exit) {}
}
