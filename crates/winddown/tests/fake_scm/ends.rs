//! How a service ended, as the SCM and the report say it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use winddown::{Context, Failure, Phase, Verdict};
use winddown_core::scm::{ServiceState, code};
use winddown_testkit::scm::{FailureAction, ServiceConfig};

use crate::support::{SECOND, World, plain, serve};

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

/// A callback that panics, hangs or asks the service something does not hold up its end.
#[test]
fn wd_33_the_report_cannot_hold_up_the_end() {
    for misdeed in ["panic", "hang", "ask"] {
        let context = Arc::new(Mutex::new(None::<Context>));
        let (asked, reported) = (Arc::clone(&context), Arc::new(Mutex::new(())));
        let hold = Arc::clone(&reported);
        let held = hold.lock().unwrap();
        let world = World::new(
            move |service| {
                let (asked, reported) = (Arc::clone(&asked), Arc::clone(&reported));
                service
                    .stop_within(SECOND)
                    .on_report(move |report| match misdeed {
                        "panic" => panic!("a report of {} is too much", report.service),
                        "hang" => drop(reported.lock()),
                        _ => {
                            let context = asked.lock().unwrap().take().unwrap();
                            assert!(!context.stopping().wait().remaining().is_zero());
                            context.request_stop("again");
                        }
                    })
            },
            move |ctx| {
                *context.lock().unwrap() = Some(ctx.clone());
                serve(ctx)
            },
        );
        world.start();
        world.stop();
        assert_eq!(world.stopped(), (0, 0), "{misdeed}");
        world.assert_lawful();
        drop(held);
    }
}
