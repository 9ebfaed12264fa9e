//! [`Service`]: how a program says what it is, and is run by whatever started it.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use winddown_core::report::StopReport;
use winddown_core::scm::{Accepted, ScmError};
use winddown_core::{Input, Signal, Wants};
use winddown_sys::{listen, notify};

use crate::context::{Context, StartInfo};
use crate::engine::{Engine, Settings};
use crate::environment::Environment;
use crate::error::{BoxError, Error};
use crate::exit::Exit;
use crate::host::{Host, ScmHost, ScmProgram, SilentHost, SystemdHost};
use crate::runtime::Runtime;
use crate::sink::ReportSink;

/// A stop may take this long unless [`Service::stop_within`] says otherwise.
pub const DEFAULT_STOP_WITHIN: Duration = Duration::from_secs(20);
/// Each piece of progress is worth this much time from the host unless [`Service::progress_lease`] says otherwise.
pub const DEFAULT_PROGRESS_LEASE: Duration = Duration::from_secs(10);

/// A program that is stopped gracefully by whatever started it.
///
/// ```no_run
/// use winddown::{Event, Phase, Service};
///
/// fn main() -> winddown::Exit {
///     Service::new("orders").run(|ctx| {
///         ctx.on_stop(Phase::Refuse, "listener", |_stop| println!("no new orders"))?;
///         ctx.ready()?;
///         for event in ctx.events() {
///             if let Event::Stop(stop) = event {
///                 println!("stopping: {}", stop.reason());
///             }
///         }
///         Ok(())
///     })
/// }
/// ```
#[must_use = "a service does nothing until it is run"]
pub struct Service {
    name: String,
    stop_within: Duration,
    lease: Duration,
    wants: Wants,
    sink: ReportSink,
}

