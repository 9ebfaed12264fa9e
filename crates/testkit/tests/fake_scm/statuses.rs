use std::sync::{Arc, Mutex, mpsc};

use winddown_core::Clock;
use winddown_core::scm::{Accepted, Control, Scm, ScmError, ServiceState, ServiceStatus};
use winddown_testkit::scm::{ProcessEnd, Rule};

use crate::support::{Bench, accepting, pending, process, report, running, stop, stopped};

/// A service that reports what the test sends.
fn puppet(bench: &Bench) -> mpsc::Sender<ServiceStatus> {
    let (send, statuses) = mpsc::channel();
    let statuses = Mutex::new(statuses);
    let main = move |scm: &dyn Scm, _| {
        for status in statuses.lock().unwrap().iter() {
            let _ = scm.set_status(status);
        }
    };
    bench.scm.service("orders", process(main, |_, _| 0));
    bench.scm.start("orders", &[]).unwrap();
    send
}

fn rules_broken_by(statuses: &[ServiceStatus]) -> Vec<Rule> {
    let bench = Bench::new();
    let send = puppet(&bench);
    for status in statuses {
        send.send(*status).unwrap();
    }
    let reported = statuses.len() + 1;
    while bench.scm.history("orders").len() < reported && bench.scm.violations().is_empty() {
        std::thread::yield_now();
    }
    let violations = bench.scm.violations();
    violations
        .into_iter()
        .map(|violation| violation.rule)
        .collect()
}

/// WD-54; `SetServiceStatus`: no controls are accepted in pending states.
#[test]
fn accepting_controls_while_pending_breaks_a_rule() {
    let starting = ServiceStatus {
        accepted: Accepted::STOP,
        ..pending(ServiceState::StartPending, 1, 3)
    };
    assert_eq!(rules_broken_by(&[starting]), [Rule::AcceptsWhilePending]);
}

/// `service-status-transitions`: only `STOPPED` after `STOP_PENDING`. The call is not refused.
#[test]
fn running_again_after_stop_pending_breaks_a_rule() {
    let broken = rules_broken_by(&[
        accepting(Accepted::STOP),
        pending(ServiceState::StopPending, 1, 3),
        accepting(Accepted::STOP),
    ]);
    let rule = Rule::Transition {
        from: ServiceState::StopPending,
        to: ServiceState::Running,
    };
    assert_eq!(broken, [rule]);
}

/// `SERVICE_STATUS`: checkpoint and hint are for pending states, and a checkpoint only rises.
#[test]
fn checkpoints_outside_pending_states_and_falling_ones_break_rules() {
    let running = ServiceStatus {
        checkpoint: 4,
        ..accepting(Accepted::STOP)
    };
    assert_eq!(
        rules_broken_by(&[running]),
        [Rule::CheckpointOutsidePending]
    );
    let falling = [
        pending(ServiceState::StartPending, 2, 3),
        pending(ServiceState::StartPending, 1, 3),
    ];
    assert_eq!(rules_broken_by(&falling), [Rule::CheckpointWentDown]);
}

/// A whole life by the rules breaks none. A new pending state counts its checkpoints from the beginning.
#[test]
fn a_proper_life_breaks_no_rule() {
    let life = [
        pending(ServiceState::StartPending, 1, 3),
        pending(ServiceState::StartPending, 2, 3),
        accepting(Accepted::STOP),
        pending(ServiceState::StopPending, 1, 3),
        pending(ServiceState::StopPending, 1, 3),
        pending(ServiceState::StopPending, 2, 3),
        stopped(0),
    ];
    assert_eq!(rules_broken_by(&life), []);
}

/// WD-53; `SetServiceStatus`: `STOPPED` is reported once, and nothing after it.
#[test]
fn a_status_after_stopped_breaks_a_rule_and_fails() {
    let bench = Bench::new();
    let (send, answers) = mpsc::channel();
    let send = Mutex::new(send);
    let main = move |scm: &dyn Scm, _| {
        report(scm, stopped(0));
        send.lock()
            .unwrap()
            .send(scm.set_status(stopped(0)))
            .unwrap();
    };
    bench.scm.service("orders", process(main, |_, _| 0));
    bench.scm.start("orders", &[]).unwrap();
    let refused = ScmError::Os {
        call: "SetServiceStatus",
        code: 6,
    };
    assert_eq!(answers.recv().unwrap(), Err(refused));
    let violation = &bench.scm.violations()[0];
    assert_eq!(violation.rule, Rule::ReportAfterStopped);
    assert!(violation.to_string().contains("orders"), "{violation}");
}

