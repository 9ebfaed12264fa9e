//! The library as a Windows service, on the fake Service Control Manager and a clock that the test moves: on any system.
//!
//! What Wine's SCM gets wrong or lacks is shown here: SHUTDOWN, PRESHUTDOWN, handler return codes, simultaneous STOPs,
//! dependencies, failure actions.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use winddown::{
    Accepted, BoxError, Context, Environment, Event, Failure, Phase, Service, StopReport, Verdict,
};
use winddown_core::scm::{Control, Scm, ServiceState, code};
use winddown_testkit::scm::{FailureAction, ProcessEnd, ServiceConfig};
use winddown_testkit::{FakeClock, FakeScm, Watchdog};

const SECOND: Duration = Duration::from_secs(1);

/// A fake system with one service, `orders`.
struct World {
    scm: FakeScm,
    clock: FakeClock,
    reports: Receiver<StopReport>,
    _watchdog: Watchdog,
}

impl World {
    /// Each start of the service runs `body` in a service that `shape` has shaped.
    fn new(
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
            let service = shape(Service::new("orders")).on_report(move |written| {
                // The test may have ended.
                let _ = report.send(written.clone());
            });
            let world = Environment::simulated(scm, Arc::new(fake.clone()));
            let _ = service.run_in(world, move |ctx| body(&ctx));
        });
        Self {
            scm,
            clock,
            reports,
            _watchdog: Watchdog::arm(SECOND * 60),
        }
    }

    fn start(&self) {
        self.scm.start("orders", &[]).unwrap();
        self.scm.wait_for_state("orders", ServiceState::Running);
    }

    fn stop(&self) {
        self.scm.control("orders", Control::Stop).unwrap();
    }

    /// Waits for STOPPED and for the end of the process; its exit codes.
    fn stopped(&self) -> (u32, u32) {
        let status = self.scm.wait_for_state("orders", ServiceState::Stopped);
        assert_eq!(self.scm.wait_for_exit("orders"), ProcessEnd::Returned);
        (status.exit_code, status.specific_exit_code)
    }

    fn report(&self) -> StopReport {
        self.reports.recv().unwrap()
    }

    /// Moves the clock in steps of half a second, so that no wait hint passes unseen.
    fn advance(&self, total: Duration) {
        for _ in 0..total.as_millis() / 500 {
            self.clock.advance(Duration::from_millis(500));
            thread::yield_now();
        }
    }

    fn assert_lawful(&self) {
        assert_eq!(self.scm.violations(), []);
    }
}

fn plain(service: Service) -> Service {
    service
}

/// Ready at once, and returns at the stop.
fn serve(ctx: &Context) -> Result<(), BoxError> {
    ctx.ready()?;
    let _ = ctx.stopping().wait();
    Ok(())
}

#[test]
fn wd_50_the_service_is_running_only_when_it_is_ready() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let world = World::new(plain, move |ctx| {
        wait.lock().unwrap().recv()?;
        serve(ctx)
    });
    world.scm.start("orders", &[]).unwrap();
    let status = world.scm.status("orders").unwrap();
    assert_eq!(
        (status.state, status.accepted),
        (ServiceState::StartPending, Accepted::NONE)
    );
    go.send(()).unwrap();
    world.scm.wait_for_state("orders", ServiceState::Running);
    world.stop();
    assert_eq!(world.stopped(), (0, 0));
    world.assert_lawful();
}

#[test]
fn the_arguments_of_the_start_reach_the_body() {
    let (seen, arguments) = mpsc::channel();
    let seen = Mutex::new(seen);
    let world = World::new(plain, move |ctx| {
        seen.lock().unwrap().send(ctx.arguments().to_vec())?;
        serve(ctx)
    });
    world
        .scm
        .start("orders", &["--port", "two words", "é中"])
        .unwrap();
    assert_eq!(arguments.recv().unwrap(), ["--port", "two words", "é中"]);
    world.scm.wait_for_state("orders", ServiceState::Running);
    world.stop();
    assert_eq!(world.stopped(), (0, 0));
}

