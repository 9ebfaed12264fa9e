//! What reaches the program, and what is refused.

use std::sync::Mutex;
use std::sync::mpsc;

use winddown::{Accepted, Event};
use winddown_core::scm::{Control, ServiceState, code};

use crate::support::{World, plain, serve};

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
