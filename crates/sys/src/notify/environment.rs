//! [`Environment`]: the variables by which a service manager speaks to one process, and to none of its children.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::sync::OnceLock;
use std::time::Duration;

/// The variables that a manager means for one process. A child must not inherit them: it would speak for its parent, or take
/// over descriptors that it does not have.
pub const MANAGER_VARIABLES: &[&str] = &[
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "FDSTORE",
];

/// The [`MANAGER_VARIABLES`] of this process, as they were at the first [`Environment::take`].
#[derive(Debug, Default)]
pub struct Environment {
    variables: BTreeMap<&'static str, OsString>,
    removed: bool,
}

impl Environment {
    /// Reads the variables, and removes them where that is sound; later calls give back what the first one found.
    ///
    /// Changing the environment while another thread reads it is undefined behaviour on Unix, and other threads may be C code
    /// that reads it without a lock. So the variables are removed only where this is provably the process's single thread:
    ///
    /// | System | Removed |
    /// |---|---|
    /// | Linux | while the process has one thread, as at the start of `main` |
    /// | other Unix | never: the number of threads is not known |
    /// | Windows | always |
    ///
    /// Where they stay, whoever starts a child has to leave [`MANAGER_VARIABLES`] out of its environment.
    pub fn take() -> &'static Self {
        static TAKEN: OnceLock<Environment> = OnceLock::new();
        TAKEN.get_or_init(|| {
            let variables: BTreeMap<_, _> = MANAGER_VARIABLES
                .iter()
                .filter_map(|name| Some((*name, env::var_os(name)?)))
                .collect();
            if variables.is_empty() {
                let removed = true;
                return Self { variables, removed };
            }
            let removed = super::imp::environment_is_ours();
            if removed {
                for name in MANAGER_VARIABLES {
                    // SAFETY: `environment_is_ours` says that no other thread can be reading the environment; this thread
                    // cannot start one meanwhile.
                    unsafe { env::remove_var(name) };
                }
            }
            Self { variables, removed }
        })
    }

    /// Whether the variables are gone from the process's environment.
    #[must_use]
    pub fn removed(&self) -> bool {
        self.removed
    }

    /// The value of one of [`MANAGER_VARIABLES`].
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(OsString::as_os_str)
    }

    /// The interval after which the manager misses `WATCHDOG=1`, if it watches this process; send at half of it.
    ///
    /// Source: `sd_watchdog_enabled(3)`.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        let number = |name| self.variable(name)?.to_str()?.parse::<u64>().ok();
        let is_ours = self.variable("WATCHDOG_PID").is_none()
            || number("WATCHDOG_PID") == Some(u64::from(std::process::id()));
        number("WATCHDOG_USEC")
            .filter(|usec| *usec > 0 && is_ours)
            .map(Duration::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&'static str, &str)]) -> Environment {
        Environment {
            variables: variables
                .iter()
                .map(|(name, value)| (*name, OsString::from(value)))
                .collect(),
            removed: false,
        }
    }

    #[test]
    fn the_watchdog_of_another_process_is_not_fed() {
        let own = std::process::id().to_string();
        for (pid, expected) in [
            (Some(own.as_str()), Some(Duration::from_secs(3))),
            (None, Some(Duration::from_secs(3))),
            (Some("1"), None),
            (Some(""), None),
        ] {
            let mut variables = vec![("WATCHDOG_USEC", "3000000")];
            variables.extend(pid.map(|pid| ("WATCHDOG_PID", pid)));
            let found = environment(&variables).watchdog_interval();
            assert_eq!(found, expected, "{pid:?}");
        }
        assert_eq!(environment(&[]).watchdog_interval(), None);
        assert_eq!(
            environment(&[("WATCHDOG_USEC", "0")]).watchdog_interval(),
            None
        );
    }
}
