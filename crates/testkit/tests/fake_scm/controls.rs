use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use winddown_core::scm::{Accepted, Control, Scm, ServiceState, ServiceStatus, code};
use winddown_testkit::scm::{ProcessEnd, Rule, ServiceConfig};

use crate::support::{
    Bench, accepting, begin_stop, pending, process, proper, report, running, stop, stopped,
};

/// Errors 1060, 1062, 1061: no such service, stopped, stopping.
#[test]
fn a_service_takes_controls_only_while_it_runs() {
    let bench = Bench::new();
    assert_eq!(bench.scm.control("orders", Control::Stop), Err(1060));
    bench
        .scm
        .service("orders", running(Accepted::STOP, |scm, _| begin_stop(scm)));
    assert_eq!(bench.scm.control("orders", Control::Stop), Err(1062));
    bench.run("orders");
    let status = bench.scm.control("orders", Control::Stop).unwrap();
    assert_eq!(status, pending(ServiceState::StopPending, 1, 3));
    for control in [Control::Stop, Control::Interrogate, Control::Custom(128)] {
        assert_eq!(bench.scm.control("orders", control), Err(1061), "{control}");
    }
    bench.assert_no_violations();
}

/// Error 1061: `STOP` while the service starts and accepts nothing.
#[test]
fn a_starting_service_that_accepts_nothing_cannot_be_stopped() {
    let bench = Bench::new();
    bench
        .scm
        .service("orders", process(|_, _| {}, |_, _| code::NO_ERROR));
    bench.scm.start("orders", &[]).unwrap();
    assert_eq!(bench.scm.control("orders", Control::Stop), Err(1061));
    assert_eq!(bench.scm.control("orders", Control::Interrogate), Err(1061));
}

/// Error 1052, `SERVICE_STATUS`: only accepted controls are sent; `INTERROGATE` and custom ones always are.
#[test]
fn only_accepted_controls_are_sent() {
    let bench = Bench::new();
    let (send, seen) = mpsc::channel();
    let send = Mutex::new(send);
    let control = move |_: &dyn Scm, control| {
        send.lock().unwrap().send(control).unwrap();
        code::NO_ERROR
    };
    bench
        .scm
        .service("orders", running(Accepted::PARAM_CHANGE, control));
    bench.run("orders");
    for control in [
        Control::Stop,
        Control::Pause,
        Control::Continue,
        Control::Legacy(7),
    ] {
        assert_eq!(bench.scm.control("orders", control), Err(1052), "{control}");
    }
    let sent = [
        Control::ParamChange,
        Control::Interrogate,
        Control::Custom(128),
        Control::Custom(255),
    ];
    for control in sent {
        assert!(bench.scm.control("orders", control).is_ok(), "{control}");
    }
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), sent);
}

/// Error 87, `ControlService`: system controls and undefined codes are not for clients.
#[test]
fn clients_cannot_send_what_only_the_system_sends() {
    let bench = Bench::new();
    let accepted = Accepted::SHUTDOWN | Accepted::PRESHUTDOWN | Accepted::SESSION_CHANGE;
    bench
        .scm
        .service("orders", running(accepted, |_, _| code::NO_ERROR));
    bench.run("orders");
    let logon = Control::SessionChange {
        event: 5,
        session: 1,
    };
    for control in [
        Control::Shutdown,
        Control::Preshutdown,
        logon,
        Control::Custom(127),
    ] {
        assert_eq!(bench.scm.control("orders", control), Err(87), "{control}");
    }
    assert!(bench.scm.system_control("orders", logon).is_ok());
    let unwanted = bench.scm.system_control("orders", Control::TimeChange);
    assert_eq!(unwanted, Err(1052));
}

/// Error 120, `HandlerEx`: what the handler answers is what the client gets.
#[test]
fn the_handlers_answer_is_passed_on() {
    let bench = Bench::new();
    let control = |_: &dyn Scm, control| match control {
        Control::Custom(200) => 4321,
        Control::Interrogate => code::NO_ERROR,
        _ => code::ERROR_CALL_NOT_IMPLEMENTED,
    };
    bench
        .scm
        .service("orders", running(Accepted::PAUSE_CONTINUE, control));
    bench.run("orders");
    assert_eq!(bench.scm.control("orders", Control::Pause), Err(120));
    assert_eq!(bench.scm.control("orders", Control::Custom(200)), Err(4321));
    bench.assert_no_violations();
}

