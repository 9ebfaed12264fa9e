//! The supervisor under its host: as a Windows service where the SCM started winddown, else under whoever it is.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use winddown::host::{Host, ScmHost, ScmProgram, SilentHost, SystemdHost};
use winddown_core::Wants;
use winddown_core::exit::ExitCode;
use winddown_core::scm::{Accepted, Scm, ScmError};
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
/// What `guard` is for should be started before anything large is read: on Linux it is a copy of this process, and keeps what that
/// was then.
///
/// Call it while the process has one thread: it takes the host's variables out of the environment, and the signals of the
/// process belong to it from then on.
///
/// # Errors
/// [`Error::System`] when the program cannot be started, or when the system refuses what supervision needs. `observer` was told.
pub fn run(
    guard: Guard,
    options: RunOptions,
    mut observer: Box<dyn Observer>,
) -> Result<Outcome, Error> {
    let (manager, controls) = prepare(&options).inspect_err(|error| observer.failed(error))?;
    let (name, wait) = (options.name.clone(), options.ready_timeout());
    let job = Arc::new(Mutex::new(Some((guard, options, observer))));
    let (ended, outcome) = sync_channel(1);
    let program = {
        let (controls, job) = (Arc::clone(&controls), Arc::clone(&job));
        let noted = Arc::clone(&controls);
        let body = move |_arguments: Vec<String>| {
            let Some((guard, options, observer)) = take(&job) else {
                return;
            };
            let mut host = ScmHost::new(Arc::new(SystemScm), controls.accepted(), wait);
            let _ = ended.send(supervise(
                guard,
                options,
                &mut host,
                Some(controls),
                observer,
            ));
        };
        ScmProgram::new(Box::new(body), Box::new(move |control| noted.note(control)))
    };
    match SystemScm.run(&name, Arc::new(program)) {
        // The SCM lets go as soon as it hears the last words, which the body's thread says.
        Ok(()) => outcome
            .recv()
            .unwrap_or(Err(Error::Scm(ScmError::NotStartedByScm))),
        Err(ScmError::NotStartedByScm) => {
            let mut host: Box<dyn Host> = match manager {
                Some(manager) => Box::new(manager),
                None => Box::new(SilentHost),
            };
            let (guard, options, observer) = take(&job).expect("no service has taken it");
            supervise(guard, options, &mut *host, None, observer)
        }
        Err(error) => {
            let error = error.into();
            if let Some((_, _, mut observer)) = take(&job) {
                observer.failed(&error);
            }
            Err(error)
        }
    }
}

/// Tells the SCM, where it started this process, that the service cannot run and ends with `code`.
///
/// To be called where [`run`] cannot be, after the operator was told why: a service that merely ends is reported as one that did not
/// answer in time.
pub fn decline(code: ExitCode) {
    let body = move |_arguments: Vec<String>| {
        ScmHost::new(Arc::new(SystemScm), Accepted::NONE, Duration::ZERO)
            .stopped(winddown::Exit::Failed(code.code));
    };
    let program = ScmProgram::new(Box::new(body), Box::new(|_| false));
    // Where it did not, its end says it all.
    let _ = SystemScm.run("winddown", Arc::new(program));
}

fn prepare(options: &RunOptions) -> Result<(Option<SystemdHost>, Arc<Controls>), Error> {
    let manager = SystemdHost::of(Environment::take());
    let controls = Controls::new(Wants {
        // PARAMCHANGE, where there is a definition to read again.
        reload: options.reread.is_some(),
        ..Wants::default()
    })?;
    Ok((manager, Arc::new(controls)))
}

fn supervise(
    guard: Guard,
    options: RunOptions,
    host: &mut dyn Host,
    controls: Option<Arc<Controls>>,
    observer: Box<dyn Observer>,
) -> Result<Outcome, Error> {
    let observer = Rc::new(RefCell::new(observer));
    let result = supervise_all(guard, options, host, controls, &observer);
    let exit = match &result {
        Ok(outcome) => outcome.as_exit(),
        Err(error) => {
            observer.borrow_mut().failed(error);
            winddown::Exit::Failed(error.exit_code().code)
        }
    };
    host.stopped(exit);
    result
}

fn supervise_all(
    guard: Guard,
    mut options: RunOptions,
    host: &mut dyn Host,
    controls: Option<Arc<Controls>>,
    observer: &Rc<RefCell<Box<dyn Observer>>>,
) -> Result<Outcome, Error> {
    // Where this ends with an error, it kills what is left.
    let guard = Rc::new(guard);
    // Nothing has to be waited for yet.
    options.look_up();
    let requests = Requests::attach(controls)?;
    let outcome = Supervisor::run(options, host, &requests, observer, Rc::clone(&guard))?;
    if let Some(guard) = Rc::into_inner(guard) {
        guard.dismiss();
    }
    Ok(outcome)
}

fn take<T>(shared: &Mutex<Option<T>>) -> Option<T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner).take()
}
