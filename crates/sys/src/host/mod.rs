//! Which host started this process: [`detect`] collects what can be seen and has [`winddown_core::host::decide`] decide.
//!
//! | System | What is looked at |
//! |---|---|
//! | Linux | `/proc`: parent, process 1, session, terminal, control group; marker files; variables |
//! | other Unix | parent's pid, session, terminal, variables; the parent's name is not known |
//! | Windows | the parent, the session, the console, the window station, variables |

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as imp;
#[cfg(windows)]
use windows as imp;

#[cfg(unix)]
pub(crate) use unix::file_id;

use std::env;
use std::path::Path;

use winddown_core::host::{Facts, Host, MARKER_FILES, VARIABLES, decide};

use crate::notify::Environment;

/// The host of this process, with the evidence.
///
/// Takes the manager's variables as [`Environment::take`] does: call it early.
#[must_use]
pub fn detect() -> Host {
    decide(&facts())
}

/// What [`detect`] decides from. What cannot be found out is left out.
#[must_use]
pub fn facts() -> Facts {
    let environment = Environment::take();
    let value = |name: &str| {
        let taken = environment.variable(name).map(ToOwned::to_owned);
        taken.or_else(|| env::var_os(name))
    };
    let mut facts = Facts {
        pid: std::process::id(),
        variables: VARIABLES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), value(name)?.to_string_lossy().into())))
            .collect(),
        files: MARKER_FILES
            .iter()
            .filter(|file| Path::new(file).exists())
            .map(|file| (*file).to_owned())
            .collect(),
        ..Facts::default()
    };
    imp::collect(&mut facts);
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_itself_and_a_parent() {
        let facts = facts();
        assert_eq!(facts.pid, std::process::id());
        assert_ne!(facts.parent.pid, facts.pid);
    }
}