/// `HandlerEx`: `STOP` that is accepted, and `INTERROGATE`, are answered with `NO_ERROR`; a refused `STOP` may be sent again.
#[test]
fn a_service_that_refuses_what_it_accepted_breaks_a_rule() {
    let bench = Bench::new();
    let control = |_: &dyn Scm, _| code::ERROR_CALL_NOT_IMPLEMENTED;
    bench
        .scm
        .service("orders", running(Accepted::STOP, control));
    bench.run("orders");
    for control in [Control::Stop, Control::Interrogate, Control::Stop] {
        assert_eq!(bench.scm.control("orders", control), Err(120));
        let rule = bench.scm.violations().last().unwrap().rule;
        assert_eq!(
            rule,
            Rule::Refused {
                control,
                answer: 120
            }
        );
    }
}

/// Error 1061, `service-control-handler-function`: after `STOP` no other control is sent, whatever the status.
#[test]
fn of_two_stops_at_the_same_time_one_is_delivered() {
    let bench = Bench::new();
    let (entered, inside) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let (entered, wait) = (Mutex::new(entered), Mutex::new(wait));
    let control = move |_: &dyn Scm, _| {
        entered.lock().unwrap().send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
        code::NO_ERROR
    };
    bench
        .scm
        .service("orders", running(Accepted::STOP, control));
    bench.run("orders");
    let stops: Vec<_> = (0..2)
        .map(|_| {
            let scm = bench.scm.clone();
            thread::spawn(move || {
                scm.control("orders", Control::Stop)
                    .map(|status| status.state)
            })
        })
        .collect();
    inside.recv().unwrap();
    go.send(()).unwrap();
    let mut answers: Vec<_> = stops.into_iter().map(|stop| stop.join().unwrap()).collect();
    answers.sort_by_key(Result::is_err);
    assert_eq!(answers, [Ok(ServiceState::Running), Err(1061)]);
    drop(go);
    assert!(inside.try_recv().is_err());
    assert_eq!(bench.scm.control("orders", Control::Interrogate), Err(1061));
}

/// Error 1053, `ControlService`: one control at a time across all services, and 30 s for a handler.
#[test]
fn a_slow_handler_holds_up_every_other_service() {
    let bench = Bench::new();
    let (entered, inside) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let (entered, wait) = (Mutex::new(entered), Mutex::new(wait));
    let slow = move |_: &dyn Scm, _| {
        entered.lock().unwrap().send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
        code::NO_ERROR
    };
    bench.scm.service("slow", running(Accepted::NONE, slow));
    bench.scm.service("orders", proper());
    bench.scm.service("late", proper());
    bench.run("slow");
    bench.run("orders");
    let client = |name: &'static str, control| {
        let scm = bench.scm.clone();
        thread::spawn(move || scm.control(name, control).map(|status| status.state))
    };
    let first = client("slow", Control::Custom(128));
    inside.recv().unwrap();
    let second = client("orders", Control::Interrogate);
    let start = thread::spawn({
        let scm = bench.scm.clone();
        move || scm.start("late", &[])
    });
    bench.clock.advance(Duration::from_millis(29_999));
    assert!(!first.is_finished());
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(first.join().unwrap(), Err(1053));
    // The others may have begun to wait a little later.
    while !second.is_finished() || !start.is_finished() {
        bench.advance(1);
        thread::yield_now();
    }
    assert_eq!(second.join().unwrap(), Err(1053));
    assert_eq!(start.join().unwrap(), Err(1053));
    let rule = bench.scm.violations()[0].rule;
    assert_eq!(rule, Rule::SlowHandler(Control::Custom(128)));

    // Once it returns after all, the others are served again.
    go.send(()).unwrap();
    assert!(bench.scm.control("orders", Control::Interrogate).is_ok());
    assert_eq!(bench.scm.violations().len(), 1);
}