#[test]
fn wd_60_controls_arrive_as_typed_events_in_their_order() {
    let (seen, events) = mpsc::channel();
    let seen = Mutex::new(seen);
    let world = World::new(
        |service| {
            service
                .pauses()
                .reloads()
                .user_events()
                .system_events(Accepted::SESSION_CHANGE)
        },
        move |ctx| {
            ctx.ready()?;
            for event in ctx.events() {
                let text = match event {
                    Event::Pause(_) => "pause".to_owned(),
                    Event::Resume(_) => "resume".to_owned(),
                    Event::Reload(_) => "reload".to_owned(),
                    Event::User(user) => format!("user {}", user.code()),
                    Event::System(system) => format!("system {}", system.control()),
                    Event::Stop(stop) => format!("stop by {}", stop.reason()),
                    other => format!("{other:?}"),
                };
                seen.lock().unwrap().send(text)?;
            }
            Ok(())
        },
    );
    world.start();
    let session = Control::SessionChange {
        event: 5,
        session: 2,
    };
    for control in [Control::Custom(128), Control::ParamChange, Control::Pause] {
        world.scm.control("orders", control).unwrap();
    }
    world.scm.wait_for_state("orders", ServiceState::Paused);
    world.scm.control("orders", Control::Continue).unwrap();
    world.scm.wait_for_state("orders", ServiceState::Running);
    world.scm.system_control("orders", session).unwrap();
    world.scm.control("orders", Control::Custom(255)).unwrap();
    world.stop();
    assert_eq!(world.stopped(), (0, 0));
    let seen: Vec<_> = events.try_iter().collect();
    assert_eq!(
        seen,
        [
            "user 128",
            "reload",
            "pause",
            "resume",
            "system sessionchange 5 session 2",
            "user 255",
            "stop by scm stop"
        ]
    );
    world.assert_lawful();
}

#[test]
fn wd_55_what_was_not_asked_for_is_refused() {
    let world = World::new(plain, serve);
    world.start();
    for control in [Control::Pause, Control::ParamChange] {
        assert_eq!(
            world.scm.control("orders", control),
            Err(code::ERROR_INVALID_SERVICE_CONTROL)
        );
    }
    assert_eq!(
        world.scm.control("orders", Control::Custom(200)),
        Err(code::ERROR_CALL_NOT_IMPLEMENTED)
    );
    assert!(world.scm.control("orders", Control::Interrogate).is_ok());
    world.stop();
    assert_eq!(world.stopped(), (0, 0));
    world.assert_lawful();
}

#[test]
fn wd_52_checkpoints_rise_with_progress_and_stopped_is_the_last_word() {
    let (step, steps) = mpsc::channel::<()>();
    let steps = Arc::new(Mutex::new(steps));
    let world = World::new(
        |service| service.progress_lease(SECOND * 2).stop_within(SECOND * 60),
        move |ctx| {
            let steps = Arc::clone(&steps);
            ctx.on_stop(Phase::Close, "stock", move |stop| {
                while steps.lock().unwrap().recv().is_ok() {
                    stop.progress();
                }
            })?;
            serve(ctx)
        },
    );
    world.start();
    world.stop();
    let first = world
        .scm
        .wait_for_state("orders", ServiceState::StopPending);
    assert_eq!(first.accepted, Accepted::NONE);
    let mut checkpoint = first.checkpoint;
    for _ in 0..10 {
        world.clock.advance(SECOND);
        step.send(()).unwrap();
        let status = world
            .scm
            .wait_for("orders", |status| status.checkpoint > checkpoint);
        assert_eq!(status.state, ServiceState::StopPending);
        checkpoint = status.checkpoint;
    }
    drop(step);
    assert_eq!(world.stopped(), (0, 0));
    assert_eq!(world.scm.hung(), []);
    world.assert_lawful();
    let history = world.scm.history("orders");
    assert_eq!(history.last().unwrap().1.state, ServiceState::Stopped);
}

