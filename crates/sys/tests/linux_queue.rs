//! Signals as a descriptor, for a program with one thread.
#![cfg(target_os = "linux")]

mod linux_support;

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, id};
use std::time::Instant;

use linux_support::{WATCHDOG, bits, fork, ignore, signals, status_mask};
use winddown_core::Arrival;
use winddown_core::Signal::{self, Chld, Hup, Int, Pipe, Rt, Term, Usr1};
use winddown_sys::{Error, SignalQueue, Sources, signal, wait_any};

#[track_caller]
fn receive(queue: &SignalQueue) -> Vec<Arrival> {
    let start = Instant::now();
    while start.elapsed() < WATCHDOG {
        wait_any(&[queue], Some(WATCHDOG));
        let arrivals = queue.drain();
        if !arrivals.is_empty() {
            return arrivals;
        }
    }
    panic!("nothing arrived in {WATCHDOG:?}");
}

fn send(signal: Signal) {
    signal::send(id(), signal).unwrap();
}

/// WD-80: realtime signals do not merge, and each names its sender; standard ones merge, as the kernel has it.
#[test]
fn wd_80_realtime_signals_come_one_by_one() {
    fork(|_| {
        let queue = SignalQueue::attach().unwrap();
        for _ in 0..5 {
            send(Rt(1));
            send(Term);
        }
        let arrivals = queue.drain();
        assert_eq!(
            signals(&arrivals),
            [Term, Rt(1), Rt(1), Rt(1), Rt(1), Rt(1)]
        );
        for arrival in &arrivals {
            assert_eq!(arrival.origin.pid, Some(id()));
            assert_eq!(arrival.origin.uid, Some(rustix::process::getuid().as_raw()));
        }
        assert!(queue.drain().is_empty());
        assert_eq!(
            wait_any(&[&queue], Some(std::time::Duration::ZERO)),
            [false]
        );
    })
    .finish();
}

/// The kernel hands them over by their numbers, of which those of keys are the lower ones.
#[test]
fn wd_12_of_those_found_at_once_term_is_the_first() {
    fork(|_| {
        let queue = SignalQueue::attach().unwrap();
        [Term, Usr1, Int].into_iter().for_each(send);
        assert_eq!(signals(&queue.drain()), [Term, Int, Usr1]);
    })
    .finish();
}

/// WD-11: who sends signals without end does not keep the loop from its other work; nothing is lost.
#[test]
fn wd_11_a_flood_is_taken_in_parts() {
    fork(|_| {
        let queue = SignalQueue::attach().unwrap();
        for _ in 0..100 {
            send(Rt(1));
        }
        assert_eq!(queue.drain().len(), 64);
        assert_eq!(wait_any(&[&queue], None), [true]);
        assert_eq!(queue.drain().len(), 36);
    })
    .finish();
}

/// WD-82: what the starter left ignored arrives, and children can be waited for.
#[test]
fn wd_82_inherited_dispositions_are_undone() {
    fork(|_| {
        ignore(&[Term, Chld]);
        let queue = SignalQueue::attach().unwrap();
        let mut child = Command::new("true").spawn().unwrap();
        let arrivals = receive(&queue);
        assert_eq!(signals(&arrivals), [Chld]);
        assert_eq!(arrivals[0].origin.pid, None);
        assert!(child.wait().unwrap().success());
        send(Term);
        assert_eq!(signals(&receive(&queue)), [Term]);
    })
    .finish();
}

/// WD-83: under `nohup` the terminal's end is not seen.
#[test]
fn wd_83_an_ignored_hup_does_not_arrive() {
    fork(|_| {
        ignore(&[Hup]);
        let queue = SignalQueue::attach().unwrap();
        send(Hup);
        send(Usr1);
        assert_eq!(signals(&receive(&queue)), [Usr1]);
    })
    .finish();
}

/// A reader that has gone is an error to a supervisor, not its death.
#[test]
fn a_broken_pipe_does_not_kill() {
    fork(|_| {
        // SAFETY: SIG_DFL is no function.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let _queue = SignalQueue::attach().unwrap();
        let (mut writer, reader) = UnixStream::pair().unwrap();
        drop(reader);
        send(Pipe);
        let error = writer.write(&[1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    })
    .finish();
}

/// What was changed is put back.
#[test]
fn drop_restores_masks_and_dispositions() {
    fork(|_| {
        ignore(&[Hup, Term, Chld]);
        let masks = || ["SigBlk", "SigIgn", "SigCgt"].map(|field| status_mask(id(), field));
        let before = masks();
        let queue = SignalQueue::attach().unwrap();
        assert_eq!(masks()[0] & bits(&[Hup, Term]), bits(&[Term]));
        assert!(matches!(Sources::attach([]), Err(Error::AlreadyAttached)));
        drop(queue);
        assert_eq!(masks(), before);
    })
    .finish();
}

/// WD-11: a stop that was not taken by the end has its effect.
#[test]
fn wd_11_what_was_not_taken_takes_effect_at_drop() {
    let status = fork(|_| {
        let queue = SignalQueue::attach().unwrap();
        send(Term);
        drop(queue);
    })
    .end();
    assert_eq!(status.terminating_signal(), Some(libc::SIGTERM));
}
