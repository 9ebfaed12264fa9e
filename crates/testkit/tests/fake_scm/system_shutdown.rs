use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use winddown_core::scm::{Accepted, Control, Scm, ServiceState, code};
use winddown_testkit::scm::{FailureAction, ProcessEnd, ServiceConfig};

use crate::support::{Bench, accepting, begin_stop, process, report, running, stop, stopped};

const BOTH: Accepted =
    Accepted::from_bits(Accepted::SHUTDOWN.bits() | Accepted::PRESHUTDOWN.bits());

/// Creates running services that tell which control reached them, and do `then`.
fn services(
    bench: &Bench,
    services: &[(&'static str, Accepted)],
    then: fn(&dyn Scm) -> u32,
) -> mpsc::Receiver<(&'static str, Control)> {
    let (send, told) = mpsc::channel();
    let send = Arc::new(Mutex::new(send));
    for (name, accepted) in services {
        let (name, send) = (*name, Arc::clone(&send));
        let control = move |scm: &dyn Scm, control| {
            send.lock().unwrap().send((name, control)).unwrap();
            then(scm)
        };
        bench.scm.service(name, running(*accepted, control));
        bench.run(name);
    }
    told
}

/// `HandlerEx`: `PRESHUTDOWN` comes before every `SHUTDOWN`, and in its place.
#[test]
fn preshutdown_comes_first_and_instead() {
    let bench = Bench::new();
    let told = services(
        &bench,
        &[
            ("plain", Accepted::SHUTDOWN),
            ("early", BOTH),
            ("deaf", Accepted::STOP),
        ],
        stop,
    );
    let report = bench.scm.shutdown().wait();
    assert_eq!(
        told.try_iter().collect::<Vec<_>>(),
        [
            ("early", Control::Preshutdown),
            ("plain", Control::Shutdown)
        ]
    );
    assert_eq!(report.killed, ["deaf"]);
    assert_eq!(report.took, Duration::ZERO);
    assert_eq!(bench.scm.status("deaf").unwrap(), stopped(1067));
    bench.assert_no_violations();
}

/// `service-control-handler-function`: `SHUTDOWN` follows the order of the database, whatever depends on what.
#[test]
fn shutdown_ignores_dependencies() {
    let bench = Bench::new();
    let told = services(&bench, &[("db", Accepted::SHUTDOWN)], stop);
    bench.scm.configure("db", |_| {}).unwrap();
    let (send, told_too) = mpsc::channel();
    let send = Mutex::new(send);
    let mut config = ServiceConfig::new("orders");
    config.dependencies = vec!["db".to_owned()];
    let control = move |scm: &dyn Scm, control| {
        send.lock().unwrap().send(control).unwrap();
        stop(scm)
    };
    bench
        .scm
        .create(config, running(Accepted::SHUTDOWN, control))
        .unwrap();
    bench.run("orders");
    let _ = bench.scm.shutdown().wait();
    assert_eq!(told.try_recv(), Ok(("db", Control::Shutdown)));
    assert_eq!(told_too.try_recv(), Ok(Control::Shutdown));
}

/// `WaitToKillServiceTimeout`: 5 s for all together, and then they are killed.
#[test]
fn who_does_not_stop_in_time_is_killed() {
    for (limit, seconds) in [(None, 5), (Some(20), 20)] {
        let bench = Bench::new();
        if let Some(limit) = limit {
            bench.scm.set_wait_to_kill(Duration::from_secs(limit));
        }
        let _told = services(&bench, &[("slow", Accepted::SHUTDOWN)], begin_stop);
        let shutdown = bench.scm.shutdown();
        bench.scm.wait_for_state("slow", ServiceState::StopPending);
        bench.advance(seconds - 1);
        let state = bench.scm.status("slow").unwrap().state;
        assert_eq!(state, ServiceState::StopPending);
        bench.advance(1);
        let report = shutdown.wait();
        assert_eq!(report.killed, ["slow"]);
        assert_eq!(report.took, Duration::from_secs(seconds));
        assert_eq!(bench.scm.wait_for_exit("slow"), ProcessEnd::Killed);
    }
}

/// `SERVICE_PRESHUTDOWN_INFO`: 10 s unless configured. Who overruns it is not sent `SHUTDOWN` and is killed at the end.
#[test]
fn each_service_has_its_own_preshutdown_timeout() {
    let bench = Bench::new();
    let told = services(&bench, &[("short", BOTH), ("long", BOTH)], begin_stop);
    let minute = Duration::from_secs(60);
    bench
        .scm
        .configure("long", |config| config.preshutdown_timeout = minute)
        .unwrap();
    let shutdown = bench.scm.shutdown();
    bench.scm.wait_for_state("long", ServiceState::StopPending);
    bench.advance(60);
    // Both are still stopping, so that the last phase takes its whole time too.
    while bench.scm.status("long").unwrap().state != ServiceState::Stopped {
        bench.advance(1);
        std::thread::yield_now();
    }
    let report = shutdown.wait();
    assert!(report.took >= Duration::from_secs(65), "{report:?}");
    assert_eq!(report.overran_preshutdown, ["short", "long"]);
    assert_eq!(report.killed, ["short", "long"]);
    let controls: Vec<_> = told.try_iter().map(|(_, control)| control).collect();
    assert_eq!(controls, [Control::Preshutdown; 2]);
}

/// `service-control-handler-function`: `PreshutdownOrder` has services told one after another, before the others.
#[test]
fn the_preshutdown_order_is_kept() {
    let bench = Bench::new();
    let all = [("a", BOTH), ("b", BOTH), ("c", BOTH)];
    let told = services(&bench, &all, stop);
    bench.scm.set_preshutdown_order(&["c", "b"]);
    let _ = bench.scm.shutdown().wait();
    let order: Vec<_> = told.try_iter().map(|(name, _)| name).collect();
    assert_eq!(order, ["c", "b", "a"]);
}

/// The second of the order is told only when the first has stopped or its timeout has passed.
#[test]
fn the_preshutdown_order_waits_for_each() {
    let bench = Bench::new();
    let told = services(&bench, &[("first", BOTH), ("second", BOTH)], begin_stop);
    bench.scm.set_preshutdown_order(&["first", "second"]);
    let shutdown = bench.scm.shutdown();
    assert_eq!(told.recv().unwrap().0, "first");
    bench.advance(9);
    assert!(told.try_recv().is_err());
    bench.advance(1);
    assert_eq!(told.recv().unwrap().0, "second");
    bench.scm.kill("first").unwrap();
    bench.scm.kill("second").unwrap();
    assert_eq!(shutdown.wait().overran_preshutdown, ["first"]);
}

/// Error 1115: clients are refused while the system shuts down, and nothing is restarted.
#[test]
fn a_shutdown_refuses_clients_and_restarts_nothing() {
    let bench = Bench::new();
    let mut config = ServiceConfig::new("orders");
    config.failure_actions = vec![FailureAction::Restart(Duration::ZERO)];
    let main = running(Accepted::SHUTDOWN, |scm, _| begin_stop(scm));
    bench.scm.create(config, main).unwrap();
    bench.run("orders");
    let shutdown = bench.scm.shutdown();
    bench
        .scm
        .wait_for_state("orders", ServiceState::StopPending);
    assert_eq!(bench.scm.start("orders", &[]), Err(1115));
    assert_eq!(bench.scm.control("orders", Control::Interrogate), Err(1115));
    bench.advance(5);
    assert_eq!(shutdown.wait().killed, ["orders"]);
    bench.advance(60);
    assert_eq!(bench.scm.failures("orders"), []);
    assert_eq!(bench.scm.status("orders").unwrap(), stopped(1067));
}

/// A service that was told to stop before, and may not even have said so, is told nothing more, and waited for.
#[test]
fn a_stop_under_way_is_waited_for() {
    let all = BOTH | Accepted::STOP;
    for then in [begin_stop, |_: &dyn Scm| code::NO_ERROR] {
        let bench = Bench::new();
        let told = services(&bench, &[("orders", all)], then);
        bench.scm.control("orders", Control::Stop).unwrap();
        let shutdown = bench.scm.shutdown();
        bench.advance(4);
        let state = bench.scm.status("orders").unwrap().state;
        assert_ne!(state, ServiceState::Stopped);
        bench.advance(1);
        assert_eq!(shutdown.wait().killed, ["orders"]);
        assert_eq!(
            told.try_iter().collect::<Vec<_>>(),
            [("orders", Control::Stop)]
        );
    }
}

/// A service learns its limits: of `SHUTDOWN` the system's, of `PRESHUTDOWN` its own, of others none.
#[test]
fn a_service_knows_its_limits() {
    let bench = Bench::new();
    let (send, limits) = mpsc::channel();
    let send = Mutex::new(send);
    let main = move |scm: &dyn Scm, _| {
        let limits = [Control::Shutdown, Control::Preshutdown, Control::Stop];
        send.lock()
            .unwrap()
            .send(limits.map(|control| scm.limit(control)))
            .unwrap();
        report(scm, accepting(Accepted::NONE));
    };
    bench
        .scm
        .service("orders", process(main, |_, _| code::NO_ERROR));
    bench.run("orders");
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(limits.recv().unwrap(), [seconds(5), seconds(10), None]);
}