#[test]
fn wd_40_a_cleanup_without_progress_looks_hung_to_the_scm() {
    let (end, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let world = World::new(
        |service| service.progress_lease(SECOND * 2).stop_within(SECOND * 60),
        move |ctx| {
            let wait = Arc::clone(&wait);
            ctx.on_stop(Phase::Close, "stuck", move |_stop| {
                let _ = wait.lock().unwrap().recv();
            })?;
            serve(ctx)
        },
    );
    world.start();
    world.stop();
    world
        .scm
        .wait_for_state("orders", ServiceState::StopPending);
    world.advance(SECOND * 10);
    assert_ne!(world.scm.hung(), []);
    drop(end);
    assert_eq!(world.stopped(), (0, 0));
}

#[test]
fn wd_72_a_failing_cleanup_shows_1066_and_its_code() {
    let world = World::new(plain, |ctx| {
        ctx.on_stop(Phase::Close, "stock", |_stop| {
            Err::<(), _>(Failure::new(7, "no room"))
        })?;
        serve(ctx)
    });
    world.start();
    world.stop();
    assert_eq!(world.stopped(), (code::ERROR_SERVICE_SPECIFIC_ERROR, 7));
    assert_eq!(world.report().verdict, Verdict::Failed);
    world.assert_lawful();
}

/// Cleans up once, when told, and counts.
fn counting(
    cleanups: Arc<AtomicU32>,
    go: Arc<Mutex<Receiver<()>>>,
) -> impl Fn(&Context) -> Result<(), BoxError> {
    move |ctx| {
        let (cleanups, go) = (Arc::clone(&cleanups), Arc::clone(&go));
        ctx.on_stop(Phase::Close, "count", move |_stop| {
            cleanups.fetch_add(1, Ordering::SeqCst);
            let _ = go.lock().unwrap().recv();
        })?;
        serve(ctx)
    }
}

#[test]
fn wd_21_simultaneous_stops_are_one_cleanup() {
    let cleanups = Arc::new(AtomicU32::new(0));
    let (go, wait) = mpsc::channel();
    let world = World::new(
        plain,
        counting(Arc::clone(&cleanups), Arc::new(Mutex::new(wait))),
    );
    world.start();
    let answers: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| world.scm.control("orders", Control::Stop).err()))
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .collect()
    });
    assert!(answers.contains(&None));
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, None | Some(code::ERROR_SERVICE_CANNOT_ACCEPT_CTRL)))
    );
    world
        .scm
        .wait_for_state("orders", ServiceState::StopPending);
    assert_eq!(
        world.scm.control("orders", Control::Stop),
        Err(code::ERROR_SERVICE_CANNOT_ACCEPT_CTRL)
    );
    drop(go);
    assert_eq!(world.stopped(), (0, 0));
    assert_eq!(cleanups.load(Ordering::SeqCst), 1);
    assert_eq!(
        world.scm.control("orders", Control::Stop),
        Err(code::ERROR_SERVICE_NOT_ACTIVE)
    );
    world.assert_lawful();
}

/// The SCM serialises its calls to handlers: one that waited for the cleanup would hold up every other service.
#[test]
fn wd_56_the_handler_returns_while_the_cleanup_hangs() {
    let cleanups = Arc::new(AtomicU32::new(0));
    let (go, wait) = mpsc::channel();
    let world = World::new(
        plain,
        counting(Arc::clone(&cleanups), Arc::new(Mutex::new(wait))),
    );
    world.start();
    world.stop();
    assert!(world.reports.try_recv().is_err(), "the stop goes on");
    drop(go);
    assert_eq!(world.stopped(), (0, 0));
    assert_eq!(cleanups.load(Ordering::SeqCst), 1);
    world.assert_lawful();
}

#[test]
fn wd_33_a_body_that_hangs_is_reported_and_cut_at_the_deadline() {
    let world = World::new(
        |service| service.stop_within(SECOND * 10),
        |ctx| {
            ctx.ready()?;
            loop {
                thread::park();
            }
        },
    );
    world.start();
    world.stop();
    world
        .scm
        .wait_for_state("orders", ServiceState::StopPending);
    world.advance(SECOND * 10);
    let status = world.scm.wait_for_state("orders", ServiceState::Stopped);
    assert_eq!(
        (status.exit_code, status.specific_exit_code),
        (code::ERROR_SERVICE_SPECIFIC_ERROR, 124)
    );
    let report = world.report();
    assert_eq!(report.verdict, Verdict::Forced);
    assert_eq!(report.stragglers[0].kind, "body");
    world.assert_lawful();
}

