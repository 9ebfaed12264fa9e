//! systemd, and every other manager that listens on a notify socket.

use std::time::Duration;

use winddown_core::{Extension, Mechanism};
use winddown_sys::Monotonic;
use winddown_sys::notify::{Environment, Notifier};

use super::Host;
use crate::exit::Exit;

/// Tells a notify socket the states of the service. It never fails the service: a manager that does not listen is one.
pub struct SystemdHost {
    notifier: Notifier,
    watchdog: Option<Duration>,
}

impl SystemdHost {
    /// The manager that this process's environment names, if it names one.
    ///
    /// # Errors
    /// [`winddown_sys::Error::Variable`] where `NOTIFY_SOCKET` is no address.
    pub fn of(environment: &Environment) -> Result<Option<Self>, winddown_sys::Error> {
        let notifier = Notifier::from_environment(environment)?;
        Ok(notifier.is_connected().then(|| Self {
            notifier,
            watchdog: environment.watchdog_interval(),
        }))
    }
}

impl Host for SystemdHost {
    fn extend_start(&mut self, extension: Extension) {
        self.notifier.extend_timeout(extension.wait);
    }

    fn running(&mut self) {
        self.notifier.ready();
    }

    fn paused(&mut self) {
        self.notifier.status("paused");
    }

    fn reloading(&mut self) {
        self.notifier.reloading(Monotonic::system_micros());
    }

    fn stopping(&mut self, _: Duration) {
        self.notifier.stopping();
    }

    fn extend_stop(&mut self, extension: Extension) {
        self.notifier.extend_timeout(extension.wait);
    }

    fn status(&mut self, text: &str) {
        self.notifier.status(text);
    }

    fn alive(&mut self) {
        self.notifier.watchdog();
    }

    fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    fn limit(&self, mechanism: &Mechanism) -> Option<Duration> {
        mechanism.limit(false)
    }

    fn stopped(&mut self, _: Exit) {}
}
