//! The way of a stop from a signal handler to the cleanup, every interleaving of it: no stop is lost (WD-11), it begins once
//! (WD-4), and a cleanup runs once (WD-21).
//!
//! The model has the library's three parties: a handler that notes and wakes, the runtime's own thread that clears, drains
//! under the lock and waits, and a thread of the program that drains under the same lock. The decisions are the real ones.

#![cfg(loom)]

use std::panic::Location;
use std::time::Duration;

use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use winddown_core::report::HookOutcome;
use winddown_core::{
    Budget, Effect, InFlight, Input, Pending, Phase, Sequence, State, Step, Timestamp, transition,
};

const TERM: u32 = 15;

struct Model {
    pending: Pending,
    engine: Mutex<Engine>,
    /// The level-triggered latch between handler and runtime.
    wake: (Mutex<bool>, Condvar),
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
            wake: (Mutex::new(false), Condvar::new()),
        })
    }

    fn handler(&self, number: u32) {
        self.pending.note(number, 1, Some(0), 0);
        *self.wake.0.lock().unwrap() = true;
        self.wake.1.notify_all();
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
            *self.wake.0.lock().unwrap() = false;
            if self.pump() {
                break;
            }
            let mut woken = self.wake.0.lock().unwrap();
            while !*woken {
                woken = self.wake.1.wait(woken).unwrap();
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
