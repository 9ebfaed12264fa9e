use std::time::Duration;

use winddown_core::scm::{Accepted, Control, Scm, ScmError, ServiceState, ServiceStatus};
use winddown_testkit::scm::{FailureAction, ProcessEnd, ServiceConfig, StartType};

use crate::support::{Bench, pending, process, proper, report, running, stop, stopped};

fn restart_after(seconds: u64) -> FailureAction {
    FailureAction::Restart(Duration::from_secs(seconds))
}

fn with_actions(actions: &[FailureAction]) -> ServiceConfig {
    let mut config = ServiceConfig::new("orders");
    config.failure_actions = actions.to_vec();
    config
}

fn actions_taken(bench: &Bench) -> Vec<FailureAction> {
    let failures = bench.scm.failures("orders");
    failures.into_iter().map(|(_, action)| action).collect()
}

/// Error 1067: a process that ends without `STOPPED` was aborted. What it calls afterwards fails.
#[test]
fn a_killed_process_is_cut_off() {
    let bench = Bench::new();
    bench.scm.service("orders", |scm| {
        proper()(std::sync::Arc::clone(&scm));
        let late = scm.set_status(stopped(0));
        assert!(matches!(late, Err(ScmError::Os { code: 6, .. })));
    });
    assert_eq!(bench.scm.kill("orders"), Err(1062));
    bench.run("orders");
    bench.scm.kill("orders").unwrap();
    assert_eq!(bench.scm.status("orders").unwrap(), stopped(1067));
    assert_eq!(bench.scm.wait_for_exit("orders"), ProcessEnd::Killed);
    assert_eq!(bench.scm.control("orders", Control::Stop), Err(1062));
    assert_eq!(bench.scm.failures("orders"), []);
    bench.run("orders");
    bench.assert_no_violations();
}

/// `SERVICE_FAILURE_ACTIONS`: a process whose `service_main` or main function ends without `STOPPED` has failed.
#[test]
fn a_process_that_returns_or_panics_without_stopped_was_aborted() {
    let bench = Bench::new();
    bench.scm.service(
        "panics",
        process(|_, _| panic!("as this test wants"), |_, _| 0),
    );
    bench.scm.start("panics", &[]).unwrap();
    assert_eq!(bench.scm.wait_for_exit("panics"), ProcessEnd::Panicked);
    assert_eq!(bench.scm.status("panics").unwrap(), stopped(1067));

    // A service_main that merely returns has not stopped the service.
    bench
        .scm
        .service("returns", process(|_, _| {}, |scm, _| stop(scm)));
    bench.scm.start("returns", &[]).unwrap();
    let state = bench.scm.status("returns").unwrap().state;
    assert_eq!(state, ServiceState::StartPending);
}

/// `SERVICE_FAILURE_ACTIONS`: the action of the nth failure, and the last one from then on.
#[test]
fn the_nth_failure_has_the_nth_action() {
    let bench = Bench::new();
    let actions = [restart_after(1), FailureAction::Nothing, restart_after(5)];
    bench.scm.create(with_actions(&actions), proper()).unwrap();
    bench.run("orders");
    bench.scm.kill("orders").unwrap();
    bench.clock.advance(Duration::from_millis(999));
    assert_eq!(
        bench.scm.status("orders").unwrap().state,
        ServiceState::Stopped
    );
    bench.clock.advance(Duration::from_millis(1));
    bench.scm.wait_for_state("orders", ServiceState::Running);

    bench.scm.kill("orders").unwrap();
    bench.advance(60);
    assert_eq!(
        bench.scm.status("orders").unwrap().state,
        ServiceState::Stopped
    );

    bench.run("orders");
    for _ in 0..2 {
        bench.scm.kill("orders").unwrap();
        bench.advance(5);
        bench.scm.wait_for_state("orders", ServiceState::Running);
    }
    let expected = [actions[0], actions[1], actions[2], actions[2]];
    assert_eq!(actions_taken(&bench), expected);
}

/// `SERVICE_FAILURE_ACTIONS`: they are counted from the beginning after the reset period without a failure.
#[test]
fn failures_are_forgotten_after_the_reset_period() {
    let bench = Bench::new();
    let mut config = with_actions(&[restart_after(1), FailureAction::Nothing]);
    config.failure_reset_period = Some(Duration::from_secs(60));
    bench.scm.create(config, proper()).unwrap();
    bench.run("orders");
    bench.scm.kill("orders").unwrap();
    bench.advance(1);
    bench.scm.wait_for_state("orders", ServiceState::Running);
    bench.advance(59);
    bench.scm.kill("orders").unwrap();
    bench.advance(1);
    bench.scm.wait_for_state("orders", ServiceState::Running);
    assert_eq!(actions_taken(&bench), [restart_after(1); 2]);
}

/// `SERVICE_FAILURE_ACTIONS_FLAG`: `STOPPED` with an exit code is a failure only where that is asked for.
#[test]
fn an_exit_code_is_a_failure_only_with_the_flag() {
    for (flag, exit_code, failures) in [(false, 7, 0), (true, 7, 1), (true, 0, 0)] {
        let bench = Bench::new();
        let mut config = with_actions(&[FailureAction::Nothing]);
        config.failure_actions_on_non_crash_failures = flag;
        let main = move |scm: &dyn Scm, _| {
            // Before STOPPED a code is no failure.
            let starting = pending(ServiceState::StartPending, 1, 3);
            report(
                scm,
                ServiceStatus {
                    exit_code: 9,
                    ..starting
                },
            );
            report(scm, stopped(exit_code));
        };
        bench.scm.create(config, process(main, |_, _| 0)).unwrap();
        bench.scm.start("orders", &[]).unwrap();
        bench.scm.wait_for_exit("orders");
        assert_eq!(
            bench.scm.failures("orders").len(),
            failures,
            "{flag} {exit_code}"
        );
    }
}

/// `ChangeServiceConfig2W`: a queued restart cannot be cancelled; it starts what was stopped by hand meanwhile.
#[test]
fn a_queued_restart_cannot_be_called_off() {
    let bench = Bench::new();
    let config = with_actions(&[restart_after(30)]);
    bench
        .scm
        .create(config, running(Accepted::STOP, |scm, _| stop(scm)))
        .unwrap();
    bench.run("orders");
    bench.scm.kill("orders").unwrap();
    bench.advance(10);
    bench.run("orders");
    bench.scm.control("orders", Control::Stop).unwrap();
    bench.advance(20);
    bench.scm.wait_for_state("orders", ServiceState::Running);

    // One that is due while the service runs does nothing.
    bench.scm.kill("orders").unwrap();
    bench.run("orders");
    bench.advance(30);
    let starts = bench.scm.history("orders").into_iter();
    let starts = starts.filter(|(_, status)| status.state == ServiceState::StartPending);
    assert_eq!(starts.count(), 4);
}

/// `ChangeServiceConfig2W`: "the service must be explicitly disabled to prevent it from restarting".
#[test]
fn a_disabled_service_is_not_restarted() {
    let bench = Bench::new();
    bench
        .scm
        .create(with_actions(&[restart_after(1)]), proper())
        .unwrap();
    bench.run("orders");
    bench.scm.kill("orders").unwrap();
    let disable = |config: &mut ServiceConfig| config.start_type = StartType::Disabled;
    bench.scm.configure("orders", disable).unwrap();
    bench.advance(60);
    assert_eq!(
        bench.scm.status("orders").unwrap().state,
        ServiceState::Stopped
    );
}
