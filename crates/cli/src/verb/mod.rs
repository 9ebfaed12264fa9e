//! The verbs.

use std::ffi::OsString;

use winddown_core::exit;

use crate::output::Problem;

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod history;
pub(crate) mod host;
pub(crate) mod man;
pub(crate) mod rehearse;
pub(crate) mod run;

/// `command`, whose program has a name: an empty one comes from a variable that is not set.
fn with_a_program(command: Vec<OsString>) -> Result<Vec<OsString>, Problem> {
    match command.first() {
        Some(program) if program.is_empty() => Err(Problem::new(
            exit::USAGE,
            "the name of the program is empty",
        )),
        _ => Ok(command),
    }
}
