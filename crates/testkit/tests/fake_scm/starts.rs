use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use winddown_core::scm::{Accepted, Scm, ScmError, ServiceState, ServiceStatus, code};
use winddown_testkit::scm::{ProcessEnd, ServiceConfig, StartType};

use crate::support::{Bench, accepting, pending, process, proper, report, running, stopped};

/// Error 1063, `StartServiceCtrlDispatcherW`: a program that runs "as a console application rather than as a service".
#[test]
fn a_process_that_no_scm_started_is_refused() {
    let bench = Bench::new();
    let (called, calls) = mpsc::channel();
    let called = Mutex::new(called);
    let main = process(
        move |_, _| called.lock().unwrap().send(()).unwrap(),
        |_, _| code::NO_ERROR,
    );
    main(Arc::new(bench.scm.clone()));
    assert!(calls.try_recv().is_err(), "nothing of it was called");
    assert_eq!(
        bench.scm.set_status(stopped(0)),
        Err(ScmError::NotStartedByScm)
    );
}

/// `StartServiceW`: the first argument is the service's name, then those of the call.
#[test]
fn a_service_gets_its_name_and_the_arguments_of_its_start() {
    let bench = Bench::new();
    let (send, arguments) = mpsc::channel();
    let send = Mutex::new(send);
    let main = move |scm: &dyn Scm, arguments| {
        send.lock().unwrap().send(arguments).unwrap();
        report(scm, accepting(Accepted::NONE));
    };
    bench.scm.service("orders", process(main, |_, _| 0));
    bench
        .scm
        .start("orders", &["one", "two words", "é中"])
        .unwrap();
    assert_eq!(
        arguments.recv().unwrap(),
        ["orders", "one", "two words", "é中"]
    );
}

/// `StartServiceW`: it returns before the service runs, with `START_PENDING`, no controls, checkpoint 0, hint 2 s.
#[test]
fn the_first_status_is_set_by_the_scm() {
    let bench = Bench::new();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let main = move |scm: &dyn Scm, _| {
        let _ = wait.lock().unwrap().recv();
        report(scm, accepting(Accepted::STOP));
    };
    bench.scm.service("orders", process(main, |_, _| 0));
    assert_eq!(bench.scm.status("orders").unwrap().exit_code, 1077);
    bench.scm.start("orders", &[]).unwrap();
    let status = bench.scm.status("orders").unwrap();
    assert_eq!(status, pending(ServiceState::StartPending, 0, 2));
    go.send(()).unwrap();
    bench.scm.wait_for_state("orders", ServiceState::Running);
    let states: Vec<_> = bench
        .scm
        .history("orders")
        .into_iter()
        .map(|(_, s)| s.state)
        .collect();
    assert_eq!(states, [ServiceState::StartPending, ServiceState::Running]);
    bench.assert_no_violations();
}

/// Error 1053, `StartServiceCtrlDispatcherW`: the process calls the dispatcher within 30 s.
#[test]
fn a_process_that_never_connects_is_given_up_after_30_s() {
    let bench = Bench::new();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    bench.scm.service("orders", move |scm: Arc<dyn Scm>| {
        let _ = wait.lock().unwrap().recv();
        proper()(scm);
    });
    let starter = thread::spawn({
        let scm = bench.scm.clone();
        move || scm.start("orders", &[])
    });
    bench
        .scm
        .wait_for_state("orders", ServiceState::StartPending);
    bench.clock.advance(Duration::from_millis(29_999));
    let state = bench.scm.status("orders").unwrap().state;
    assert_eq!(state, ServiceState::StartPending);
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(starter.join().unwrap(), Err(1053));
    assert_eq!(bench.scm.status("orders").unwrap(), stopped(1053));
    // The process was killed: too late, it is told so.
    drop(go);
    assert_eq!(bench.scm.wait_for_exit("orders"), ProcessEnd::Killed);
    assert_eq!(bench.scm.status("orders").unwrap(), stopped(1053));
}

/// Error 1053: a process that ends without the dispatcher has not answered its start either, and at once.
#[test]
fn a_process_that_ends_before_it_connects_fails_the_start_at_once() {
    let bench = Bench::new();
    bench.scm.service("orders", |_| {});
    assert_eq!(bench.scm.start("orders", &[]), Err(1053));
    assert_eq!(bench.scm.wait_for_exit("orders"), ProcessEnd::Returned);
}

/// `service-startup`: no update for 80 s and the last hint is a start that hangs; the SCM ends the service.
#[test]
fn a_start_that_hangs_is_ended_after_80_s_and_the_hint() {
    let bench = Bench::new();
    let main = |scm: &dyn Scm, _| report(scm, pending(ServiceState::StartPending, 1, 10));
    bench.scm.service("orders", process(main, |_, _| 0));
    bench.scm.start("orders", &[]).unwrap();
    bench
        .scm
        .wait_for("orders", |status| status.checkpoint == 1);
    bench.advance(89);
    let state = bench.scm.status("orders").unwrap().state;
    assert_eq!(state, ServiceState::StartPending);
    bench.advance(1);
    assert_eq!(bench.scm.status("orders").unwrap(), stopped(1053));
    assert_eq!(bench.scm.wait_for_exit("orders"), ProcessEnd::Killed);
}

