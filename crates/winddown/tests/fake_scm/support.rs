//! A fake system with a service of the library in it.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use winddown::{BoxError, Context, Environment, Phase, Service, StopReport};
use winddown_core::scm::{Control, Scm, ServiceState};
use winddown_testkit::scm::ProcessEnd;
use winddown_testkit::{FakeClock, FakeScm, Watchdog};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A fake system with one service, `orders`.
pub(crate) struct World {
    pub(crate) scm: FakeScm,
    pub(crate) clock: FakeClock,
    pub(crate) reports: Receiver<StopReport>,
    _watchdog: Watchdog,
}

impl World {
    /// Each start of the service runs `body` in a service that `shape` has shaped.
    pub(crate) fn new(
        shape: impl Fn(Service) -> Service + Send + Sync + 'static,
        body: impl Fn(&Context) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        let clock = FakeClock::new();
        let scm = FakeScm::new(&clock);
        let (report, reports) = mpsc::channel();
        let report = Mutex::new(report);
        let (body, fake) = (Arc::new(body), clock.clone());
        scm.service("orders", move |scm: Arc<dyn Scm>| {
            let (body, report): (_, Sender<_>) =
                (Arc::clone(&body), report.lock().unwrap().clone());
            let service = shape(Service::new("orders").on_report(move |written| {
                // The test may have ended.
                let _ = report.send(written.clone());
            }));
            let world = Environment::simulated(scm, Arc::new(fake.clone()));
            let _ = service.run_in(world, move |ctx| body(&ctx));
        });
        Self {
            scm,
            clock,
            reports,
            _watchdog: Watchdog::arm(SECOND * 10),
        }
    }

    pub(crate) fn start(&self) {
        self.scm.start("orders", &[]).unwrap();
        self.scm.wait_for_state("orders", ServiceState::Running);
    }

    pub(crate) fn stop(&self) {
        self.scm.control("orders", Control::Stop).unwrap();
    }

    /// Waits for STOPPED and for the end of the process; its exit codes.
    pub(crate) fn stopped(&self) -> (u32, u32) {
        let status = self.scm.wait_for_state("orders", ServiceState::Stopped);
        assert_eq!(self.scm.wait_for_exit("orders"), ProcessEnd::Returned);
        (status.exit_code, status.specific_exit_code)
    }

    pub(crate) fn report(&self) -> StopReport {
        self.reports.recv().unwrap()
    }

    /// Moves the clock in steps of half a second, so that no wait hint passes unseen.
    pub(crate) fn advance(&self, total: Duration) {
        for _ in 0..total.as_millis() / 500 {
            self.clock.advance(Duration::from_millis(500));
            thread::yield_now();
        }
    }

    pub(crate) fn assert_lawful(&self) {
        assert_eq!(self.scm.violations(), []);
    }
}

pub(crate) fn plain(service: Service) -> Service {
    service
}

/// Ready at once, and returns at the stop.
pub(crate) fn serve(ctx: &Context) -> Result<(), BoxError> {
    ctx.ready()?;
    let _ = ctx.stopping().wait();
    Ok(())
}

/// A cleanup that the test holds: it goes on until it is released, at the latest when this is dropped.
pub(crate) struct Held {
    begun: Receiver<()>,
    step: Option<Sender<()>>,
}

impl Held {
    /// A held cleanup, and the body that registers it in the phase Close and then serves.
    pub(crate) fn new() -> (
        Self,
        impl Fn(&Context) -> Result<(), BoxError> + Send + Sync + 'static,
    ) {
        let (begin, begun) = mpsc::channel();
        let (step, steps) = mpsc::channel::<()>();
        let (begin, steps) = (Mutex::new(begin), Arc::new(Mutex::new(steps)));
        let body = move |ctx: &Context| {
            let (begin, steps) = (begin.lock().unwrap().clone(), Arc::clone(&steps));
            ctx.on_stop(Phase::Close, "held", move |stop| {
                // The test may have ended.
                let _ = begin.send(());
                while steps.lock().unwrap().recv().is_ok() {
                    stop.progress();
                }
            })?;
            serve(ctx)
        };
        let step = Some(step);
        (Self { begun, step }, body)
    }

    pub(crate) fn wait_until_begun(&self) {
        self.begun.recv().unwrap();
    }

    /// How often it has begun, besides what was waited for.
    pub(crate) fn times_begun(&self) -> usize {
        self.begun.try_iter().count()
    }

    /// Has it make progress.
    pub(crate) fn progress(&self) {
        let step = self.step.as_ref().expect("it was not released");
        step.send(()).unwrap();
    }

    pub(crate) fn release(&mut self) {
        self.step = None;
    }
}
