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
    /// Why there is no notifier.
    refused: Option<winddown_sys::Error>,
    told_trouble: bool,
}

impl SystemdHost {
    /// The manager that this process's environment names, if it names one. Where `NOTIFY_SOCKET` is no address, it hears nothing, and
    /// [`Host::take_trouble`] says why.
    #[must_use]
    pub fn of(environment: &Environment) -> Option<Self> {
        let (notifier, refused) = match Notifier::from_environment(environment) {
            Ok(notifier) => (notifier, None),
            Err(error) => (Notifier::default(), Some(error)),
        };
        (notifier.is_connected() || refused.is_some()).then(|| Self {
            notifier,
            watchdog: environment.watchdog_interval(),
            refused,
            told_trouble: false,
        })
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

    fn take_trouble(&mut self) -> Option<String> {
        let error = self.refused.as_ref().or(self.notifier.first_error())?;
        if std::mem::replace(&mut self.told_trouble, true) {
            return None;
        }
        Some(format!("its manager does not hear how it stands: {error}"))
    }

    fn stopped(&mut self, _: Exit) {}
}
