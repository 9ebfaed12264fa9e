//! Stops: what the SCM is told meanwhile, and what holds within their time.

use std::hint;
use std::thread;
use std::time::Duration;

use winddown::{Accepted, Phase, Verdict};
use winddown_core::scm::{Control, ServiceState, ServiceStatus, code};

use crate::support::{Held, SECOND, World, plain, serve};

#[test]
fn wd_52_checkpoints_rise_with_progress_and_stopped_is_the_last_word() {
    let (mut held, body) = Held::new();
    let world = World::new(
        |service| service.progress_lease(SECOND * 2).stop_within(SECOND * 60),
        body,
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
        held.progress();
        let status = world
            .scm
            .wait_for("orders", |status| status.checkpoint > checkpoint);
        assert_eq!(status.state, ServiceState::StopPending);
        checkpoint = status.checkpoint;
    }
    held.release();
    assert_eq!(world.stopped(), (0, 0));
    assert_eq!(world.scm.hung(), []);
    world.assert_lawful();
    let history = world.scm.history("orders");
    assert_eq!(history.last().unwrap().1.state, ServiceState::Stopped);
}

#[test]
fn wd_40_a_cleanup_without_progress_looks_hung_to_the_scm() {
    let (mut held, body) = Held::new();
    let world = World::new(
        |service| service.progress_lease(SECOND * 2).stop_within(SECOND * 60),
        body,
    );
    world.start();
    world.stop();
    world
        .scm
        .wait_for_state("orders", ServiceState::StopPending);
    world.advance(SECOND * 10);
    assert_ne!(world.scm.hung(), []);
    held.release();
    assert_eq!(world.stopped(), (0, 0));
}

#[test]
fn wd_21_simultaneous_stops_are_one_cleanup() {
    let (mut held, body) = Held::new();
    let world = World::new(plain, body);
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
    held.release();
    assert_eq!(world.stopped(), (0, 0));
    assert_eq!(held.times_begun(), 1);
    assert_eq!(
        world.scm.control("orders", Control::Stop),
        Err(code::ERROR_SERVICE_NOT_ACTIVE)
    );
    world.assert_lawful();
}

/// The SCM serialises its calls to handlers: one that waited for the cleanup would hold up every other service.
#[test]
fn wd_56_the_handler_returns_while_the_cleanup_hangs() {
    let (mut held, body) = Held::new();
    let world = World::new(plain, body);
    world.start();
    world.stop();
    assert!(world.reports.try_recv().is_err(), "the stop goes on");
    held.release();
    assert_eq!(world.stopped(), (0, 0));
    assert_eq!(held.times_begun(), 1);
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
    let (held, body) = Held::new();
    let world = World::new(|service| service.stop_within(SECOND * 60), body);
    world
        .scm
        .configure("orders", |config| config.preshutdown_timeout = SECOND * 8)
        .unwrap();
    world.start();
    let shutdown = world.scm.shutdown();
    held.wait_until_begun();
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
    let (held, body) = Held::new();
    let world = World::new(
        |service| service.stop_within(SECOND * 60),
        move |ctx| {
            let asked = ctx.clone();
            ctx.on_stop(Phase::Refuse, "asks again", move |_stop| {
                asked.request_stop("again")
            })?;
            body(ctx)
        },
    );
    world.start();
    world.stop();
    held.wait_until_begun();
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
    let stopped = |(_, status): &(_, ServiceStatus)| status.state == ServiceState::Stopped;
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

/// The clock stands: were the end of a guard missed, nobody would look for it again. That is a matter of moments, so there are many.
#[test]
fn wd_25_the_end_of_a_guard_is_not_missed_over_progress_just_before() {
    for moment in 0..1_000 {
        let world = World::new(plain, move |ctx| {
            let (guard, inside) = (ctx.guard("request"), ctx.clone());
            thread::spawn(move || {
                let _ = inside.stopping().wait();
                for _ in 0..3 {
                    inside.progress();
                    for _ in 0..10 * (moment % 100) {
                        hint::spin_loop();
                    }
                }
                drop(guard);
            });
            serve(ctx)
        });
        world.start();
        world.stop();
        assert_eq!(world.stopped(), (0, 0));
    }
}