/// `service-startup`: each update begins the 80 s again.
#[test]
fn a_start_that_reports_may_take_as_long_as_it_needs() {
    let bench = Bench::new();
    let (step, steps) = mpsc::channel::<ServiceStatus>();
    let steps = Mutex::new(steps);
    let main = move |scm: &dyn Scm, _| {
        for status in steps.lock().unwrap().iter() {
            report(scm, status);
        }
    };
    bench.scm.service("orders", process(main, |_, _| 0));
    bench.scm.start("orders", &[]).unwrap();
    for checkpoint in 1..=5 {
        step.send(pending(ServiceState::StartPending, checkpoint, 60))
            .unwrap();
        bench
            .scm
            .wait_for("orders", |status| status.checkpoint == checkpoint);
        bench.advance(60);
    }
    step.send(accepting(Accepted::STOP)).unwrap();
    bench.scm.wait_for_state("orders", ServiceState::Running);
    assert_eq!(bench.scm.hung(), []);
    bench.assert_no_violations();
}

/// Errors 1056, 1058, 1060.
#[test]
fn what_cannot_be_started_is_refused() {
    let bench = Bench::new();
    assert_eq!(bench.scm.start("orders", &[]), Err(1060));
    bench.scm.service("orders", proper());
    bench.run("orders");
    assert_eq!(bench.scm.start("orders", &[]), Err(1056));
    let mut config = ServiceConfig::new("off");
    config.start_type = StartType::Disabled;
    bench.scm.create(config, proper()).unwrap();
    assert_eq!(bench.scm.start("off", &[]), Err(1058));
}

/// Error 1056, `StartServiceCtrlDispatcherW`: once per process.
#[test]
fn the_dispatcher_is_called_once_per_process() {
    let bench = Bench::new();
    let (send, second) = mpsc::channel();
    let send = Mutex::new(send);
    bench.scm.service("orders", move |scm: Arc<dyn Scm>| {
        running(Accepted::STOP, |scm, _| crate::support::stop(scm))(Arc::clone(&scm));
        let again = scm.run("orders", Arc::new(Nothing));
        send.lock().unwrap().send(again).unwrap();
    });
    bench.run("orders");
    bench
        .scm
        .control("orders", winddown_core::scm::Control::Stop)
        .unwrap();
    let refused = ScmError::Os {
        call: "StartServiceCtrlDispatcherW",
        code: 1056,
    };
    assert_eq!(second.recv().unwrap(), Err(refused));
}

struct Nothing;

impl winddown_core::scm::ServiceProgram for Nothing {
    fn service_main(&self, _arguments: Vec<String>) {
        unreachable!("the dispatcher refuses");
    }

    fn control(&self, _control: winddown_core::scm::Control) -> u32 {
        unreachable!("the dispatcher refuses");
    }
}

/// `StartServiceW`: a service that starts another from its own initialisation waits for itself, until its start is given up.
#[test]
fn a_service_that_starts_another_while_it_starts_hangs() {
    let bench = Bench::new();
    let scm = bench.scm.clone();
    let (entered, inside) = mpsc::channel();
    let entered = Mutex::new(entered);
    let slow = move |own: &dyn Scm, _| {
        entered.lock().unwrap().send(()).unwrap();
        let _ = scm.start("orders", &[]);
        let _ = own.set_status(accepting(Accepted::NONE));
    };
    bench.scm.service("slow", process(slow, |_, _| 0));
    bench.scm.service("orders", proper());
    bench.scm.start("slow", &[]).unwrap();
    inside.recv().unwrap();
    bench.advance(81);
    assert_eq!(bench.scm.history("orders"), []);
    bench.advance(1);
    bench.scm.wait_for_state("orders", ServiceState::Running);
    assert_eq!(bench.scm.status("slow").unwrap(), stopped(1053));
    let history = bench.scm.history("slow");
    let ran = |(_, status): &(_, ServiceStatus)| status.state == ServiceState::Running;
    assert!(!history.iter().any(ran));
}

/// `StartServiceW`: what a service depends on is started first.
#[test]
fn dependencies_start_first() {
    let bench = Bench::new();
    bench.scm.service("store", proper());
    for (name, needs) in [("db", "store"), ("orders", "db")] {
        let mut config = ServiceConfig::new(name);
        config.dependencies = vec![needs.to_owned()];
        bench.scm.create(config, proper()).unwrap();
    }
    bench.run("orders");
    for name in ["store", "db"] {
        let state = bench.scm.status(name).unwrap().state;
        assert_eq!(state, ServiceState::Running, "{name}");
    }
}

/// Errors 1068 and 1075, and 1059 for services that depend on each other.
#[test]
fn a_dependency_that_fails_or_is_missing_fails_the_start() {
    let bench = Bench::new();
    let fails = |scm: &dyn Scm, _| report(scm, stopped(5));
    bench.scm.service("fails", process(fails, |_, _| 0));
    for (name, needs) in [("a", "fails"), ("b", "missing"), ("c", "d"), ("d", "c")] {
        let mut config = ServiceConfig::new(name);
        config.dependencies = vec![needs.to_owned()];
        bench.scm.create(config, proper()).unwrap();
    }
    assert_eq!(bench.scm.start("a", &[]), Err(1068));
    assert_eq!(bench.scm.start("b", &[]), Err(1075));
    assert_eq!(bench.scm.start("c", &[]), Err(1059));
    assert_eq!(bench.scm.status("fails").unwrap(), stopped(5));
}
