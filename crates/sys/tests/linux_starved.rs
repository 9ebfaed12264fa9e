//! A program whose own threads never come back still receives its stop.
#![cfg(target_os = "linux")]

mod linux_support;

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::thread;

use linux_support::{Line, block_all, fork, receive, signals};
use winddown_core::Signal::Term;
use winddown_sys::{Sources, signal};

/// A program with threads that do as `busy` does, the main one and four more, beside the one that receives.
fn received_although(busy: fn()) {
    let mut child = fork(|line| {
        let sources = Sources::attach([Term]).unwrap();
        // Threads of the program may have blocked the signal; the receiver starts from one of them.
        block_all();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(busy);
            }
            scope.spawn(|| report(&sources, line));
            busy();
        });
    });
    child.expect("receiving");
    child.send(Term);
    child.expect("received");
}

fn report(sources: &Sources, line: &mut Line) {
    signal::unblock_all_on_this_thread();
    line.say("receiving");
    assert_eq!(signals(&receive(sources)), [Term]);
    line.say("received");
}

/// WD-11.
#[test]
fn wd_11_every_thread_spins() {
    received_although(|| {
        signal::unblock_all_on_this_thread();
        loop {
            std::hint::spin_loop();
        }
    });
}

/// WD-11.
#[test]
fn wd_11_every_thread_is_in_a_call_that_never_returns() {
    received_although(|| {
        signal::unblock_all_on_this_thread();
        let (_open, mut silent) = UnixStream::pair().unwrap();
        let _ = silent.read(&mut [0]);
        unreachable!("nobody writes");
    });
}

/// WD-11.
#[test]
fn wd_11_every_thread_blocks_every_signal() {
    received_although(|| {
        loop {
            thread::park();
        }
    });
}
