//! The verbs.

use std::ffi::OsString;

use winddown_core::exit;
use winddown_sys::signal;

use crate::output::Problem;

pub(crate) mod check;
pub(crate) mod completions;
mod control;
pub(crate) mod history;
pub(crate) mod host;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod operation;
pub(crate) mod rehearse;
pub(crate) mod run;
pub(crate) mod status;

/// From here on a request that no run takes stays pending until this process has ended: one that comes when all is over must
/// change neither the exit nor what is written.
fn hold_late_requests() {
    signal::block_all_on_this_thread().keep();
}

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