/// Error 6, `SetServiceStatus`: only after the handler was registered.
#[test]
fn a_status_before_the_dispatcher_fails() {
    let bench = Bench::new();
    let (send, answers) = mpsc::channel();
    let send = Mutex::new(send);
    bench.scm.service("orders", move |scm: Arc<dyn Scm>| {
        let answer = scm.set_status(accepting(Accepted::NONE));
        send.lock().unwrap().send(answer).unwrap();
    });
    assert_eq!(bench.scm.start("orders", &[]), Err(1053));
    assert!(matches!(
        answers.recv().unwrap(),
        Err(ScmError::Os { code: 6, .. })
    ));
}

/// WD-52; `SERVICE_STATUS`: a hint that passes with no higher checkpoint is a service that hangs. Each time counts once.
#[test]
fn a_hint_that_passes_without_progress_is_noted() {
    let bench = Bench::new();
    let send = puppet(&bench);
    send.send(accepting(Accepted::STOP)).unwrap();
    send.send(pending(ServiceState::StopPending, 1, 3)).unwrap();
    bench
        .scm
        .wait_for_state("orders", ServiceState::StopPending);
    bench.advance(3);
    assert_eq!(bench.scm.hung(), []);
    bench.advance(1);
    bench.advance(1);
    let hung = bench.scm.hung();
    assert_eq!(hung.len(), 1);
    assert_eq!(hung[0].status, pending(ServiceState::StopPending, 1, 3));
    assert_eq!(bench.clock.now().since(hung[0].at).as_secs(), 2);

    send.send(pending(ServiceState::StopPending, 2, 3)).unwrap();
    bench
        .scm
        .wait_for("orders", |status| status.checkpoint == 2);
    bench.advance(3);
    assert_eq!(bench.scm.hung().len(), 1);
    // The same checkpoint again buys no time.
    send.send(pending(ServiceState::StopPending, 2, 60))
        .unwrap();
    bench
        .scm
        .wait_for("orders", |status| status.wait_hint.as_secs() == 60);
    bench.advance(1);
    assert_eq!(bench.scm.hung().len(), 2);

    // It is never killed for that.
    bench.advance(3600);
    let state = bench.scm.status("orders").unwrap().state;
    assert_eq!(state, ServiceState::StopPending);
    send.send(stopped(0)).unwrap();
    bench.scm.wait_for_state("orders", ServiceState::Stopped);
    bench.assert_no_violations();
}

/// WD-72; `SERVICE_STATUS`: 1066 says that the service's own code counts.
#[test]
fn a_services_own_exit_code_is_kept() {
    let bench = Bench::new();
    let status = ServiceStatus {
        specific_exit_code: 4242,
        ..stopped(1066)
    };
    let main = move |scm: &dyn Scm, _| report(scm, status);
    bench.scm.service("orders", process(main, |_, _| 0));
    bench.scm.start("orders", &[]).unwrap();
    assert_eq!(bench.scm.wait_for_exit("orders"), ProcessEnd::Returned);
    assert_eq!(bench.scm.status("orders").unwrap(), status);
}

/// `StartServiceCtrlDispatcherW` returns when the service has stopped, and a service can be started again.
#[test]
fn the_dispatcher_returns_and_the_service_starts_again() {
    let bench = Bench::new();
    bench
        .scm
        .service("orders", running(Accepted::STOP, |scm, _| stop(scm)));
    for _ in 0..20 {
        bench.run("orders");
        bench.scm.control("orders", Control::Stop).unwrap();
        assert_eq!(bench.scm.wait_for_exit("orders"), ProcessEnd::Returned);
    }
    assert_eq!(bench.scm.history("orders").len(), 20 * 4);
    bench.assert_no_violations();
}
