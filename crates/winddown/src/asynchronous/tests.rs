//! WD-58 for tasks: one that waits on an executor that is stuck shows no life.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context as TaskContext, Poll, Waker};
use std::thread;
use std::time::Duration;

use winddown_core::{Extension, Mechanism, Wants};
use winddown_testkit::{FakeClock, Watchdog};

use crate::Exit;
use crate::engine::{Engine, Settings};
use crate::host::Host;
use crate::runtime::Runtime;
use crate::sink::ReportSink;
use crate::stop::StopToken;
use crate::subscription::Events;

const PERIOD: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);

/// What a host with a watchdog notices.
#[derive(Debug, PartialEq, Eq)]
enum Noticed {
    /// The runtime looked whether it is time to feed the watchdog.
    Looked,
    Fed,
}

struct Watching(Sender<Noticed>);

impl Host for Watching {
    fn extend_start(&mut self, _: Extension) {}
    fn running(&mut self) {}
    fn paused(&mut self) {}
    fn reloading(&mut self) {}
    fn stopping(&mut self, _: Duration) {}
    fn extend_stop(&mut self, _: Extension) {}
    fn status(&mut self, _: &str) {}
    fn alive(&mut self) {
        let _ = self.0.send(Noticed::Fed);
    }
    fn watchdog(&self) -> Option<Duration> {
        let _ = self.0.send(Noticed::Looked);
        Some(PERIOD)
    }
    fn limit(&self, _: &Mechanism) -> Option<Duration> {
        None
    }
    fn stopped(&mut self, _: Exit) {}
}

/// A service that runs, on a clock of the test's, and what its host notices.
struct World {
    runtime: Arc<Runtime>,
    clock: FakeClock,
    noticed: Receiver<Noticed>,
    _watchdog: Watchdog,
}

impl World {
    fn new() -> Self {
        let clock = FakeClock::new();
        let (notice, noticed) = channel();
        let settings = Settings {
            name: "watched".to_owned(),
            stop_within: PERIOD,
            lease: PERIOD,
            sink: ReportSink::default(),
        };
        let engine = Engine::new(settings, Box::new(Watching(notice)));
        let runtime = Runtime::new(Wants::default(), Arc::new(clock.clone()), engine).unwrap();
        assert!(runtime.engine().start(&runtime));
        let driven = Arc::clone(&runtime);
        thread::spawn(move || driven.drive());
        Self {
            runtime,
            clock,
            noticed,
            _watchdog: Watchdog::arm(PATIENCE),
        }
    }

    /// Moves the clock until the watchdog was fed `enough` times, or the host was asked about it `looks` times.
    fn fed(&self, enough: usize, looks: usize) -> usize {
        let (mut fed, mut looked) = (0, 0);
        while fed < enough && looked < looks {
            self.clock.advance(PERIOD / 2);
            match self.noticed.recv_timeout(PATIENCE).unwrap() {
                Noticed::Looked => looked += 1,
                Noticed::Fed => fed += 1,
            }
        }
        fed
    }
}

fn on_an_executor<F: Future + Send + 'static>(task: F) {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(task);
    });
}

#[test]
fn wd_58_a_task_that_waits_for_events_is_alive() {
    let world = World::new();
    let mut events = Events::new(Arc::clone(&world.runtime)).unwrap();
    on_an_executor(async move { while events.next_async().await.is_some() {} });
    assert_eq!(world.fed(5, usize::MAX), 5);
}

#[test]
fn wd_58_a_thread_that_waits_for_events_is_alive() {
    let world = World::new();
    let events = Events::new(Arc::clone(&world.runtime)).unwrap();
    thread::spawn(move || events.count());
    assert_eq!(world.fed(5, usize::MAX), 5);
}

#[test]
fn wd_58_a_task_on_an_executor_that_is_stuck_is_not() {
    let world = World::new();
    let mut events = Events::new(Arc::clone(&world.runtime)).unwrap();
    let (stuck, is_stuck) = channel();
    on_an_executor(async move {
        let mut next = pin!(events.next_async());
        let waits = next
            .as_mut()
            .poll(&mut TaskContext::from_waker(Waker::noop()));
        assert!(matches!(waits, Poll::Pending));
        stuck.send(()).unwrap();
        loop {
            thread::park();
        }
    });
    is_stuck.recv().unwrap();
    // What it said before it was stuck may still be passed on.
    assert!(world.fed(2, 50) <= 1);
}

#[test]
fn wd_58_who_waits_for_the_stop_alone_does_not_count() {
    let world = World::new();
    let token = StopToken {
        runtime: Arc::clone(&world.runtime),
    };
    let waits = token.clone();
    on_an_executor(async move { waits.stopped().await.map(drop) });
    thread::spawn(move || token.wait());
    assert_eq!(world.fed(1, 50), 0);
}
