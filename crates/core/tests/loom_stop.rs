//! The way of a stop from a signal handler to the cleanup, every interleaving of it: no stop is lost (WD-11), it begins once
//! (WD-4), and a cleanup runs once (WD-21).
//!
//! The model has the library's three parties: a handler that notes and wakes, the runtime's own thread that clears, drains
//! under the lock and waits, and a thread of the program that drains under the same lock. A handler on that thread sets a timer
//! instead of waking, so that the program's thread drains first. The decisions are the real ones.

#![cfg(loom)]

use std::panic::Location;
use std::time::Duration;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread::{self, JoinHandle};
use winddown_core::report::HookOutcome;
use winddown_core::{
    Budget, Effect, InFlight, Input, Pending, Phase, Sequence, State, Step, Timestamp, transition,
};

const TERM: u32 = 15;

struct Model {
    pending: Pending,
    engine: Mutex<Engine>,
    /// The level-triggered latches between handler and runtime.
    wakes: (Mutex<Wakes>, Condvar),
    /// Whether the timer is on its way.
    armed: AtomicBool,
}

#[derive(Default)]
struct Wakes {
    now: bool,
    /// The timer, once its time has come.
    soon: bool,
}

struct Engine {
    state: State,
    begun: u32,
    joined: u32,
    cleanups: u32,
    sequence: Sequence,
}

impl Model {
    fn new() -> Arc<Self> {
        let mut sequence = Sequence::new();
        sequence.register(Phase::Close, "cleanup".to_owned(), Location::caller());
        Arc::new(Self {
            pending: Pending::new(),
            engine: Mutex::new(Engine {
                state: State::Running,
                begun: 0,
                joined: 0,
                cleanups: 0,
                sequence,
            }),
            wakes: (Mutex::default(), Condvar::new()),
            armed: AtomicBool::new(false),
        })
    }

    fn handler(&self, number: u32) {
        self.pending.note(number, 1, Some(0), 0);
        self.wake(|wakes| wakes.now = true);
    }

    /// A handler on the thread that drains when it returns; the timer, if it set it.
    fn handler_on_draining_thread(model: &Arc<Self>, number: u32) -> Option<JoinHandle<()>> {
        model.pending.note(number, 1, Some(0), 0);
        if model.armed.swap(true, Ordering::AcqRel) {
            model.wake(|wakes| wakes.now = true);
            return None;
        }
        let timer = Arc::clone(model);
        Some(thread::spawn(move || timer.wake(|wakes| wakes.soon = true)))
    }

    fn wake(&self, set: impl FnOnce(&mut Wakes)) {
        set(&mut self.wakes.0.lock().unwrap());
        self.wakes.1.notify_all();
    }

    fn clear(&self) {
        self.wakes.0.lock().unwrap().now = false;
        self.armed.store(false, Ordering::Release);
        self.wakes.0.lock().unwrap().soon = false;
    }

    /// What any thread may do: decide about all that has arrived.
    fn pump(&self) -> bool {
        let mut engine = self.engine.lock().unwrap();
        for _ in self.pending.take() {
            let (next, effects) = transition(engine.state, Input::Stop);
            engine.state = next;
            engine.begun += effects.iter().filter(|e| **e == Effect::BeginStop).count() as u32;
            engine.joined += effects.iter().filter(|e| **e == Effect::JoinStop).count() as u32;
        }
        engine.state >= State::Stopping
    }

    /// The runtime's own thread: sleeps until woken, and ends the stop.
    fn drive(&self) {
        loop {
            self.clear();
            if self.pump() {
                break;
            }
            let mut wakes = self.wakes.0.lock().unwrap();
            while !wakes.now && !wakes.soon {
                wakes = self.wakes.1.wait(wakes).unwrap();
            }
        }
        let budget = Budget::new(Timestamp::ZERO, Duration::from_secs(20));
        let free = InFlight {
            guards: 0,
            body: false,
        };
        let mut engine = self.engine.lock().unwrap();
        while let Step::Run { hook, .. } = engine.sequence.step(Timestamp::ZERO, &budget, free) {
            engine.cleanups += 1;
            engine
                .sequence
                .finished(hook, Timestamp::ZERO, HookOutcome::Done);
        }
        engine.state = transition(engine.state, Input::Drained).0;
    }
}

fn check(model: &Model, signals: u32) {
    let engine = model.engine.lock().unwrap();
    assert_eq!(engine.state, State::Stopped);
    assert_eq!(engine.begun, 1);
    assert_eq!(engine.cleanups, 1);
    assert!(engine.joined < signals);
}

/// A deadlock here, which loom reports, is a lost stop.
#[test]
fn wd_11_a_stop_reaches_the_runtime_while_the_program_drains_too() {
    loom::model(|| {
        let model = Model::new();
        let handler = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.handler(TERM))
        };
        let program = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.pump())
        };
        model.drive();
        handler.join().unwrap();
        program.join().unwrap();
        check(&model, 1);
    });
}

/// The program's thread drains first, and may hang with its stop: the runtime hears of it all the same.
#[test]
fn wd_11_a_stop_reaches_the_runtime_although_the_program_drains_first() {
    drained_first(&[TERM]);
}

#[test]
fn wd_11_two_signals_reach_the_runtime_although_the_program_drains_first() {
    drained_first(&[TERM, 2]);
}

fn drained_first(signals: &'static [u32]) {
    let mut bounded = loom::model::Builder::new();
    bounded.preemption_bound = Some(3);
    bounded.check(move || {
        let model = Model::new();
        let program = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let timers = signals.iter().map(|number| {
                    let timer = Model::handler_on_draining_thread(&model, *number);
                    model.pump();
                    timer
                });
                timers.collect::<Vec<_>>()
            })
        };
        model.drive();
        for timer in program.join().unwrap().into_iter().flatten() {
            timer.join().unwrap();
        }
        check(&model, signals.len() as u32);
    });
}

#[test]
fn wd_21_two_signals_are_one_cleanup() {
    let mut bounded = loom::model::Builder::new();
    bounded.preemption_bound = Some(3);
    bounded.check(|| {
        let model = Model::new();
        let senders: Vec<_> = [TERM, 2]
            .into_iter()
            .map(|number| {
                let model = Arc::clone(&model);
                thread::spawn(move || model.handler(number))
            })
            .collect();
        model.drive();
        for sender in senders {
            sender.join().unwrap();
        }
        check(&model, 2);
    });
}
