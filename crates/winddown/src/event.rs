//! What a program sees of the requests that reach it.

use std::fmt;
use std::sync::Arc;

use winddown_core::scm::Control;
use winddown_core::{Input, Origin};

use crate::asker::Asker;
use crate::runtime::Runtime;
use crate::stop::Stop;

/// Something that the program was asked to do, or told.
///
/// Stops always come; the others only to a service that asked for them ([`Service::reloads`](crate::Service::reloads) and
/// its like).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Stop: leave the event loop and return. Comes once, and is the last event.
    Stop(Stop),
    /// Stop serving until [`Event::Resume`]. The host is told "paused" at once.
    Pause(Request),
    /// Serve again.
    Resume(Request),
    /// Read the configuration again. The host is told that it is done when the last clone of this is dropped.
    Reload(Reload),
    /// An event of the program's own.
    User(UserEvent),
    /// An event of the system.
    System(SystemEvent),
}

/// Who asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) asker: Arc<Asker>,
}

impl Request {
    /// Who asked, and how.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        self.asker.origin()
    }
}

/// A request to read the configuration again.
///
/// While it lives the host sees the service reload; dropping the last clone ends the reload.
#[derive(Clone)]
pub struct Reload {
    pub(crate) asker: Arc<Asker>,
    pub(crate) _done: Arc<ReloadDone>,
}

impl Reload {
    /// Who asked, and how.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        self.asker.origin()
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload")
            .field("origin", self.origin())
            .finish_non_exhaustive()
    }
}

/// Tells the runtime that a reload has ended, when it is dropped.
pub(crate) struct ReloadDone(pub(crate) Arc<Runtime>);

impl Drop for ReloadDone {
    fn drop(&mut self) {
        self.0.post(Input::Reloaded);
    }
}

/// An event of the program's own: a custom control (128 to 255), or the signal that stands for it.
#[derive(Clone, Debug)]
pub struct UserEvent {
    pub(crate) asker: Arc<Asker>,
    pub(crate) code: u8,
}

impl UserEvent {
    /// Its code: 128 is `SIGUSR1`, 129 `SIGUSR2`, 130 + n `SIGRTMIN+n`.
    #[must_use]
    pub const fn code(&self) -> u8 {
        self.code
    }

    /// Who sent it, and how.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        self.asker.origin()
    }
}

/// An event of the system, which only Windows sends: a session, power or time change and their like.
#[derive(Clone, Debug)]
pub struct SystemEvent {
    pub(crate) control: Control,
}

impl SystemEvent {
    /// The control, with its event type.
    #[must_use]
    pub const fn control(&self) -> Control {
        self.control
    }
}
