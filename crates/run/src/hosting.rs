//! The supervisor under its host: as a Windows service where the SCM started winddown, else under whoever it is.

use std::sync::{Arc, Mutex, PoisonError};

use winddown::host::{Host, ScmHost, ScmProgram, SilentHost, SystemdHost};
use winddown_core::Wants;
use winddown_core::scm::{Scm, ScmError};
use winddown_sys::guard::Guard;
use winddown_sys::notify::Environment;
use winddown_sys::scm::SystemScm;

use crate::error::Error;
use crate::options::RunOptions;
use crate::outcome::Outcome;
use crate::requests::{Controls, Requests};
use crate::supervisor::Supervisor;
use crate::timeline::Observer;

/// Runs a program until nothing of it is left, under whatever started this process; `observer` is told what happens.
///
/// Call it while the process has one thread: it takes the host's variables out of the environment, and the signals of the
/// process belong to it from then on.
///
/// # Errors
/// [`Error::System`] when the program cannot be started, or when the system refuses what supervision needs.
pub fn run(options: RunOptions, observer: Box<dyn Observer>) -> Result<Outcome, Error> {
    let manager = SystemdHost::of(Environment::take())?;
    let controls = Arc::new(Controls::new(Wants {
        // PARAMCHANGE, where there is a definition to read again.
        reload: options.reread.is_some(),
        ..Wants::default()
    })?);
    let outcome = Arc::new(Mutex::new(None));
    let job = Arc::new(Mutex::new(Some((options.clone(), observer))));

    let program = {
        let (controls, outcome, job) = (
            Arc::clone(&controls),
            Arc::clone(&outcome),
            Arc::clone(&job),
        );
        let noted = Arc::clone(&controls);
        let wait = options.timeout();
        let body = move |_arguments: Vec<String>| {
            let Some((options, observer)) = take(&job) else {
                return;
            };
            let host = ScmHost::new(Arc::new(SystemScm), controls.accepted(), wait);
            let result = supervise(options, Box::new(host), Some(controls), observer);
            *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        };
        ScmProgram::new(Box::new(body), Box::new(move |control| noted.note(control)))
    };
    match SystemScm.run(&options.name, Arc::new(program)) {
        Ok(()) => take(&outcome).unwrap_or(Err(Error::Scm(ScmError::NotStartedByScm))),
        Err(ScmError::NotStartedByScm) => {
            let host: Box<dyn Host> = match manager {
                Some(manager) => Box::new(manager),
                None => Box::new(SilentHost),
            };
            let observer = take(&job).map_or_else(|| Box::new(()) as _, |(_, observer)| observer);
            supervise(options, host, None, observer)
        }
        Err(error) => Err(error.into()),
    }
}

fn supervise(
    mut options: RunOptions,
    host: Box<dyn Host>,
    controls: Option<Arc<Controls>>,
    observer: Box<dyn Observer>,
) -> Result<Outcome, Error> {
    // Where this ends with an error, it kills what is left.
    let guard = Guard::start()?;
    // Nothing has to be waited for yet.
    options.look_up();
    let requests = Requests::attach(controls)?;
    let outcome = Supervisor::run(options, host, &requests, observer)?;
    guard.dismiss();
    Ok(outcome)
}

fn take<T>(shared: &Mutex<Option<T>>) -> Option<T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner).take()
}