#[test]
fn wd_30_at_shutdown_the_limit_of_the_system_wins_over_the_services_own() {
    let (begun, hangs) = mpsc::channel();
    let begun = Mutex::new(begun);
    let world = World::new(
        |service| service.stop_within(SECOND * 60),
        move |ctx| {
            let begun = begun.lock().unwrap().clone();
            ctx.on_stop(Phase::Close, "stuck", move |_stop| {
                begun.send(())?;
                loop {
                    thread::park();
                }
                #[expect(unreachable_code, reason = "gives the closure its type")]
                Ok::<(), BoxError>(())
            })?;
            serve(ctx)
        },
    );
    world
        .scm
        .configure("orders", |config| config.preshutdown_timeout = SECOND * 8)
        .unwrap();
    world.start();
    let shutdown = world.scm.shutdown();
    hangs.recv().unwrap();
    world.advance(Duration::from_millis(7_500));
    world.scm.wait_for_state("orders", ServiceState::Stopped);
    let report = shutdown.wait();
    assert!(report.killed.is_empty(), "{report:?}");
    assert!(report.overran_preshutdown.is_empty(), "{report:?}");
    let written = world.report();
    assert_eq!(written.asked_by.request.as_deref(), Some("preshutdown"));
    assert_eq!(written.verdict, Verdict::Forced);
    assert!(written.seconds < 8.0, "{}", written.seconds);
    world.assert_lawful();
}

#[test]
fn wd_13_a_later_request_is_recorded_and_does_not_lengthen_the_stop() {
    let (begun, hangs) = mpsc::channel();
    let begun = Mutex::new(begun);
    let world = World::new(
        |service| service.stop_within(SECOND * 60),
        move |ctx| {
            let begun = begun.lock().unwrap().clone();
            ctx.on_stop(Phase::Close, "stuck", move |_stop| {
                // The test waits for this.
                let _ = begun.send(());
                thread::park();
            })?;
            let asked = ctx.clone();
            ctx.on_stop(Phase::Refuse, "asks again", move |_stop| {
                asked.request_stop("again")
            })?;
            serve(ctx)
        },
    );
    world.start();
    world.stop();
    hangs.recv().unwrap();
    world.advance(SECOND * 60);
    world.scm.wait_for_state("orders", ServiceState::Stopped);
    let report = world.report();
    assert_eq!(report.asked_by.request.as_deref(), Some("stop"));
    assert_eq!(report.also_asked.len(), 1);
    assert_eq!(report.also_asked[0].name.as_deref(), Some("again"));
}

#[test]
fn a_service_that_stops_itself_reports_stopped_once() {
    let world = World::new(plain, |ctx| {
        ctx.ready()?;
        ctx.request_stop("nothing left to do");
        Ok(())
    });
    world.scm.start("orders", &[]).unwrap();
    assert_eq!(world.stopped(), (0, 0));
    let stopped = |(_, status): &(_, winddown_core::scm::ServiceStatus)| {
        status.state == ServiceState::Stopped
    };
    assert_eq!(
        world
            .scm
            .history("orders")
            .iter()
            .skip(1)
            .filter(|entry| stopped(entry))
            .count(),
        1
    );
    world.assert_lawful();
}

#[test]
fn an_error_is_a_failure_to_the_scm_and_its_actions_run() {
    let starts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&starts);
    let world = World::new(plain, move |ctx| {
        if counted.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(Failure::new(3, "the first start fails").into());
        }
        serve(ctx)
    });
    world
        .scm
        .configure("orders", |config: &mut ServiceConfig| {
            config.failure_actions = vec![FailureAction::Restart(SECOND)];
            config.failure_actions_on_non_crash_failures = true;
        })
        .unwrap();
    world.scm.start("orders", &[]).unwrap();
    let status = world.scm.wait_for_state("orders", ServiceState::Stopped);
    assert_eq!((status.exit_code, status.specific_exit_code), (1066, 3));
    world.advance(SECOND * 2);
    world.scm.wait_for_state("orders", ServiceState::Running);
    world.stop();
    assert_eq!(world.stopped(), (0, 0));
    assert_eq!(starts.load(Ordering::SeqCst), 2);
    world.assert_lawful();
}
