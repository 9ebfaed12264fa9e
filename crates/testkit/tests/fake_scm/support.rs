use std::sync::Arc;
use std::time::Duration;

use winddown_core::scm::{
    Accepted, Control, Scm, ServiceProgram, ServiceState, ServiceStatus, code,
};
use winddown_testkit::{FakeClock, FakeScm, Watchdog};

/// An SCM and its clock, under a watchdog.
pub(crate) struct Bench {
    pub(crate) scm: FakeScm,
    pub(crate) clock: FakeClock,
    _watchdog: Watchdog,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let clock = FakeClock::new();
        Self {
            scm: FakeScm::new(&clock),
            clock,
            _watchdog: Watchdog::arm(Duration::from_secs(60)),
        }
    }

    /// Starts a service that runs by then.
    pub(crate) fn run(&self, name: &str) {
        self.scm.start(name, &[]).unwrap();
        self.scm.wait_for_state(name, ServiceState::Running);
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn assert_no_violations(&self) {
        assert_eq!(self.scm.violations(), []);
    }
}

struct Program<M, C> {
    scm: Arc<dyn Scm>,
    main: Arc<M>,
    control: Arc<C>,
}

impl<M, C> ServiceProgram for Program<M, C>
where
    M: Fn(&dyn Scm, Vec<String>) + Send + Sync,
    C: Fn(&dyn Scm, Control) -> u32 + Send + Sync,
{
    fn service_main(&self, arguments: Vec<String>) {
        (self.main)(&*self.scm, arguments);
    }

    fn control(&self, control: Control) -> u32 {
        (self.control)(&*self.scm, control)
    }
}

/// The main function of a process whose service does `main` and answers controls with `control`.
pub(crate) fn process<M, C>(main: M, control: C) -> impl Fn(Arc<dyn Scm>) + Send + Sync + 'static
where
    M: Fn(&dyn Scm, Vec<String>) + Send + Sync + 'static,
    C: Fn(&dyn Scm, Control) -> u32 + Send + Sync + 'static,
{
    let (main, control) = (Arc::new(main), Arc::new(control));
    move |scm| {
        let program = Arc::new(Program {
            scm: Arc::clone(&scm),
            main: Arc::clone(&main),
            control: Arc::clone(&control),
        });
        // An error is the end of a killed process.
        let _ = scm.run("ignored", program);
    }
}

/// A process that runs at once, accepts `accepted`, and answers controls with `control`.
pub(crate) fn running<C>(accepted: Accepted, control: C) -> impl Fn(Arc<dyn Scm>) + Send + Sync
where
    C: Fn(&dyn Scm, Control) -> u32 + Send + Sync + 'static,
{
    process(move |scm, _| report(scm, accepting(accepted)), control)
}

/// A process that does everything right: it runs at once, and stops when it is told to.
pub(crate) fn proper() -> impl Fn(Arc<dyn Scm>) + Send + Sync {
    let accepted = Accepted::STOP | Accepted::SHUTDOWN | Accepted::PAUSE_CONTINUE;
    running(accepted, |scm, control| match control {
        Control::Stop | Control::Shutdown | Control::Preshutdown => stop(scm),
        Control::Interrogate => code::NO_ERROR,
        _ => code::ERROR_CALL_NOT_IMPLEMENTED,
    })
}

/// Stops at once.
pub(crate) fn stop(scm: &dyn Scm) -> u32 {
    report(scm, pending(ServiceState::StopPending, 1, 3));
    report(scm, ServiceStatus::of(ServiceState::Stopped));
    code::NO_ERROR
}

/// Begins to stop, and does not end it.
pub(crate) fn begin_stop(scm: &dyn Scm) -> u32 {
    report(scm, pending(ServiceState::StopPending, 1, 3));
    code::NO_ERROR
}

pub(crate) fn report(scm: &dyn Scm, status: ServiceStatus) {
    scm.set_status(status).unwrap();
}

pub(crate) fn accepting(accepted: Accepted) -> ServiceStatus {
    ServiceStatus {
        accepted,
        ..ServiceStatus::of(ServiceState::Running)
    }
}

pub(crate) fn pending(state: ServiceState, checkpoint: u32, hint: u64) -> ServiceStatus {
    ServiceStatus {
        checkpoint,
        wait_hint: Duration::from_secs(hint),
        ..ServiceStatus::of(state)
    }
}

pub(crate) fn stopped(exit_code: u32) -> ServiceStatus {
    ServiceStatus {
        exit_code,
        ..ServiceStatus::of(ServiceState::Stopped)
    }
}