impl Service {
    /// A service of this name: on Windows the name that it was installed under.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            stop_within: DEFAULT_STOP_WITHIN,
            lease: DEFAULT_PROGRESS_LEASE,
            wants: Wants::default(),
            sink: ReportSink::default(),
        }
    }

    /// How long a stop may take, everything included; [`DEFAULT_STOP_WITHIN`] otherwise. A shorter limit of the host wins
    /// (WD-30). When it has passed, the process ends with code 124 whatever hangs in it (WD-33).
    pub fn stop_within(mut self, limit: Duration) -> Self {
        self.stop_within = limit;
        self
    }

    /// How much more time each piece of progress asks the host for; [`DEFAULT_PROGRESS_LEASE`] otherwise. Work that says
    /// nothing for longer than this looks hung to the host.
    pub fn progress_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Hear [`Event::Reload`](crate::Event::Reload): `SIGHUP`, PARAMCHANGE.
    pub fn reloads(mut self) -> Self {
        self.wants.reload = true;
        self
    }

    /// Hear [`Event::Pause`](crate::Event::Pause) and [`Event::Resume`](crate::Event::Resume): `SIGTSTP` and `SIGCONT`, PAUSE
    /// and CONTINUE.
    pub fn pauses(mut self) -> Self {
        self.wants.pause = true;
        self
    }

    /// Hear [`Event::User`](crate::Event::User): `SIGUSR1`, `SIGUSR2`, realtime signals, controls 128 to 255.
    ///
    /// By default Windows lets every local user send such controls: they must do no harm.
    pub fn user_events(mut self) -> Self {
        self.wants.user = true;
        self
    }

    /// Hear [`Event::System`](crate::Event::System) of these kinds. Only Windows sends them.
    pub fn system_events(mut self, kinds: Accepted) -> Self {
        self.wants.system |= kinds;
        self
    }

    /// Stop on this signal too, besides `SIGTERM`, `SIGINT` and, without [`Service::reloads`], `SIGHUP`.
    pub fn stop_on(mut self, signal: Signal) -> Self {
        self.wants.stop_on.push(signal);
        self
    }

    /// Write the report of the stop to this file, as JSON, over what it held.
    pub fn report_to(mut self, file: impl Into<PathBuf>) -> Self {
        self.sink.file = Some(file.into());
        self
    }

    /// Call this with the report of the stop, just before the host hears of the end. It is called on a thread of its own and
    /// may take as long as the stop may; what it does then is not waited for.
    pub fn on_report(mut self, callback: impl FnMut(&StopReport) + Send + 'static) -> Self {
        self.sink.callback = Some(Box::new(callback));
        self
    }

    /// Runs `body` under whatever started this process, until it returns or a stop has ended; return the result from `main`.
    ///
    /// Call it first thing in `main`: it takes the host's variables out of the environment, which is safe only while the
    /// process has one thread, and it attaches to signals, controls and console events before `body` runs (WD-10).
    ///
    /// `body` runs on the calling thread; as a Windows service on a thread of the service control dispatcher. Once a stop was
    /// asked for, it should return; the phases of the stop run beside it. If it returns by itself, the service stops too.
    pub fn run<F>(self, body: F) -> Exit
    where
        F: FnOnce(Context) -> Result<(), BoxError> + Send + 'static,
    {
        self.run_in(Environment::real(), body)
    }

    /// Like [`Service::run`], in a world of the caller's making: see [`Environment::simulated`].
    pub fn run_in<F>(self, environment: Environment, body: F) -> Exit
    where
        F: FnOnce(Context) -> Result<(), BoxError> + Send + 'static,
    {
        let name = self.name.clone();
        match self.try_run(environment, body) {
            Ok(exit) => exit,
            Err(error) => {
                // There is nobody left to tell where standard error is closed.
                let _ = writeln!(std::io::stderr(), "error: {name} cannot start: {error}");
                Exit::Failed(winddown_core::exit::OWN_FAILURE.code)
            }
        }
    }

    fn try_run<F>(mut self, environment: Environment, body: F) -> Result<Exit, Error>
    where
        F: FnOnce(Context) -> Result<(), BoxError> + Send + 'static,
    {
        let host_environment = environment.real.then(notify::Environment::take);
        let sockets = if environment.real {
            listen::take()?
        } else {
            Vec::new()
        };
        self.sink.record = environment.real;

        let accepted = self.wants.accepted();
        let lease = self.lease;
        let settings = Settings {
            name: self.name.clone(),
            stop_within: self.stop_within,
            lease,
            sink: self.sink,
        };
        let engine = Engine::new(settings, Box::new(SilentHost));
        let runtime = Runtime::new(self.wants, Arc::clone(&environment.clock), engine)?;
        if environment.real {
            runtime.attach()?;
        }
        let driver = drive(&runtime, environment.real)?;

        let body = Arc::new(Mutex::new(Some((body, sockets))));
        let call = {
            let runtime = Arc::clone(&runtime);
            move |host: Box<dyn Host>, arguments: Vec<String>| {
                let taken = body.lock().ok().and_then(|mut body| body.take());
                if let Some((body, sockets)) = taken {
                    let start = StartInfo {
                        arguments,
                        sockets: Mutex::new(sockets),
                    };
                    call_body(&runtime, host, start, body);
                }
            }
        };

        let as_service = {
            let (call, runtime, scm) = (
                call.clone(),
                Arc::clone(&runtime),
                Arc::clone(&environment.scm),
            );
            let asked = Arc::clone(&runtime);
            let body = move |mut arguments: Vec<String>| {
                let host = ScmHost::new(scm, accepted, lease);
                let arguments = arguments.split_off(arguments.len().min(1));
                call(Box::new(host), arguments);
                // The dispatcher may end the process once this returns and STOPPED was told.
                let _ = runtime.wait_for_exit();
            };
            ScmProgram::new(
                Box::new(body),
                Box::new(move |control| asked.control(control)),
            )
        };
        match environment.scm.run(&self.name, Arc::new(as_service)) {
            Ok(()) => {}
            Err(ScmError::NotStartedByScm) => {
                let manager = host_environment.and_then(SystemdHost::of);
                let host: Box<dyn Host> = match manager {
                    Some(manager) => Box::new(manager),
                    None => Box::new(SilentHost),
                };
                call(host, std::env::args().skip(1).collect());
            }
            Err(error) => return Err(error.into()),
        }
        let exit = runtime.wait_for_exit();
        // The thread ends by itself once there is an exit; a panic in it would have been ours.
        let _ = driver.join();
        Ok(exit)
    }
}

/// Starts the thread of the runtime.
fn drive(runtime: &Arc<Runtime>, real: bool) -> Result<thread::JoinHandle<()>, Error> {
    let runtime = Arc::clone(runtime);
    let thread = thread::Builder::new()
        .name("winddown".to_owned())
        .spawn(move || {
            let exit = runtime.drive();
            if real && !runtime.engine().body_has_returned() {
                // WD-33: the body hangs, so nobody else would end the process.
                winddown_sys::exit_now(i32::from(exit.code()));
            }
        });
    thread.map_err(|error| Error::System(winddown_sys::Error::os("start a thread", error)))
}

fn call_body<F>(runtime: &Arc<Runtime>, host: Box<dyn Host>, start: StartInfo, body: F)
where
    F: FnOnce(Context) -> Result<(), BoxError>,
{
    {
        let mut engine = runtime.engine();
        engine.set_host(host);
    }
    runtime.pump();
    if !runtime.engine().start(runtime) {
        return;
    }
    runtime.kick();
    let context = Context {
        runtime: Arc::clone(runtime),
        start: Arc::new(start),
    };
    let result = catch_unwind(AssertUnwindSafe(|| body(context)));
    runtime.engine().returned(result);
    runtime.post(Input::Returned);
}