/// Error 1053: a handler that never returns holds up the others until its process is killed.
#[test]
fn killing_the_process_of_a_slow_handler_frees_the_others() {
    let bench = Bench::new();
    let (entered, inside) = mpsc::channel();
    let (_go, wait) = mpsc::channel::<()>();
    let (entered, wait) = (Mutex::new(entered), Mutex::new(wait));
    let slow = move |_: &dyn Scm, _| {
        entered.lock().unwrap().send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
        code::NO_ERROR
    };
    bench.scm.service("slow", running(Accepted::NONE, slow));
    bench.scm.service("orders", proper());
    bench.run("slow");
    bench.run("orders");
    let client = thread::spawn({
        let scm = bench.scm.clone();
        move || scm.control("slow", Control::Interrogate)
    });
    inside.recv().unwrap();
    bench.advance(30);
    assert_eq!(client.join().unwrap(), Err(1053));
    bench.scm.kill("slow").unwrap();
    assert!(bench.scm.control("orders", Control::Interrogate).is_ok());
}

/// Error 1051: a service on which running ones depend is not stopped.
#[test]
fn dependents_are_stopped_first() {
    let bench = Bench::new();
    bench.scm.service("db", proper());
    let mut config = ServiceConfig::new("orders");
    config.dependencies = vec!["db".to_owned()];
    bench.scm.create(config, proper()).unwrap();
    bench.run("orders");
    assert_eq!(bench.scm.control("db", Control::Stop), Err(1051));
    assert!(bench.scm.control("db", Control::Interrogate).is_ok());
    for name in ["orders", "db"] {
        let status = bench.scm.control(name, Control::Stop).unwrap();
        assert_eq!(status, stopped(0));
    }
    bench.assert_no_violations();
}

/// `service-status-transitions`: pause and continue, through their pending states.
#[test]
fn a_service_pauses_and_continues() {
    let bench = Bench::new();
    let accepted = Accepted::STOP | Accepted::PAUSE_CONTINUE;
    let paused = ServiceStatus {
        accepted,
        ..ServiceStatus::of(ServiceState::Paused)
    };
    let control = move |scm: &dyn Scm, control| match control {
        Control::Pause => {
            report(scm, pending(ServiceState::PausePending, 1, 3));
            report(scm, paused);
            code::NO_ERROR
        }
        Control::Continue => {
            report(scm, pending(ServiceState::ContinuePending, 1, 3));
            report(scm, accepting(accepted));
            code::NO_ERROR
        }
        _ => stop(scm),
    };
    bench.scm.service("orders", running(accepted, control));
    bench.run("orders");
    let status = bench.scm.control("orders", Control::Pause).unwrap();
    assert_eq!(status, paused);
    let status = bench.scm.control("orders", Control::Continue).unwrap();
    assert_eq!(status, accepting(accepted));
    bench.scm.control("orders", Control::Pause).unwrap();
    bench.scm.control("orders", Control::Stop).unwrap();
    assert_eq!(bench.scm.wait_for_exit("orders"), ProcessEnd::Returned);
    bench.assert_no_violations();
}

/// Error 109: the process ends in its handler.
#[test]
fn a_process_that_dies_in_its_handler_breaks_the_pipe() {
    let bench = Bench::new();
    let control = |_: &dyn Scm, _| panic!("the handler fails, as this test wants");
    bench
        .scm
        .service("orders", running(Accepted::STOP, control));
    bench.run("orders");
    assert_eq!(bench.scm.control("orders", Control::Stop), Err(109));
    assert_eq!(bench.scm.status("orders").unwrap(), stopped(1067));
    assert_eq!(bench.scm.wait_for_exit("orders"), ProcessEnd::Panicked);
}

/// The handler runs on the thread that called the dispatcher, `service_main` on another.
#[test]
fn the_handler_runs_on_the_dispatchers_thread() {
    let bench = Bench::new();
    let (send, threads) = mpsc::channel();
    let send = Arc::new(Mutex::new(send));
    let tell = move || send.lock().unwrap().send(thread::current().id()).unwrap();
    let tell = Arc::new(tell);
    let (in_main, in_handler, in_process) = (Arc::clone(&tell), Arc::clone(&tell), tell);
    let serve = process(
        move |scm, _| {
            in_main();
            report(scm, accepting(Accepted::STOP));
        },
        move |scm, _| {
            in_handler();
            stop(scm)
        },
    );
    bench.scm.service("orders", move |scm| {
        in_process();
        serve(scm);
    });
    bench.run("orders");
    bench.scm.control("orders", Control::Stop).unwrap();
    let threads: Vec<_> = threads.try_iter().collect();
    assert_eq!(threads[0], threads[2]);
    assert_ne!(threads[0], threads[1]);
}
